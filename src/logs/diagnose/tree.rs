//! Which finding explains which, and which is told first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use jiff::Timestamp;

use super::{Class, Finding};

/// Findings as a forest: each symptom is below what explains it, and what explains most comes first.
pub(super) fn grow(found: Vec<Finding>) -> Vec<Finding> {
    let mut findings = fold(found);
    findings.sort_by_key(rank);
    let parents = parents(&findings);
    let mut below: Vec<Vec<Finding>> = vec![Vec::new(); findings.len()];
    let mut depth: Vec<(usize, usize)> = (0..findings.len())
        .map(|at| (depth(&parents, at), at))
        .collect();
    depth.sort_by_key(|(depth, at)| (Reverse(*depth), *at));
    let mut whole: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    let mut roots = Vec::new();
    for (_, at) in depth {
        let Some(mut finding) = whole[at].take() else {
            continue;
        };
        finding.below = std::mem::take(&mut below[at]);
        finding.below.sort_by_key(rank);
        match parents[at] {
            Some(parent) => below[parent].push(finding),
            None => roots.push(finding),
        }
    }
    roots.sort_by_key(rank);
    roots
}

/// The order in which findings are told: what the whole cluster needs, what is certain, symptoms, and last what only may be
/// wrong; among these what explains most, then what began first.
fn rank(finding: &Finding) -> (u8, Reverse<usize>, Timestamp, Class, String) {
    let tier = if finding.is_quiet {
        3
    } else {
        finding.class.tier()
    };
    (
        tier,
        Reverse(finding.weight()),
        finding.since.unwrap_or(Timestamp::MAX),
        finding.class,
        finding.cause.clone(),
    )
}

/// Findings of one cause become one.
fn fold(found: Vec<Finding>) -> Vec<Finding> {
    let mut folded: BTreeMap<(Class, String), Finding> = BTreeMap::new();
    for finding in found {
        match folded.get_mut(&finding.key()) {
            Some(known) => known.absorb(finding),
            None => drop(folded.insert(finding.key(), finding)),
        }
    }
    folded.into_values().collect()
}

/// By what each finding is explained; findings are in the order of their rank.
fn parents(findings: &[Finding]) -> Vec<Option<usize>> {
    let mut about: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        for affected in &finding.affects {
            about.entry(affected).or_default().push(at);
        }
    }
    let mut parents: Vec<Option<usize>> = vec![None; findings.len()];
    // The weakest look for an explanation first, so that of two that explain each other the stronger stays.
    for at in (0..findings.len()).rev() {
        let finding = &findings[at];
        let needed = finding
            .needs
            .iter()
            .filter_map(|need| about.get(need.as_str()));
        let mut candidates: Vec<usize> = needed.flatten().copied().collect();
        if finding.class.tier() >= SYMPTOM || finding.is_quiet {
            candidates.extend(stronger(findings, &about, at));
        }
        candidates.sort_unstable();
        candidates.dedup();
        parents[at] = candidates
            .into_iter()
            .find(|candidate| *candidate != at && !is_below(&parents, *candidate, at));
    }
    parents
}

/// From this tier on a class is a symptom.
const SYMPTOM: u8 = 2;

/// Findings of a stronger kind that concern all whom a symptom concerns.
fn stronger(
    findings: &[Finding],
    about: &HashMap<&str, Vec<usize>>,
    at: usize,
) -> impl Iterator<Item = usize> {
    let tier = |at: usize| {
        let finding: &Finding = &findings[at];
        if finding.is_quiet {
            3
        } else {
            finding.class.tier()
        }
    };
    let own = tier(at);
    let mut common: Option<HashSet<usize>> = None;
    for affected in &findings[at].affects {
        let those: HashSet<usize> = about[affected.as_str()].iter().copied().collect();
        common = Some(match common {
            Some(common) => common.intersection(&those).copied().collect(),
            None => those,
        });
    }
    let weaker = move |other: &usize| {
        let is_told_better = findings[at].class == Class::JobFailed && *other != at;
        tier(*other) < own || is_told_better
    };
    common
        .unwrap_or_default()
        .into_iter()
        .filter(weaker)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Whether a finding is below another, or is that.
fn is_below(parents: &[Option<usize>], mut at: usize, above: usize) -> bool {
    loop {
        if at == above {
            return true;
        }
        match parents[at] {
            Some(parent) => at = parent,
            None => return false,
        }
    }
}

fn depth(parents: &[Option<usize>], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(parent) = parents[at] {
        (at, depth) = (parent, depth + 1);
    }
    depth
}
