//! Why it is not done: of all that waits, what the rest waits for.
//!
//! Given the graph and what is missing of each object; no I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cluster::order::{Graph, Until};

/// What is missing of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Whether the server has accepted it.
    pub accepted: bool,
    /// In words.
    pub missing: String,
    /// Whether it will hardly come.
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
    pub missing: String,
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
        let unmet = graph.needs[*at].iter().filter(|need| {
            !blocked[at].accepted
                && blocked
                    .get(&need.on)
                    .is_some_and(|other| need.until == Until::Ready || !other.accepted)
        });
        let explains = graph.explains[*at]
            .iter()
            .filter(|need| blocked.contains_key(&need.on));
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

impl Cause {
    /// In one line: `47 objects wait ← webhook ← Deployment: its pod's reason`.
    pub fn line(&self) -> String {
        let own = if self.missing.is_empty() {
            self.object.clone()
        } else {
            format!("{}: {}", self.object, self.missing)
        };
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
            chain.push(next.object.clone());
            at = next;
        }
        let count = at.waiting;
        let who = match (count, at.below.first()) {
            (1, Some(only)) => format!("{} waits", only.object),
            _ => format!("{count} objects wait"),
        };
        chain.push(who);
        chain.reverse();
        chain.join(" ← ")
    }

    /// As lines of a tree, the root first; long lists cut.
    pub fn tree(&self) -> Vec<String> {
        let mut lines = vec![if self.missing.is_empty() {
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
    use crate::cluster::order::{Need, Strength, Why};

    fn need(on: usize, why: Why) -> Need {
        Need {
            on,
            until: Until::Ready,
            strength: Strength::Hard,
            why,
        }
    }

    fn blocker(accepted: bool, missing: &str, terminal: bool) -> Blocker {
        Blocker {
            accepted,
            missing: missing.to_owned(),
            terminal,
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
        graph.explains[1].push(need(0, Why::Backing));
        for at in 2..6 {
            graph.needs[at].push(need(1, Why::Webhook));
        }
        let mut blocked = BTreeMap::from([
            (
                0,
                blocker(true, "pod p: ImagePullBackOff (not found)", true),
            ),
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
            "4 objects wait ← o1 ← o0: pod p: ImagePullBackOff (not found)"
        );
        assert_eq!(
            roots[0].tree(),
            [
                "o0: pod p: ImagePullBackOff (not found)",
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
    fn circles_end() {
        let mut graph = Graph {
            needs: vec![Vec::new(); 2],
            explains: vec![Vec::new(); 2],
            ..Graph::default()
        };
        graph.explains[0].push(need(1, Why::Mention));
        graph.explains[1].push(need(0, Why::Mention));
        let blocked = BTreeMap::from([
            (0, blocker(true, "a", false)),
            (1, blocker(true, "b", false)),
        ]);
        let roots = roots(&blocked, &graph, &|at| at.to_string());
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].waiting, 1);
    }
}
