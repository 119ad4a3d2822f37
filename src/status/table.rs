//! The answer as people read it.

use std::fmt::Write as _;

use super::ObjectStatus;

/// How many objects that are ready are listed; of more only the number is.
const FEW: usize = 20;

/// A table, what is not ready first; then how many of each.
pub fn table(all: &[ObjectStatus]) -> String {
    let is_ready = |it: &&ObjectStatus| it.state.is_ready();
    let ready: Vec<&ObjectStatus> = all.iter().filter(is_ready).collect();
    let mut rows: Vec<&ObjectStatus> = all.iter().filter(|it| !is_ready(it)).collect();
    if ready.len() <= FEW {
        rows.extend(&ready);
    } else {
        // One that only counts as ready is worth a line.
        rows.extend(ready.iter().filter(|it| !it.why.is_empty()));
    }
    let width = rows.iter().map(|it| it.object.chars().count()).max();
    let width = width.unwrap_or_default().clamp(6, 70);
    let mut text = String::new();
    if !rows.is_empty() {
        line(&mut text, width, "OBJECT", "STATE", "WHY");
    }
    for row in rows {
        line(&mut text, width, &row.object, row.state.state(), &row.why);
    }
    let mut counts = Vec::new();
    for state in ["ready", "suspended", "waiting", "stuck", "failed"] {
        let count = all.iter().filter(|it| it.state.state() == state).count();
        if count > 0 {
            counts.push(format!("{count} {state}"));
        }
    }
    let objects = if all.len() == 1 { "object" } else { "objects" };
    format!("{text}{} {objects}: {}\n", all.len(), counts.join(", "))
}

fn line(text: &mut String, width: usize, object: &str, state: &str, why: &str) {
    let line = format!("{object:width$}  {state:9}  {why}");
    writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
}
