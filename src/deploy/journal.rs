//! What was done with each object, and when: the report's data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    api::ObjectId,
    deploy::{Deployment, Plan, State, apply::digest, cause::Cause, inventory::Sent},
    report::{escape_markdown, first_of, one_line},
};

/// File of the state directory with what was done with each object.
pub const REPORT: &str = "deploy-report.json";

/// What happened to one object; times are milliseconds since the begin.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is told of by itself")]
pub struct Entry {
    /// Who.
    pub object: String,
    /// Kind.
    pub kind: String,
    /// Where it was written.
    pub source: String,
    /// When it was sent first.
    pub sent: Option<u64>,
    /// When the server had accepted it.
    pub accepted: Option<u64>,
    /// When it was ready first.
    pub ready: Option<u64>,
    /// How often it was sent.
    pub tries: u32,
    /// Whether it was not there before.
    pub created: bool,
    /// Whether an older one was deleted first, since it could not be changed in place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recreated: bool,
    /// Whether it was not sent, since it was there as it is wanted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// Its unique id.
    #[serde(skip)]
    pub uid: String,
    /// What the server notes as ours.
    #[serde(skip)]
    pub mark: String,
    /// Fields that other managers held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
    /// What the server warned of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Whether it was applied before something soft that it needs was ready.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// What the server said when it refused it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Why it counts as ready, where its status does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed: Option<String>,
    /// What was missing at the end.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub missing: String,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
pub struct Journal {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Every object, as in the set.
    pub objects: Vec<Entry>,
    /// Why it is not done: empty where it is.
    pub causes: Vec<Cause>,
    /// What is broken in the namespaces of the set beside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
}

impl Deployment<'_> {
    /// What happened to an object until now.
    pub(super) fn entry(&self, at: usize) -> Entry {
        let (object, item) = (&self.plan.objects[at], &self.items[at]);
        let since = |moment: Option<Instant>| {
            let took = moment?.duration_since(self.begun).as_millis();
            Some(u64::try_from(took).unwrap_or(u64::MAX))
        };
        let is_judged = self.aim.waits() || item.state != State::Accepted;
        let missing = item.verdict.missing().filter(|_| is_judged);
        let accepted = item.accepted.clone().unwrap_or_default();
        Entry {
            object: object.id.to_string(),
            kind: object.id.kind.clone(),
            source: object.source.clone(),
            sent: since(item.sent_at),
            accepted: since(item.accepted_at),
            ready: since(item.ready_at),
            tries: item.tries,
            created: accepted.created,
            recreated: item.recreated,
            unchanged: item.accepted.is_some() && item.tries == 0,
            uid: accepted.uid,
            mark: accepted.mark,
            taken: accepted.taken,
            warnings: accepted.warnings,
            released: item.released,
            refused: item.refusal.as_ref().map(|it| it.message.clone()),
            assumed: item.assumed.clone(),
            missing: missing.map_or_else(String::new, ToString::to_string),
        }
    }
}

impl Journal {
    /// How many were accepted.
    pub fn accepted_count(&self) -> usize {
        let accepted = |entry: &&Entry| entry.accepted.is_some();
        self.objects.iter().filter(accepted).count()
    }

    /// Who was sent, accepted and ready when: tab-separated, a line each, with a head.
    pub fn table(&self) -> String {
        let mut table = "object\ttries\tsent_ms\taccepted_ms\tready_ms\tmissing\n".to_owned();
        let cell = |moment: Option<u64>| moment.map_or(String::new(), |moment| moment.to_string());
        for entry in &self.objects {
            let cells = [
                entry.object.clone(),
                entry.tries.to_string(),
                cell(entry.sent),
                cell(entry.accepted),
                cell(entry.ready),
                one_line(&entry.missing).replace('\t', " "),
            ];
            table.push_str(&cells.join("\t"));
            table.push('\n');
        }
        table
    }

    /// What was accepted, as an inventory has it.
    pub fn lines(&self, plan: &Plan) -> Vec<(ObjectId, Sent)> {
        let entries = plan.objects.iter().zip(&self.objects);
        let accepted = entries.filter(|(_, entry)| entry.accepted.is_some());
        let lines = accepted.map(|(object, entry)| {
            // A server that notes nothing of fields that were sent cannot tell whether they changed.
            let mark = match &entry.mark {
                uid if uid.starts_with('=') && !object.is_bare() => String::new(),
                mark => mark.clone(),
            };
            let content = digest(object.body());
            (object.id.clone(), Sent { content, mark })
        });
        lines.collect()
    }

    /// How many of each kind, and the slowest, as Markdown.
    pub fn markdown(&self, passed: bool) -> String {
        const SLOWEST: usize = 10;
        let mut text = format!(
            "### {} deploy-manifests: {} of {} objects accepted\n\n",
            if passed { "✅" } else { "❌" },
            self.accepted_count(),
            self.objects.len()
        );
        let mut slowest: Vec<_> = self
            .objects
            .iter()
            .filter_map(|entry| Some((entry.ready? - entry.accepted?, entry)))
            .filter(|(took, _)| *took >= 1000)
            .collect();
        slowest.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
        if !slowest.is_empty() {
            text.push_str("| slowest to be ready | seconds |\n|---|---:|\n");
        }
        for (took, entry) in slowest.into_iter().take(SLOWEST) {
            let object = escape_markdown(&entry.object);
            let seconds = std::time::Duration::from_millis(took).as_secs_f64();
            text.extend([format!("| {object} | {seconds:.1} |\n")]);
        }
        let mut warnings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in &self.objects {
            for text in &entry.warnings {
                warnings.entry(text).or_default().push(&entry.object);
            }
        }
        if !warnings.is_empty() {
            text.push_str("\n| the API server warns | of |\n|---|---|\n");
        }
        for (warning, objects) in warnings.iter().take(50) {
            let (warning, objects) = (
                escape_markdown(&one_line(warning)),
                escape_markdown(&first_of(objects, 1)),
            );
            text.extend([format!("| {warning} | {objects} |\n")]);
        }
        let missing: Vec<_> = self
            .objects
            .iter()
            .filter(|it| !it.missing.is_empty())
            .collect();
        if !passed && !missing.is_empty() {
            text.push_str("\n| not ready | missing |\n|---|---|\n");
            for entry in missing.iter().take(50) {
                let (object, missing) = (
                    escape_markdown(&entry.object),
                    escape_markdown(&entry.missing),
                );
                text.extend([format!("| {object} | {missing} |\n")]);
            }
        }
        text
    }
}
