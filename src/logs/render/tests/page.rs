//! The page as a whole: what it may hold, how large it may be, and how it looks where all is well.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::*;
use crate::logs::{redact::Redactor, render::notebook::Room};

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}";

fn notebook(text: &str, picture: &[u8], room: &mut Room) -> Option<Notebook> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend_from_slice(picture);
    let output = |data: &Value| json!({"output_type": "display_data", "data": data});
    let notebook = json!({"cells": [{"cell_type": "code", "source": text,
        "metadata": {"manifests-e2e": {"name": text, "error": {"ename": text, "evalue": text}}, "papermill": {"status": "failed"}},
        "outputs": [{"output_type": "stream", "text": text}, {"output_type": "error", "traceback": [text]},
            output(&json!({"text/html": text})), output(&json!({"image/svg+xml": text})),
            output(&json!({"image/png": STANDARD.encode(bytes)})), output(&json!({"image/png": text}))]}]});
    Notebook::of(text, &notebook, &Redactor::blind(), room)
}

/// A cluster of which each name and text is that, so many times.
fn cluster(text: &str, times: usize) -> Snapshot {
    let mut snapshot = Snapshot::empty(text);
    snapshot.version = Some(json!({"gitVersion": text}));
    let meta = |at: usize| json!({"name": format!("{text}{at}"), "namespace": text});
    for at in 0..times {
        let objects = [
            json!({"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": text, "message": text, "metadata": meta(at),
                "lastTimestamp": format!("2026-01-02T03:{:02}:{:02}Z", at / 60 % 10, at % 60),
                "involvedObject": {"kind": text, "namespace": text, "name": format!("{text}{at}")}}),
            json!({"apiVersion": "v1", "kind": "Event", "reason": "Pulled", "metadata": meta(at),
                "message": format!("Successfully pulled image \"{}{at}\" in 1.5s (9.5s including waiting)", text.replace('"', ""))}),
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("{text}{at}")}, "status": {"capacity": {"cpu": text},
                "conditions": [{"type": text, "status": "True"}], "nodeInfo": {"kubeletVersion": text}}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(at), "spec": {"replicas": 3}}),
            json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": meta(at),
                "status": {"conditions": [{"type": "Ready", "status": "False", "reason": text, "message": text}]}}),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta(at), "spec": {"containers": [{"name": text, "image": text}]},
                "status": {"phase": "Pending", "message": text, "containerStatuses": [{"name": text, "restartCount": 4,
                    "state": {"waiting": {"reason": text, "message": text}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:00:30Z"}}}]}}),
        ];
        snapshot
            .objects
            .extend(objects.into_iter().filter_map(Object::of));
    }
    snapshot
}

/// A report of all that there can be, each text being that.
fn whole(text: &str, times: usize, picture: &[u8]) -> Report {
    let causes: Vec<String> = (0..times.min(60)).map(|_| text.to_owned()).collect();
    let mut stages: Vec<(&str, Option<u8>, &str)> = vec![("provision-ec2", Some(0), "")];
    stages.extend(
        causes
            .iter()
            .map(|it| ("deploy-manifests", Some(1), it.as_str())),
    );
    let mut record = record(&stages);
    record.run.repository = Some(text.to_owned());
    record.run.url = Some(text.to_owned());
    let attempt = Attempt {
        instance_type: text.to_owned(),
        zone: text.to_owned(),
        market: text.to_owned(),
        round: 1,
        answer: text.to_owned(),
        seconds: 0.4,
    };
    record.launch = Some(Launch {
        provider: "ec2".to_owned(),
        region: None,
        nonce: None,
        instance_id: None,
        security_group_id: None,
        expires_at: None,
        attempts: vec![attempt; times],
    });
    let snapshot = cluster(text, times);
    let findings: Vec<Finding> = (0..times.min(200))
        .map(|at| {
            let mut finding = Finding::new(Class::CrashLoop, format!("{text}{at}"), text);
            finding.affects.extend(vec![text.to_owned(); 20]);
            let evidence = Evidence {
                path: Some(text.to_owned()),
                text: text.to_owned(),
                ..Evidence::default()
            };
            finding.evidence = vec![evidence; 12];
            finding.below = vec![Finding::new(Class::JobFailed, text, text); 30];
            finding
        })
        .collect();
    let gaps: Vec<Gap> = (0..times)
        .map(|at| Gap {
            file: text.to_owned(),
            error: format!("{text}{at}"),
        })
        .collect();
    let object = |at: usize| json!({"object": format!("{text}{at}"), "sent": 0, "accepted": 5, "ready": null, "missing": text});
    let objects: Vec<Value> = (0..times).map(object).collect();
    let below: Vec<Value> = (0..times)
        .map(|_| json!({"object": text, "missing": text, "waiting": 0, "below": []}))
        .collect();
    let deploy = json!({"deployment": {"started": "2026-01-02T03:00:00Z", "ended": "2026-01-02T03:00:10Z", "objects": objects,
        "causes": [{"object": text, "missing": text, "waiting": 7, "below": below}]}});
    let images: std::collections::BTreeMap<String, Vec<String>> = (0..times)
        .map(|at| (format!("{text}{at}"), vec![text.to_owned()]))
        .collect();
    let earlier = json!({"verdict": text, "made": text, "run": text, "facts": {"images": images, "restarts": {}, "seconds": {}}});
    let earlier = serde_json::from_value(earlier).unwrap();
    let mut room = Room::default();
    let notebooks = (0..times.min(50)).filter_map(|_| notebook(text, picture, &mut room));
    let notebooks = notebooks.collect();
    Report::of(Material {
        snapshot: Some(&snapshot),
        unreachable: Some(text),
        unlisted: Some(text),
        findings: &findings,
        gaps: &gaps,
        deploy: Some(&deploy),
        notebooks,
        earlier: Some(earlier),
        pods: pods(&snapshot, &|pod| pod.text("/status/message").to_owned()),
        bundle: &text[..text.len().min(120)],
        ..material(&record)
    })
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let html = whole(HOSTILE, 3, b"").html();
    for forbidden in [
        "<script",
        "<img src=x",
        "<svg onload",
        "http://",
        "https://",
        "<link",
        "@import",
        "<iframe",
        "href=",
        "url(",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("&#60;script&#62;alert(1)"));
    // Nobody but the template begins a tag or gives it an attribute.
    let known = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "header", "strong",
        "span", "section", "p", "h1", "h2", "small", "dl", "dt", "dd", "ul", "li", "details",
        "summary", "div", "svg", "rect", "line", "circle", "table", "tr", "th", "td", "pre",
        "code", "img", "br", "footer",
    ];
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag
            .split([' ', '\n'])
            .next()
            .unwrap()
            .trim_start_matches('/');
        assert!(known.contains(&name) && !tag.contains(" on"), "<{tag}>");
    }
    let sources: Vec<&str> = html.split("<img ").skip(1).collect();
    assert_eq!(sources.len(), 3);
    let data = "alt=\"an output of this cell\" src=\"data:image/png;base64,";
    assert!(sources.iter().all(|it| it.starts_with(data)));
}

#[test]
fn the_page_has_its_bound_whatever_the_cluster() {
    for (text, times) in [
        ("<".repeat(1500), 150),
        ("plain words ".repeat(200), 150),
        ("x".to_owned(), 1000),
    ] {
        let report = whole(&text, times, &vec![7; 200_000]);
        let html = report.html();
        assert!(html.len() <= room::PAGE, "{}", html.len());
        // What is most wanted is there nevertheless.
        for there in [
            "what to do",
            "Timeline",
            "<img ",
            "Not collected",
            "diagnose",
        ] {
            assert!(html.contains(there), "{there}");
        }
    }
}

#[test]
fn nothing_is_red_where_all_is_well() {
    let red = ["#b42318", "#fde8e6", "#ff8a7d", "#41191a"];
    // A host that came at the second try, pods that were restarted, findings that no stage minded.
    let passed = record(&[
        ("provision-ec2", Some(3), "no capacity"),
        ("provision-ec2", Some(0), ""),
        ("deploy-manifests", Some(0), ""),
    ]);
    let snapshot = cluster("x", 2);
    let html = report(&passed, Some(&snapshot), &[finding()]).html();
    assert!(red.iter().all(|colour| !html.contains(colour)));
    assert!(html.contains("Every stage passed.") && !html.contains("❌"));
    let failed = record(&[("deploy-manifests", Some(1), "no")]);
    let html = report(&failed, None, &[]).html();
    assert!(red.iter().all(|colour| html.contains(colour)));
}

#[test]
fn the_cause_comes_first_with_what_waits_for_it_and_what_to_do() {
    let chain = "timed out after 45m: 47 objects wait ← webhook w ← Deployment n/web ← pod p: ImagePullBackOff";
    let failed = record(&[("deploy-manifests", Some(124), chain)]);
    let report = report(&failed, None, &[finding()]);
    assert_eq!(report.at, "deploy-manifests");
    assert_eq!(report.chain.len(), 4);
    let html = report.html();
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("no {text}"));
    let order = [
        "timed out after 45m: 47 objects wait",
        "pod p: ImagePullBackOff</h1>",
        "image not found</span>",
        "Correct the image",
        "Timeline",
    ];
    assert!(order.map(at).is_sorted(), "{order:?}");
    let plain = super::report(&failed, None, &[]);
    assert!(plain.html().contains("Look at what is not ready below"));
}

#[test]
fn a_custom_resource_that_is_not_ready_is_listed_and_one_without_status_is_not() {
    let mut snapshot = Snapshot::empty("x");
    let custom = |name: &str, status: Value| {
        let meta =
            json!({"name": name, "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z"});
        Object::of(json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": meta, "status": status})).unwrap()
    };
    let ready = |status: &str| json!({"conditions": [{"type": "Ready", "status": status, "message": "no pod"}]});
    snapshot.objects = vec![
        custom("good", ready("True")),
        custom("bad", ready("False")),
        custom("silent", json!({})),
    ];
    let told: Vec<_> = view::custom(&snapshot)
        .into_iter()
        .map(|row| (row.object, row.state))
        .collect();
    assert_eq!(told, [("Thing n/bad".to_owned(), "waiting")]);
}

#[test]
fn the_commands_are_what_a_shell_takes() {
    let deploy = json!({"deployment": {"objects": []}});
    let record = record(&[]);
    let mut snapshot = Snapshot::empty("kind-a");
    snapshot.version = Some(json!({"gitVersion": "v1.35.4"}));
    let report = Report::of(Material {
        deploy: Some(&deploy),
        snapshot: Some(&snapshot),
        bundle: "it's; rm -rf.zip",
        ..material(&record)
    });
    let commands: Vec<String> = report.commands().into_iter().map(|it| it.1).collect();
    let folder = r"'it'\''s; rm -rf'";
    assert_eq!(commands[0], r"manifests-e2e diagnose 'it'\''s; rm -rf.zip'");
    assert!(commands[1].ends_with(&format!(
        "crust-gather serve --archive {folder}/cluster-state/kind-a"
    )));
    assert!(commands[2].ends_with(&format!(
        "run --until test --kubernetes-version 1.35 --manifests {folder}/artifacts/rendered.yaml"
    )));
}
