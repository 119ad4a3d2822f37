//! Which cells of a notebook are test cases, and what they go by.

use serde_json::{Value, json};

use super::{METADATA, shortened, tagged, text};

/// Gives each cell that is a test case its name; returns how many of them will run.
///
/// One that is tagged `skip-execution` (as nbclient has it) is a case that is skipped. One without code is none, and is
/// not run; a line that begins with `#` is no code where that is a comment.
pub(super) fn name_cells(cells: &mut [Value], has_hashes: bool) -> usize {
    let all = cells.iter().filter(|c| c["cell_type"] == "code").count();
    let (mut number, mut run, mut heading) = (0, 0, None);
    for cell in cells {
        let source = text(&cell["source"]);
        let mut lines = source
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        if cell["cell_type"] != "code" {
            heading = lines
                .next()
                .filter(|line| cell["cell_type"] == "markdown" && line.starts_with('#'))
                .map(|line| line.trim_start_matches('#').trim().to_owned());
            continue;
        }
        number += 1;
        let heading = heading.take();
        if !lines
            .clone()
            .any(|line| !(has_hashes && line.starts_with('#')))
        {
            continue;
        }
        let title = heading
            .or_else(|| lines.next().map(str::to_owned))
            .unwrap_or_default();
        let name = format!("cell {number} of {all}: {}", shortened(&title, 72));
        cell["metadata"][METADATA] = if tagged(cell, "skip-execution") {
            json!({ "name": name, "skipped": true })
        } else {
            run += 1;
            json!({ "name": name })
        };
    }
    run
}

/// Whether `#` begins a comment.
pub(super) fn has_hashes(language: &str) -> bool {
    let language = language.to_ascii_lowercase();
    ["python", "ipython", "r", "julia", "bash", "ruby", "perl"].contains(&language.as_str())
}
