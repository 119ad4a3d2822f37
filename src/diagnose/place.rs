//! The lines of files in which evidence stands: that of objects has only a file until somebody wants to read it.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use crate::{diagnose::Cause, logs::diagnose::Evidence, status};

/// Characters by which a text is looked for.
const SOUGHT: usize = 40;

/// Characters that are enough to be sure.
const ENOUGH: usize = 6;

/// Notes the lines of all evidence that has a file and no line; what is not found stays without.
pub(super) fn lines(paths: &[PathBuf], causes: &mut [Cause]) {
    let mut open: HashMap<String, Vec<&mut Evidence>> = HashMap::new();
    let mut causes: Vec<&mut Cause> = causes.iter_mut().collect();
    while let Some(cause) = causes.pop() {
        for evidence in &mut cause.evidence {
            if let (Some(path), None) = (&evidence.path, evidence.line) {
                open.entry(path.clone()).or_default().push(evidence);
            }
        }
        causes.extend(cause.below.iter_mut());
    }
    let wanted: HashSet<PathBuf> = open.keys().map(PathBuf::from).collect();
    let is_wanted = |path: &Path| wanted.contains(path);
    for path in paths {
        let seen = status::visit(path, is_wanted, &mut |file: &str, bytes: Vec<u8>| {
            let text = String::from_utf8_lossy(&bytes);
            for evidence in open.get_mut(file).into_iter().flatten() {
                evidence.line = line(&text, &evidence.text);
            }
            Ok(())
        });
        // It was read a moment ago.
        if let Err(error) = seen {
            tracing::warn!("no lines are told: {error}");
        }
    }
}

/// The line of a file that holds the beginning of a text, as far as no format has to quote it.
fn line(file: &str, text: &str) -> Option<usize> {
    let plain = text.split(['"', '\\', '\'']).map(str::trim);
    let piece = plain.max_by_key(|piece| piece.len().min(SOUGHT))?;
    let end = piece
        .char_indices()
        .nth(SOUGHT)
        .map_or(piece.len(), |(at, _)| at);
    let sought = &piece[..end];
    if sought.len() < ENOUGH {
        return None;
    }
    let at = file.find(sought)?;
    Some(file[..at].matches('\n').count() + 1)
}
