//! Where everything goes: a column for each phase, a lane for each namespace, a box for each kind in them.
//!
//! The phase of an object is the length of the longest way to it, so every arrow leads to the right.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::set::{
    draw::{Hold, edges},
    objects::Object,
    order::Graph,
};

/// Names shown in a box; the tooltip has them all.
pub(super) const SHOWN: usize = 6;
/// Measures, in pixels.
pub(super) const WIDTH: usize = 240;
pub(super) const LINE: usize = 14;
pub(super) const HEAD: usize = 20;
pub(super) const COLUMN: usize = WIDTH + 90;
const GAP: usize = 12;
/// Room for the captions: of the picture above, of the lanes at the left.
pub(super) const TOP: usize = 84;
pub(super) const LEFT: usize = 24;
/// Height of a lane's caption.
pub(super) const CAPTION: usize = 26;

/// Objects of one phase, namespace and kind.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) phase: usize,
    pub(super) namespace: Option<String>,
    /// Kind and API group.
    pub(super) kind: (String, String),
    /// Indices, by name.
    pub(super) members: Vec<usize>,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) height: usize,
}

/// Edges between the objects of two groups, as one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    /// What goes first.
    pub(super) first: usize,
    pub(super) then: usize,
    pub(super) hold: Hold,
    pub(super) count: usize,
}

/// A namespace from left to right.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) namespace: Option<String>,
    pub(super) y: usize,
    pub(super) height: usize,
}

#[derive(Debug)]
pub(super) struct Picture {
    pub(super) groups: Vec<Group>,
    pub(super) links: Vec<Link>,
    pub(super) lanes: Vec<Lane>,
    /// How many objects each phase has.
    pub(super) phases: Vec<usize>,
    pub(super) width: usize,
    pub(super) height: usize,
}

pub(super) fn lay_out(objects: &[Object], graph: &Graph) -> Picture {
    let phase = phases(graph);
    let mut places: BTreeMap<(Option<&str>, usize, &str, &str), Vec<usize>> = BTreeMap::new();
    for (at, object) in objects.iter().enumerate() {
        let id = &object.id;
        let key = (
            id.namespace.as_deref(),
            phase[at],
            id.kind.as_str(),
            id.group.as_str(),
        );
        places.entry(key).or_default().push(at);
    }
    let mut groups = Vec::new();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut bottom: HashMap<usize, usize> = HashMap::new();
    let mut low = TOP;
    for ((namespace, phase, kind, group), mut members) in places {
        if lanes
            .last()
            .is_none_or(|lane| lane.namespace.as_deref() != namespace)
        {
            lanes.push(Lane {
                namespace: namespace.map(str::to_owned),
                y: low,
                height: 0,
            });
            bottom.clear();
        }
        let Some(lane) = lanes.last_mut() else {
            continue;
        };
        members.sort_by_key(|at| &objects[*at].id.name);
        let shown = members.len().min(SHOWN + 1);
        let height = HEAD + shown * LINE + 6;
        let y = *bottom.entry(phase).or_insert(lane.y + CAPTION);
        bottom.insert(phase, y + height + GAP);
        lane.height = lane.height.max(y + height + GAP - lane.y);
        low = low.max(lane.y + lane.height);
        groups.push(Group {
            phase,
            namespace: namespace.map(str::to_owned),
            kind: (kind.to_owned(), group.to_owned()),
            members,
            x: LEFT + phase * COLUMN,
            y,
            height,
        });
    }
    let mut counts = vec![0; phase.iter().max().map_or(0, |last| last + 1)];
    for at in &phase {
        counts[*at] += 1;
    }
    Picture {
        links: links(&groups, graph),
        width: 2 * LEFT + (counts.len().max(1) - 1) * COLUMN + WIDTH,
        height: low + GAP,
        groups,
        lanes,
        phases: counts,
    }
}

/// The phase of each object: 0 needs nothing, every other is one more than the last of what it needs.
pub(super) fn phases(graph: &Graph) -> Vec<usize> {
    let count = graph.needs.len();
    let mut phase: Vec<Option<usize>> = vec![None; count];
    let mut open = vec![false; count];
    for start in 0..count {
        let mut path = vec![start];
        while let Some(at) = path.last().copied() {
            open[at] = true;
            // Webhooks that serve each other are a circle that holds nothing: what is open does not count.
            let next = edges(graph, at)
                .map(|need| need.on)
                .find(|on| phase[*on].is_none() && !open[*on]);
            if let Some(on) = next {
                path.push(on);
                continue;
            }
            let before = edges(graph, at).filter_map(|need| phase[need.on]).max();
            phase[at].get_or_insert(before.map_or(0, |last| last + 1));
            open[at] = false;
            path.pop();
        }
    }
    phase.into_iter().map(Option::unwrap_or_default).collect()
}

/// Edges between groups, without those that follow from others that hold at least as much.
fn links(groups: &[Group], graph: &Graph) -> Vec<Link> {
    let mut of = vec![0; graph.needs.len()];
    for (group, members) in groups.iter().map(|group| &group.members).enumerate() {
        for at in members {
            of[*at] = group;
        }
    }
    let mut found: BTreeMap<(usize, usize, Hold), usize> = BTreeMap::new();
    for at in 0..graph.needs.len() {
        for need in edges(graph, at).filter(|need| of[need.on] != of[at]) {
            let key = (of[need.on], of[at], Hold::of(need));
            *found.entry(key).or_default() += 1;
        }
    }
    let hard = Reachable::new(
        groups,
        found.keys().filter(|(.., hold)| *hold == Hold::Hard),
    );
    let any = Reachable::new(groups, found.keys());
    found
        .into_iter()
        .filter(|((first, then, hold), _)| match hold {
            Hold::Hard => !hard.further(*first, *then),
            Hold::Soft => !any.further(*first, *then),
            Hold::Serves => true,
        })
        .map(|((first, then, hold), count)| Link {
            first,
            then,
            hold,
            count,
        })
        .collect()
}

/// What comes after each group, and what only by way of others.
struct Reachable {
    next: Vec<BTreeSet<usize>>,
    all: Vec<BTreeSet<usize>>,
}

impl Reachable {
    fn new<'a>(groups: &[Group], edges: impl Iterator<Item = &'a (usize, usize, Hold)>) -> Self {
        let mut next = vec![BTreeSet::new(); groups.len()];
        for (first, then, _) in edges {
            // An arrow to the left belongs to a circle or to another order: it proves nothing.
            if groups[*first].phase < groups[*then].phase {
                next[*first].insert(*then);
            }
        }
        let mut all: Vec<BTreeSet<usize>> = next.clone();
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(groups[*at].phase));
        for at in order {
            let further: Vec<usize> = next[at]
                .iter()
                .flat_map(|then| all[*then].iter().copied())
                .collect();
            all[at].extend(further);
        }
        Self { next, all }
    }

    /// Whether `then` comes after `first` by way of another.
    fn further(&self, first: usize, then: usize) -> bool {
        let mut others = self.next[first].iter().filter(|other| **other != then);
        others.any(|other| self.all[*other].contains(&then))
    }
}
