//! Why it is not done: of all that waits, what the rest waits for.
//!
//! Given the graph and what is missing of each object; no I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::{
    pod,
    ready::Missing,
    set::order::{EdgeReason, Graph, Until},
};

/// What is missing of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Whether the server has accepted it.
    pub accepted: bool,
    /// What is missing.
    pub missing: Missing,
    /// Whether it cannot come without a change.
    pub terminal: bool,
}

/// One root and what hangs below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Index of the root.
    #[serde(skip)]
    pub at: usize,
    /// The root.
    pub object: String,
    /// What is missing of it.
    #[serde(serialize_with = "as_text")]
    pub missing: Missing,
    /// Whether it will hardly come.
    pub terminal: bool,
    /// How many others wait for it.
    pub waiting: usize,
    /// Those right below it, each with its own, the largest first.
    pub below: Vec<Cause>,
}

/// The roots of all that is blocked, the one with most below it first.
///
/// Each blocked object hangs below exactly one other, or is a root.
pub fn roots(
    blocked: &BTreeMap<usize, Blocker>,
    graph: &Graph,
    name: &dyn Fn(usize) -> String,
) -> Vec<Cause> {
    let mut parent: BTreeMap<usize, usize> = BTreeMap::new();
    for at in blocked.keys() {
        let own = &blocked[at];
        let unmet = graph.needs[*at].iter().filter(|need| {
            let counts = match need.why {
                _ if !own.accepted => true,
                // It was applied before what it needs softly was there; now its pods lack that.
                EdgeReason::PodWebhook => own.missing.why == Some(pod::Why::Webhook),
                EdgeReason::Certificate => !own.terminal,
                _ => false,
            };
            counts
                && blocked
                    .get(&need.on)
                    .is_some_and(|other| need.until == Until::Ready || !other.accepted)
        });
        let explains = graph.explains[*at].iter().filter(|need| {
            blocked.get(&need.on).is_some_and(|other| match need.why {
                // A claim that cannot be bound keeps its workload waiting; one that could waits for the workload.
                EdgeReason::Uses => other.terminal,
                EdgeReason::Consumer => !own.terminal,
                _ => true,
            })
        });
        // The strongest reason first; one that would close a circle is none.
        let mut reasons: Vec<_> = unmet.chain(explains).copied().collect();
        reasons.sort_by_key(|need| std::cmp::Reverse((need.strength, need.why)));
        let reason = reasons
            .iter()
            .find(|need| need.on != *at && !leads_to(&parent, need.on, *at));
        if let Some(need) = reason {
            parent.insert(*at, need.on);
        }
    }
    let mut children: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (child, parent) in &parent {
        children.entry(*parent).or_default().insert(*child);
    }
    let mut roots: Vec<Cause> = blocked
        .keys()
        .filter(|at| !parent.contains_key(at))
        .map(|at| grow(*at, blocked, &children, name))
        .collect();
    sort(&mut roots);
    roots
}

fn leads_to(parent: &BTreeMap<usize, usize>, from: usize, to: usize) -> bool {
    let mut at = from;
    while let Some(next) = parent.get(&at) {
        at = *next;
        if at == to {
            return true;
        }
    }
    at == to
}

fn grow(
    at: usize,
    blocked: &BTreeMap<usize, Blocker>,
    children: &BTreeMap<usize, BTreeSet<usize>>,
    name: &dyn Fn(usize) -> String,
) -> Cause {
    let mut below: Vec<Cause> = children
        .get(&at)
        .into_iter()
        .flatten()
        .map(|child| grow(*child, blocked, children, name))
        .collect();
    sort(&mut below);
    Cause {
        at,
        object: name(at),
        missing: blocked[&at].missing.clone(),
        terminal: blocked[&at].terminal,
        waiting: below.iter().map(|cause| 1 + cause.waiting).sum(),
        below,
    }
}

fn sort(causes: &mut [Cause]) {
    // What will hardly come by itself explains more than what is on its way.
    causes.sort_by(|a, b| {
        (b.waiting, b.terminal)
            .cmp(&(a.waiting, a.terminal))
            .then_with(|| a.object.cmp(&b.object))
    });
}

fn as_text<S: Serializer>(missing: &Missing, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(missing)
}

impl Cause {
    /// Whether it is about this object, or about one above it.
    pub fn holds(&self, at: usize) -> bool {
        self.at == at || self.below.iter().any(|cause| cause.holds(at))
    }

    /// As a link of a chain: what refuses is a webhook, not its configuration.
    fn link(&self) -> String {
        let mut words = self.object.splitn(2, ' ');
        match (words.next(), words.next()) {
            (
                Some("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration"),
                Some(name),
            ) => format!("webhook {name}"),
            _ => self.object.clone(),
        }
    }

    /// The root itself, with what is missing of it; a pod that keeps it is the last link.
    fn own(&self) -> String {
        let (object, missing) = (self.link(), &self.missing);
        match &missing.pod {
            Some(pod) => format!("{object} ← pod {pod}: {}", missing.what),
            None if missing.is_none() => object,
            None => format!("{object}: {missing}"),
        }
    }

    /// In one line: `47 objects wait ← webhook ← Deployment ← pod: its reason`.
    pub fn line(&self) -> String {
        let own = self.own();
        if self.waiting == 0 {
            return own;
        }
        let mut chain = vec![own];
        let mut at = self;
        // As long as one branch carries nearly all of it, it is part of the story.
        while let Some(next) = at.below.first() {
            if next.waiting == 0 || (next.waiting + 1) * 2 < at.waiting {
                break;
            }
            chain.push(next.link());
            at = next;
        }
        let count = at.waiting;
        let who = match (count, at.below.first()) {
            (1, Some(only)) => format!("{} waits", only.link()),
            _ => format!("{count} objects wait"),
        };
        chain.push(who);
        chain.reverse();
        chain.join(" ← ")
    }

    /// As lines of a tree, the root first; long lists cut.
    pub fn tree(&self) -> Vec<String> {
        let mut lines = vec![if self.missing.is_none() {
            self.object.clone()
        } else {
            format!("{}: {}", self.object, self.missing)
        }];
        self.branches("", &mut lines);
        lines
    }

    fn branches(&self, indent: &str, lines: &mut Vec<String>) {
        const SHOWN: usize = 6;
        let rest = self.below.len().saturating_sub(SHOWN);
        for (number, cause) in self.below.iter().take(SHOWN).enumerate() {
            let last = number + 1 == self.below.len();
            let (mark, further) = if last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            lines.push(format!("{indent}{mark}{}", cause.object));
            cause.branches(&format!("{indent}{further}"), lines);
        }
        if rest > 0 {
            lines.push(format!("{indent}└─ and {rest} more"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::order::{Need, Strength};

    fn need(on: usize, why: EdgeReason) -> Need {
        Need {
            on,
            until: Until::Ready,
            strength: Strength::Hard,
            why,
        }
    }

    fn blocker(accepted: bool, missing: impl Into<Missing>, terminal: bool) -> Blocker {
        Blocker {
            accepted,
            missing: missing.into(),
            terminal,
        }
    }

    fn of_pod(counts: &str, pod: &str, what: &str) -> Missing {
        Missing {
            counts: counts.to_owned(),
            pod: Some(pod.to_owned()),
            ..Missing::because(pod::Why::ImageGone, what)
        }
    }

    #[test]
    fn everything_hangs_below_the_one_cause() {
        // 0 deployment, 1 webhook, 2 to 5 guarded, 6 another deployment.
        let mut graph = Graph {
            needs: vec![Vec::new(); 7],
            explains: vec![Vec::new(); 7],
            ..Graph::default()
        };
        graph.explains[1].push(need(0, EdgeReason::Backing));
        for at in 2..6 {
            graph.needs[at].push(need(1, EdgeReason::Webhook));
        }
        let mut blocked = BTreeMap::from([
            (0, blocker(true, of_pod("", "p", "it is gone"), true)),
            (1, blocker(true, "no endpoint", false)),
            (6, blocker(true, "starting", false)),
        ]);
        for at in 2..6 {
            blocked.insert(at, blocker(false, "", false));
        }
        let name = |at: usize| format!("o{at}");
        let roots = roots(&blocked, &graph, &name);
        assert_eq!(roots.len(), 2);
        assert_eq!(
            roots[0].line(),
            "4 objects wait ← o1 ← o0 ← pod p: it is gone"
        );
        assert_eq!(
            roots[0].tree(),
            [
                "o0: pod p: it is gone",
                "└─ o1",
                "   ├─ o2",
                "   ├─ o3",
                "   ├─ o4",
                "   └─ o5"
            ]
        );
        assert_eq!(roots[1].line(), "o6: starting");
    }

    #[test]
    fn the_line_reads_as_people_tell_it() {
        let cause = |object: &str, missing: Missing, below: Vec<Cause>| Cause {
            at: 0,
            object: object.to_owned(),
            missing,
            terminal: true,
            waiting: below.iter().map(|it| 1 + it.waiting).sum(),
            below,
        };
        let guarded =
            (0..47).map(|at| cause(&format!("Isvc n/{at}"), Missing::default(), Vec::new()));
        let webhook = "ValidatingWebhookConfiguration validation.kserve.io";
        let webhook = cause(webhook, "no endpoint".into(), guarded.collect());
        let missing = of_pod(
            "0 of 1 ready",
            "k-1",
            "image i:1 cannot be pulled: not found",
        );
        let root = cause("Deployment kubeflow/k", missing, vec![webhook]);
        assert_eq!(
            root.line(),
            "47 objects wait ← webhook validation.kserve.io ← Deployment kubeflow/k ← pod k-1: \
             image i:1 cannot be pulled: not found"
        );
        assert_eq!(
            root.tree()[0],
            "Deployment kubeflow/k: 0 of 1 ready: pod k-1: image i:1 cannot be pulled: not found"
        );
    }

    #[test]
    fn a_claim_and_its_workload_explain_each_other_one_way_only() {
        let mut graph = Graph {
            needs: vec![Vec::new(); 2],
            explains: vec![Vec::new(); 2],
            ..Graph::default()
        };
        graph.explains[0].push(need(1, EdgeReason::Consumer));
        graph.explains[1].push(need(0, EdgeReason::Uses));
        for (hopeless, root) in [(true, 0), (false, 1)] {
            let blocked = BTreeMap::from([
                (0, blocker(true, "Pending", hopeless)),
                (1, blocker(true, "0 of 1 ready", false)),
            ]);
            let roots = roots(&blocked, &graph, &|at| at.to_string());
            assert_eq!(roots.len(), 1);
            assert_eq!(roots[0].at, root);
        }
    }

    #[test]
    fn what_was_applied_too_early_hangs_below_what_it_lacks() {
        let mut graph = Graph {
            needs: vec![Vec::new(); 3],
            explains: vec![Vec::new(); 3],
            ..Graph::default()
        };
        graph.needs[1].push(need(0, EdgeReason::PodWebhook));
        graph.needs[2].push(need(0, EdgeReason::PodWebhook));
        let refused = Missing::because(pod::Why::Webhook, "no endpoints");
        let blocked = BTreeMap::from([
            (0, blocker(true, "no endpoint", false)),
            (1, blocker(true, refused, false)),
            (2, blocker(true, of_pod("", "p", "it is gone"), true)),
        ]);
        let roots = roots(&blocked, &graph, &|at| at.to_string());
        let found: Vec<_> = roots.iter().map(|root| (root.at, root.waiting)).collect();
        assert_eq!(found, [(0, 1), (2, 0)]);
    }

    #[test]
    fn circles_end() {
        let mut graph = Graph {
            needs: vec![Vec::new(); 2],
            explains: vec![Vec::new(); 2],
            ..Graph::default()
        };
        graph.explains[0].push(need(1, EdgeReason::Mention));
        graph.explains[1].push(need(0, EdgeReason::Mention));
        let blocked = BTreeMap::from([
            (0, blocker(true, "a", false)),
            (1, blocker(true, "b", false)),
        ]);
        let roots = roots(&blocked, &graph, &|at| at.to_string());
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].waiting, 1);
    }
}
