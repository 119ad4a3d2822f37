//! Objects of kinds that nobody knows a rule for: how long their controller may take to write a status, and what is said of
//! those that have none, or are suspended.
//!
//! A controller that is there writes within seconds. Where none does, none may be meant to: the object counts as ready, and
//! that is said. Whether its kind has a status at all, its definition tells.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    cluster::{live, request::Refusal},
    deploy::{Answer, Deployment, verdict},
    ready::{self, NO_STATUS, SILENCE, StatusSchema, Verdict},
};

/// What fails may be a flap: it has to stay so for this long, unless it is the end of something that ends.
pub(super) const FLAP: Duration = Duration::from_secs(30);
/// Controllers suspend and resume what they manage: what somebody suspended has to stay so for this long.
pub(super) const SUSPENDED: Duration = Duration::from_mins(2);

/// What the definitions say of the statuses of kinds, by group and kind.
#[derive(Debug, Default)]
pub(super) struct Schemas(HashMap<String, Asked>);

#[derive(Debug)]
enum Asked {
    /// Its definition is being asked for.
    Asking,
    /// What it says.
    Known(StatusSchema),
}

impl Schemas {
    fn known(&self, group_kind: &str) -> Option<&StatusSchema> {
        match self.0.get(group_kind)? {
            Asked::Asking => None,
            Asked::Known(schema) => Some(schema),
        }
    }

    pub(super) fn default_of(&self, group_kind: &str) -> Option<&Value> {
        self.known(group_kind).map(|schema| &schema.default)
    }
}

/// What is made of the verdict on an object.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// How long a failure has to last.
    pub(super) hold: Duration,
    /// Why it counts as ready, where its status does not say so.
    pub(super) assumed: Option<String>,
}

impl Judged {
    pub(super) fn of(verdict: Verdict, hold: Duration) -> Self {
        Self {
            verdict,
            hold,
            assumed: None,
        }
    }

    /// Of a kind that the server does not show.
    pub(super) fn unseen(refusal: &str) -> Self {
        Self::assumed(format!("it cannot be seen: {refusal}"))
    }

    fn assumed(why: String) -> Self {
        Self {
            assumed: Some(why),
            ..Self::of(Verdict::Ready, Duration::ZERO)
        }
    }
}

/// Whether a `DaemonSet` has no node to run on.
fn is_nowhere(live: &Value) -> bool {
    live["status"]["desiredNumberScheduled"] == 0
}

impl Deployment<'_> {
    /// What the verdict of the rules on an accepted object means for the deployment.
    pub(super) fn weigh(&self, at: usize, live: Option<&Value>, verdict: Verdict) -> Judged {
        let (object, rule) = (&self.plan.objects[at], self.plan.rule(at));
        let id = &object.id;
        let is_generic = ready::is_generic(id, rule);
        let is_silent = || {
            let default = self.schemas.default_of(&id.group_kind());
            live.is_some_and(|live| ready::is_silent(live, default))
        };
        match verdict {
            Verdict::Suspended(what) => {
                if ready::suspended(&object.value()).is_some() {
                    return Judged::assumed(format!("its manifest suspends it: {what}"));
                }
                let what = format!("somebody suspended it, and not its manifest: {what}");
                Judged::of(Verdict::Failed(what.into()), SUSPENDED)
            }
            Verdict::Waiting(_) if is_generic && is_silent() => self.without_status(at),
            Verdict::Ready if id.is("apps", "DaemonSet") && live.is_some_and(is_nowhere) => {
                Judged::assumed("no node is as its pods want one, so it has none".to_owned())
            }
            // Its words may mean something else than they do elsewhere.
            Verdict::Failed(what) if is_generic => Judged::of(Verdict::Stuck(what), FLAP),
            Verdict::Failed(what) => {
                let is_final = rule.is_some() || ready::ends(id, rule) || id.is("", "Pod");
                let hold = if is_final { Duration::ZERO } else { FLAP };
                Judged::of(Verdict::Failed(what), hold)
            }
            other => Judged::of(other, FLAP),
        }
    }

    /// What an object of an unknown kind is that no controller has written a status of.
    fn without_status(&self, at: usize) -> Judged {
        let (object, item) = (&self.plan.objects[at], &self.items[at]);
        let waiting = || Judged::of(Verdict::Waiting(NO_STATUS.into()), FLAP);
        match self.schemas.known(&object.id.group_kind()) {
            None => waiting(),
            Some(schema) if !schema.exists => Judged::of(Verdict::Ready, FLAP),
            Some(_) => {
                // What an earlier deployment sent has had its time.
                let had_time = item.tries == 0
                    || item
                        .accepted_at
                        .is_some_and(|when| when.elapsed() >= SILENCE);
                if had_time {
                    Judged::assumed(format!("{NO_STATUS}, within {} s", SILENCE.as_secs()))
                } else {
                    waiting()
                }
            }
        }
    }

    /// Asks for the definitions of the kinds that only the general rule knows. Those of the set are at hand.
    pub(super) fn ask_definitions(&mut self) {
        for at in 0..self.items.len() {
            let (object, item) = (&self.plan.objects[at], &self.items[at]);
            let is_generic = ready::is_generic(&object.id, self.plan.rule(at));
            if item.accepted.is_none() || item.verdict.is_ready() || !is_generic {
                continue;
            }
            let group_kind = object.id.group_kind();
            if self.schemas.0.contains_key(&group_kind) {
                continue;
            }
            let Some(resource) = self.plan.resource(at) else {
                continue;
            };
            let name = resource.definition();
            let of_the_set = self.plan.objects.iter().find(|it| {
                it.id.is("apiextensions.k8s.io", "CustomResourceDefinition") && it.id.name == name
            });
            if let Some(definition) = of_the_set {
                let schema = StatusSchema::of(&definition.value(), &object.version);
                self.schemas.0.insert(group_kind, Asked::Known(schema));
                self.looked = None;
                continue;
            }
            self.schemas.0.insert(group_kind, Asked::Asking);
            let (client, resource) = (self.client.0.clone(), resource.clone());
            self.ask(
                async move { Answer::Definition(at, live::definition(&client, &resource).await) },
            );
        }
    }

    /// Takes in the definition of the kind of an object; a kind without one is of another API server.
    pub(super) fn take_definition(
        &mut self,
        at: usize,
        definition: Result<Option<Value>, Refusal>,
    ) {
        self.pulse
            .note(definition.as_ref().err().and_then(Refusal::silence));
        let object = &self.plan.objects[at];
        let group_kind = object.id.group_kind();
        let schema = match definition {
            Ok(Some(definition)) => StatusSchema::of(&definition, &object.version),
            Ok(None) => StatusSchema::default(),
            Err(refusal) if refusal.class.is_retryable() => {
                self.schemas.0.remove(&group_kind);
                return;
            }
            // It may have one: its time is waited for.
            Err(_) => StatusSchema {
                exists: true,
                default: Value::Null,
            },
        };
        self.schemas.0.insert(group_kind, Asked::Known(schema));
        self.looked = None;
    }

    /// Notes what an object is by now; says what counts as ready though its status does not say so.
    pub(super) fn settle(&mut self, at: usize, judged: Judged) {
        let now = Instant::now();
        let id = &self.plan.objects[at].id;
        let item = &mut self.items[at];
        let Judged {
            verdict,
            hold,
            assumed,
        } = judged;
        if verdict.is_ready() && !item.was_ready() {
            item.ready_at = Some(now);
            tracing::debug!("{id} is ready");
        }
        item.fails = match (&verdict, item.fails) {
            (Verdict::Failed(_), None) => Some((now, hold)),
            (Verdict::Failed(_), Some((since, _))) => Some((since, hold)),
            _ => None,
        };
        item.bad = verdict::Bad::of(&verdict, item.bad.take());
        if assumed != item.assumed {
            if let Some(why) = &assumed {
                tracing::warn!("{id} counts as ready: {why}");
            }
            item.assumed = assumed;
        }
        if verdict != item.verdict {
            self.stirred = now;
            item.verdict = verdict;
        }
    }
}
