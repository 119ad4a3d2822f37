//! A picture has every object once, arrows lead to the right, and no name ends its markup.

use proptest::prelude::*;

use super::*;
use crate::set::{
    facts::Facts,
    objects,
    order::{Existing, Until},
    served::Served,
};

const SET: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: 'n'}}
---
{apiVersion: v1, kind: Service, metadata: {name: hook, namespace: 'n'}, spec: {selector: {app: hook}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hook, namespace: 'n'}
spec: {template: {metadata: {labels: {app: hook}}, spec: {containers: [{}]}}}
---
{apiVersion: a.example/v1, kind: Widget, metadata: {name: 'w<&\">', namespace: 'n'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- name: hook.example
  clientConfig: {service: {namespace: 'n', name: hook}}
  rules: [{operations: [CREATE], apiGroups: [a.example], apiVersions: ['*'], resources: ['*']}]
";

fn set() -> (Vec<Object>, Graph) {
    let objects = objects::read("x", SET).unwrap();
    let facts: Vec<Facts> = objects.iter().map(Facts::of).collect();
    let mut served = Served::default();
    served.assume(&objects);
    let graph = Graph::gated(&objects, &facts, &served, &Existing::default());
    (objects, graph)
}

#[test]
fn dot_has_every_object_and_every_edge() {
    let (objects, graph) = set();
    let text = draw(&objects, &graph, Form::Dot);
    for line in [
        r#"    "Deployment.apps n/hook" [label="Deployment\nhook"];"#,
        r#"  "Namespace n" -> "Deployment.apps n/hook" [style=solid, tooltip="Namespace"];"#,
        r#"  "Service n/hook" -> "Deployment.apps n/hook" [style=dashed, tooltip="Service"];"#,
        r#"  "Deployment.apps n/hook" -> "ValidatingWebhookConfiguration.admissionregistration.k8s.io hook" [style=dotted, tooltip="Backing"];"#,
        r#"  "ValidatingWebhookConfiguration.admissionregistration.k8s.io hook" -> "Widget.a.example n/w<&\">" [style=solid, tooltip="Webhook"];"#,
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
    }
    let arrows = text.lines().filter(|line| line.contains(" -> ")).count();
    let edges: usize = (0..objects.len()).map(|at| edges(&graph, at).count()).sum();
    assert_eq!(arrows, edges + graph.dropped.len());
}

#[test]
fn svg_shows_what_waits_to_the_right_of_what_it_waits_for() {
    let (objects, graph) = set();
    let phases = layout::phases(&graph);
    let named: Vec<(&str, usize)> = objects
        .iter()
        .zip(phases)
        .map(|(object, phase)| (object.id.kind.as_str(), phase))
        .collect();
    assert_eq!(
        named,
        [
            ("Namespace", 0),
            ("Service", 1),
            ("Deployment", 2),
            ("Widget", 4),
            ("ValidatingWebhookConfiguration", 3),
        ]
    );
    let text = draw(&objects, &graph, Form::Svg);
    assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    assert!(text.contains("5 objects in 5 phases"));
    assert!(text.contains("w&lt;&amp;&quot;&gt;") && !text.contains("w<&"));
    // Namespace → Deployment follows from Namespace → Service → Deployment only softly, so it stays.
    let picture = layout::lay_out(&objects, &graph);
    let holds: Vec<Hold> = picture.links.iter().map(|link| link.hold).collect();
    assert_eq!(
        holds.iter().filter(|it| **it == Hold::Hard).count(),
        4,
        "{picture:?}"
    );
}

#[test]
fn the_ending_of_the_file_tells_the_form() {
    assert_eq!(Form::of(Path::new("a/b.svg")).unwrap(), Form::Svg);
    assert_eq!(Form::of(Path::new("b.dot")).unwrap(), Form::Dot);
    assert!(Form::of(Path::new("b.png")).is_err() && Form::of(Path::new("svg")).is_err());
}

proptest! {
    /// Whatever needs whatever: each object is in one box, boxes do not overlap, arrows lead to the right.
    #[test]
    fn a_layout_is_whole(
        kinds in prop::collection::vec((0_u8..4, 0_u8..3), 1..40),
        pairs in prop::collection::vec((0_usize..40, 0_usize..40, any::<bool>()), 0..120)
    ) {
        let text: Vec<String> = kinds.iter().enumerate().map(|(at, (kind, namespace))| {
            format!("{{apiVersion: v1, kind: K{kind}, metadata: {{name: o{at}, namespace: n{namespace}}}}}")
        }).collect();
        let objects = objects::read("x", &text.join("\n---\n")).unwrap();
        let count = objects.len();
        let mut graph = Graph {
            needs: vec![Vec::new(); count],
            explains: vec![Vec::new(); count],
            ..Graph::default()
        };
        for (a, b, hard) in pairs {
            let (on, at) = ((a % count).min(b % count), (a % count).max(b % count));
            if on == at { continue; }
            let strength = if hard { Strength::Hard } else { Strength::Soft };
            graph.needs[at].push(Need { on, until: Until::Ready, strength, why: EdgeReason::Uses });
        }
        let picture = layout::lay_out(&objects, &graph);
        let mut members: Vec<usize> = picture.groups.iter().flat_map(|group| group.members.clone()).collect();
        members.sort_unstable();
        prop_assert_eq!(members, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(picture.phases.iter().sum::<usize>(), count);
        for (at, a) in picture.groups.iter().enumerate() {
            prop_assert!(a.x + layout::WIDTH <= picture.width && a.y + a.height <= picture.height);
            for b in &picture.groups[at + 1..] {
                let apart = a.x != b.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                prop_assert!(apart, "{a:?} {b:?}");
            }
        }
        for link in &picture.links {
            prop_assert!(picture.groups[link.first].x < picture.groups[link.then].x);
        }
    }
}
