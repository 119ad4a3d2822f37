//! What a deploy would change: each object as the server would have it, held against the object as it is.
//!
//! Asks by server-side dry runs, so defaults and webhooks have their say; writes nothing. The values of Secrets are never
//! shown.

mod text;

use std::{
    collections::{BTreeMap, HashSet},
    panic::resume_unwind,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use kube::Client;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    cluster::{
        errors::Class,
        live::{self, Extent},
        request::Refusal,
    },
    deploy::{Plan, apply, prune::Pruning, recreate::may_recreate},
    limits::Deadline,
    pod::brief,
    report::{escape_markdown, first_of},
};

/// How many objects are asked about at once.
const AT_ONCE: usize = 16;
/// How often it is said how far it is.
const SPEAK: Duration = Duration::from_secs(10);

/// What would become of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is not there.
    Created,
    /// It is there and would be another: the unified diff, and whose fields would be taken over.
    Changed {
        /// Unified diff of YAML.
        diff: String,
        /// One line for each conflict.
        taken: Vec<String>,
    },
    /// It cannot be changed in place, and would be deleted and made anew: what the server says of the change.
    Recreated(String),
    /// It is there as it is wanted.
    Unchanged,
    /// The server would not have it.
    Refused(String),
    /// It cannot be told before other things are deployed.
    Unknown(String),
}

/// What a deploy would change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preview {
    /// Each object, as in the set.
    pub objects: Vec<(String, Change)>,
    /// What `prune` would remove.
    pub pruned: Vec<String>,
    /// What left the set and stays, with the reason.
    pub kept: Vec<(String, String)>,
    /// What the server warns of, with the objects that it says it of.
    pub warnings: BTreeMap<String, Vec<String>>,
}

/// Asks what would become of each object.
///
/// # Errors
/// The [`Refusal`] of a server that does not answer.
pub async fn preview(client: &Client, plan: &Plan, deadline: Deadline) -> Result<Preview, Refusal> {
    let looks = (0..plan.objects.len()).map(|at| look(client, plan, at, deadline));
    let mut looks = std::pin::pin!(stream::iter(looks).buffered(AT_ONCE));
    let mut changes: Vec<Change> = Vec::new();
    let mut spoken = Instant::now();
    let mut warnings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(looked) = looks.next().await {
        let (change, warned) = looked?;
        let object = &plan.objects[changes.len()];
        for text in warned {
            warnings
                .entry(text)
                .or_default()
                .push(object.id.to_string());
        }
        changes.push(change);
        if spoken.elapsed() >= SPEAK {
            let (done, all) = (changes.len(), plan.objects.len());
            tracing::info!("{done} of {all} objects compared");
            spoken = Instant::now();
        }
    }
    // What an old definition refuses, the new one may allow.
    let redefined: HashSet<String> = plan
        .objects
        .iter()
        .zip(&changes)
        .filter(|(_, change)| matches!(change, Change::Changed { .. }))
        .filter(|(object, _)| object.id.kind == "CustomResourceDefinition")
        .map(|(object, _)| object.id.name.clone())
        .collect();
    for (object, change) in plan.objects.iter().zip(&mut changes) {
        let resource = plan.served.of(object);
        let definition = resource.map(|it| format!("{}.{}", it.plural, it.group));
        if let Change::Refused(message) = change
            && definition.is_some_and(|name| redefined.contains(&name))
        {
            *change = Change::Unknown(format!("its definition would change first: {message}"));
        }
    }
    let ids = plan.objects.iter().map(|object| object.id.to_string());
    Ok(Preview {
        objects: ids.zip(changes).collect(),
        warnings,
        ..Preview::default()
    })
}

/// What would become of an object, and what the server warns of.
async fn look(
    client: &Client,
    plan: &Plan,
    at: usize,
    deadline: Deadline,
) -> Result<(Change, Vec<String>), Refusal> {
    let object = &plan.objects[at];
    if plan.resource(at).is_none() {
        let change = Change::Unknown("its kind is not served yet".to_owned());
        return Ok((change, Vec::new()));
    }
    let (path, given) = plan.address(at);
    let what = object.id.to_string();
    let get = || live::get(client, path, Extent::Whole);
    let live = live::steadily(&what, deadline, get).await?;
    let attempt = || apply::preview(client, path, object.body(), given);
    let mut wanted = live::steadily(&what, deadline, attempt).await;
    let warnings = match &mut wanted {
        Ok((answer, _)) => std::mem::take(&mut answer.warnings),
        Err(_) => Vec::new(),
    };
    let change = match (live, wanted) {
        (Some(live), Ok((answer, taken))) => {
            let wanted = answer.value;
            let id = object.id.clone();
            // Comparing takes a thread of its own for a while; what panics there panics here.
            let diff = tokio::task::spawn_blocking(move || text::diff(&id, &live, &wanted));
            match diff
                .await
                .unwrap_or_else(|error| resume_unwind(error.into_panic()))
            {
                Some(diff) => Change::Changed { diff, taken },
                None => Change::Unchanged,
            }
        }
        (None, Ok(_)) => Change::Created,
        (Some(_), Err(refusal)) if may_recreate(plan, at, &refusal) => {
            Change::Recreated(refusal.message)
        }
        (live, Err(refusal)) => told(live.is_some(), refusal)?,
    };
    Ok((change, warnings))
}

/// What a refusal means for something that was only asked about.
fn told(exists: bool, refusal: Refusal) -> Result<Change, Refusal> {
    let message = refusal.message.clone();
    Ok(match refusal.class {
        // Its definition, its namespace, its account or its webhook's server come with the set.
        Class::Missing(_) | Class::Webhook { .. } | Class::StaleWebhook(_) if !exists => {
            Change::Created
        }
        Class::Missing(_) | Class::Webhook { .. } | Class::StaleWebhook(_) => {
            Change::Unknown(message)
        }
        _ if message.contains("does not support dry run") => Change::Unknown(message),
        Class::Transient => return Err(refusal),
        Class::Denied | Class::Invalid | Class::Forbidden | Class::Conflict(_) => {
            Change::Refused(message)
        }
    })
}

impl Preview {
    /// Takes up what would be removed.
    pub fn prune(&mut self, pruning: &Pruning) {
        let doomed = pruning.doomed.iter();
        self.pruned = doomed.map(|it| it.id.to_string()).collect();
        let kept = pruning.kept.iter();
        self.kept = kept
            .map(|(id, why)| (id.to_string(), why.clone()))
            .collect();
    }

    fn count(&self, is: impl Fn(&Change) -> bool) -> usize {
        self.objects.iter().filter(|(_, it)| is(it)).count()
    }

    /// The objects that the server would refuse, each with what it says.
    pub fn refused(&self) -> Vec<String> {
        let refused = self.objects.iter().filter_map(|(id, change)| match change {
            Change::Refused(message) => Some(format!("{id}: {message}")),
            _ => None,
        });
        refused.collect()
    }

    /// How many of each, in one line.
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{} would be created, {} changed, {} unchanged, {} pruned",
            self.count(|it| *it == Change::Created),
            self.count(|it| matches!(it, Change::Changed { .. })),
            self.count(|it| *it == Change::Unchanged),
            self.pruned.len(),
        );
        for (count, what) in [
            (
                self.count(|it| matches!(it, Change::Recreated(_))),
                "recreated",
            ),
            (self.count(|it| matches!(it, Change::Refused(_))), "refused"),
            (self.count(|it| matches!(it, Change::Unknown(_))), "unknown"),
            (self.kept.len(), "kept"),
        ] {
            if count > 0 {
                line.extend([format!(", {count} {what}")]);
            }
        }
        line
    }

    /// All that would change, as people read it: one line an object, the diff below it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (id, change) in &self.objects {
            match change {
                Change::Unchanged => {}
                Change::Created => text.extend([format!("+ {id}: would be created\n")]),
                Change::Recreated(message) => {
                    text.extend([format!(
                        "± {id}: would be deleted and made anew: {}\n",
                        brief(message)
                    )]);
                }
                Change::Refused(message) => {
                    text.extend([format!("! {id}: would be refused: {message}\n")]);
                }
                Change::Unknown(message) => {
                    text.extend([format!("? {id}: cannot be told: {message}\n")]);
                }
                Change::Changed { diff, taken } => {
                    text.extend([format!("~ {id}: would be changed\n")]);
                    for line in taken {
                        text.extend([format!("  takes over: {line}\n")]);
                    }
                    text.push_str(diff);
                }
            }
        }
        for id in &self.pruned {
            text.extend([format!("- {id}: would be deleted\n")]);
        }
        for (id, reason) in &self.kept {
            text.extend([format!("  {id}: left the set and stays: {reason}\n")]);
        }
        for (warning, objects) in &self.warnings {
            let objects = first_of(objects, 1);
            text.extend([format!("  the API server warns: {warning} ({objects})\n")]);
        }
        text
    }
}

impl Preview {
    /// The same for a job summary, cut where it would be too long for one.
    pub fn markdown(&self) -> String {
        const LIMIT: usize = 200 * 1024;
        let mut text = format!(
            "### deploy-manifests, dry run: {}\n",
            escape_markdown(&self.summary())
        );
        let all = self.text();
        if all.is_empty() {
            return text;
        }
        text.push_str("\n```diff\n");
        for line in all.lines() {
            if text.len() + line.len() > LIMIT {
                text.push_str("… the rest is in the file that the output `diff` names\n");
                break;
            }
            text.push_str(&line.replace("```", "` ` `"));
            text.push('\n');
        }
        text.push_str("```\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::errors::Awaited;

    fn refusal(class: Class, message: &str) -> Refusal {
        Refusal {
            class,
            code: 400,
            message: message.to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn what_the_set_brings_along_is_no_refusal() {
        let missing = || Class::Missing(Awaited::Namespace);
        let webhook = || Class::Webhook {
            webhook: "w".to_owned(),
            of_the_set: true,
        };
        for (exists, class, message, expected) in [
            (false, missing(), "m", Change::Created),
            (true, missing(), "m", Change::Unknown("m".to_owned())),
            (false, webhook(), "m", Change::Created),
            (true, webhook(), "m", Change::Unknown("m".to_owned())),
            (false, Class::Denied, "no", Change::Refused("no".to_owned())),
            (true, Class::Invalid, "no", Change::Refused("no".to_owned())),
        ] {
            let change = told(exists, refusal(class.clone(), message)).unwrap();
            assert_eq!(change, expected, "{exists} {class:?}");
        }
        let mute = "admission webhook \"w\" does not support dry run";
        let change = told(true, refusal(Class::Invalid, mute)).unwrap();
        assert_eq!(change, Change::Unknown(mute.to_owned()));
        assert!(told(true, refusal(Class::Transient, "m")).is_err());
    }

    #[test]
    fn the_summary_counts_each_kind_of_change() {
        let changed = Change::Changed {
            diff: "-a\n+b\n".to_owned(),
            taken: vec!["conflict with \"x\": .a".to_owned()],
        };
        let mut preview = Preview::default();
        for change in [
            Change::Created,
            changed,
            Change::Unchanged,
            Change::Unchanged,
        ] {
            preview.objects.push(("ConfigMap a/b".to_owned(), change));
        }
        preview.pruned.push("Secret a/c".to_owned());
        assert_eq!(
            preview.summary(),
            "1 would be created, 1 changed, 2 unchanged, 1 pruned"
        );
        assert_eq!(
            preview.text(),
            "+ ConfigMap a/b: would be created\n~ ConfigMap a/b: would be changed\n  takes over: conflict with \"x\": .a\n\
             -a\n+b\n- Secret a/c: would be deleted\n"
        );
    }
}
