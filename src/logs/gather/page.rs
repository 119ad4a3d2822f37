//! What the page has beside objects and findings: the report of the deploy, the executed notebooks, described pods.

use std::path::Path;

use serde_json::Value;

use super::{CLOSING, GatherRequest};
use crate::{
    deploy::REPORT,
    logs::{
        collect::files,
        describe,
        redact::{Redactor, structure},
        render::{
            self, PodRow,
            notebook::{Notebook, Room},
        },
        snapshot::Snapshot,
    },
};

/// The report of `deploy-manifests`, where it got so far.
pub(super) fn deploy(wanted: &GatherRequest<'_>, redactor: &Redactor) -> Option<Value> {
    let file = files::read(&wanted.store.path(REPORT)).ok()?;
    let mut report = serde_json::from_slice(&file.bytes).ok()?;
    structure::scrub_document(&mut report, redactor);
    Some(report)
}

/// The executed notebooks that this job left.
pub(super) fn notebooks(wanted: &GatherRequest<'_>, redactor: &Redactor) -> Vec<Notebook> {
    let mut room = Room::default();
    let is_notebook =
        |path: &Path| path.starts_with("tests") && path.extension().is_some_and(|it| it == "ipynb");
    let mut notebooks = Vec::new();
    for path in files::results(wanted.store.dir()) {
        if !is_notebook(&path) || wanted.deadline.remaining() < CLOSING {
            continue;
        }
        let file = files::read(&wanted.store.path(&path.to_string_lossy()));
        let Some(notebook) = file
            .ok()
            .and_then(|it| serde_json::from_slice::<Value>(&it.bytes).ok())
        else {
            continue;
        };
        let name = format!("artifacts/{}", path.display());
        let name = redactor.file(&name);
        notebooks.extend(Notebook::of(&name, &notebook, redactor, &mut room));
    }
    notebooks
}

/// The pods of a cluster, described.
pub(super) fn pods(
    wanted: &GatherRequest<'_>,
    snapshot: &Snapshot,
    redactor: &Redactor,
) -> Vec<PodRow> {
    render::pods(snapshot, &|pod| {
        if wanted.deadline.remaining() < CLOSING {
            return "no time was left to describe it".to_owned();
        }
        redactor.text(&describe::describe(snapshot, pod))
    })
}

/// The page without what is a secret in it nevertheless. It is made of what is clean; whatever becomes of the page, a
/// secret goes, and the mark in its place is text.
pub(super) fn clean(html: String, redactor: &Redactor) -> String {
    if redactor.leaks(html.as_bytes()) {
        redactor
            .text(&html)
            .replace("<redacted len=", "&#60;redacted len=")
    } else {
        html
    }
}
