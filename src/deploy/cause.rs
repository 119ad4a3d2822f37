//! Why it is not done: of all that waits, what the rest waits for.
//!
//! Given the graph and what is missing of each object; no I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::{
    pod,
    ready::Missing,
    set::order::{EdgeReason, Graph, Need, Strength, Until},
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

impl Blocker {
    /// Whether it may wait for another workload whose name it knows: its containers run or ended, or nothing is known of
    /// them. An image, a volume or a node that is not there has nothing to do with that.
    fn may_call(&self) -> bool {
        self.accepted && self.missing.why.is_none_or(is_symptom)
    }
}

/// Whether a container says no more than that it does not work: what it lacks may be anywhere.
fn is_symptom(why: pod::Why) -> bool {
    use pod::Why::{Crash, NotReady, OutOfMemory, Probe};
    matches!(why, Crash | OutOfMemory | NotReady | Probe)
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
/// Each blocked object hangs below exactly one other, or is a root. `named` are workloads that each names in its last words.
pub fn roots(
    blocked: &BTreeMap<usize, Blocker>,
    graph: &Graph,
    named: &BTreeMap<usize, BTreeSet<usize>>,
    name: &dyn Fn(usize) -> String,
) -> Vec<Cause> {
    let mut parent: BTreeMap<usize, usize> = BTreeMap::new();
    for at in blocked.keys() {
        let own = &blocked[at];
        // Whatever becomes of others, it stays so.
        let alone = own.missing.why.is_some_and(|why| why.patience().alone);
        if own.accepted && own.terminal && alone {
            continue;
        }
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
                EdgeReason::Mention => own.may_call(),
                _ => true,
            })
        });
        let named = named.get(at).into_iter().flatten().map(|on| Need {
            on: *on,
            until: Until::Ready,
            strength: Strength::Soft,
            why: EdgeReason::Mention,
        });
        let named = named.filter(|need| blocked.contains_key(&need.on));
        // The strongest reason first; one that would close a circle is none.
        let mut reasons: Vec<_> = unmet.chain(explains).copied().chain(named).collect();
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
            .then_with(|| a.is_symptom().cmp(&b.is_symptom()))
            .then_with(|| a.object.cmp(&b.object))
    });
}

fn as_text<S: Serializer>(missing: &Missing, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(missing)
}

impl Cause {
    /// Whether another of equal weight explains more.
    fn is_symptom(&self) -> bool {
        self.missing.why.is_some_and(is_symptom)
    }

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
mod tests;
