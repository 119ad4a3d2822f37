//! No object may wait for itself: cycles are found and broken at their weakest edge.

use crate::set::order::{EdgeReason, Graph, Need, Strength, Until};

/// Drops edges until there is no cycle, counting what serves a webhook as needed by it.
pub(super) fn break_all(graph: &mut Graph) {
    while let Some(cycle) = find(graph) {
        let backed = cycle
            .iter()
            .any(|(_, need)| need.why == EdgeReason::Backing);
        let weakest = cycle
            .iter()
            .filter(|(_, need)| need.why != EdgeReason::Backing)
            .min_by_key(|(at, need)| {
                // What serves a webhook cannot wait for that webhook: there is no other edge to give up.
                let guard = backed && need.why == EdgeReason::Webhook;
                (!guard, need.strength, need.until, need.why, *at)
            })
            .copied();
        let Some((at, need)) = weakest else {
            // Webhooks that serve each other and nothing else: nothing holds anything.
            return;
        };
        graph.needs[at].retain(|other| *other != need);
        if need.why == EdgeReason::Webhook && backed {
            // It has to be there before the webhook is, or it never could.
            graph.needs[need.on].push(Need {
                on: at,
                until: Until::Accepted,
                strength: Strength::Soft,
                why: EdgeReason::Before,
            });
        }
        graph.dropped.push((at, need));
    }
}

/// A cycle as its edges, each with the object that has the need; the same one for the same graph.
fn find(graph: &Graph) -> Option<Vec<(usize, Need)>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let edges = |at: usize| {
        let backing = graph.explains[at]
            .iter()
            .filter(|need| need.why == EdgeReason::Backing);
        graph.needs[at].iter().chain(backing).copied()
    };
    let mut marks = vec![Mark::New; graph.needs.len()];
    for start in 0..graph.needs.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::Open;
        // The path so far: each object, what it needs still to be looked at, and the edge that led to it.
        let mut path = vec![(start, edges(start).collect::<Vec<_>>(), None::<Need>)];
        while let Some((at, left, _)) = path.last_mut() {
            let Some(need) = left.pop() else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            match marks[need.on] {
                Mark::Done => {}
                Mark::New => {
                    marks[need.on] = Mark::Open;
                    path.push((need.on, edges(need.on).collect(), Some(need)));
                }
                Mark::Open => {
                    let from = path.iter().position(|(at, ..)| *at == need.on)?;
                    let mut cycle: Vec<(usize, Need)> = path[from..]
                        .windows(2)
                        .filter_map(|pair| Some((pair[0].0, pair[1].2?)))
                        .collect();
                    cycle.push((path.last()?.0, need));
                    return Some(cycle);
                }
            }
        }
    }
    None
}
