//! Objects that the server does not change in place, such as a Job whose template is another: deleted and made anew, where
//! their user says so.

use tokio::time::Instant;

use crate::{
    cluster::{
        errors::{Class, is_immutable},
        live::{self, Extent},
        request::Refusal,
    },
    deploy::{Answer, Deployment, Plan, State, prune::holds},
    pod::brief,
    set::hooks::HELM,
};

/// By these annotations of other tools a manifest asks that its object be made anew where it has to be.
const FORCE: [(&str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io/force", "enabled"),
    ("argocd.argoproj.io/sync-options", "Force=true"),
];

/// Whether an object of a plan may be deleted and made anew, since the server refused to change it.
pub(super) fn may_recreate(plan: &Plan, at: usize, refusal: &Refusal) -> bool {
    let is_refused = matches!(refusal.class, Class::Invalid | Class::Denied);
    if !is_refused || !is_immutable(&refusal.message) {
        return false;
    }
    let object = &plan.objects[at];
    let value = object.value();
    let annotations = &value["metadata"]["annotations"];
    let asks = FORCE.iter().any(|(key, value)| {
        let given = annotations[*key].as_str().unwrap_or_default();
        given
            .split(',')
            .any(|part| part.trim().eq_ignore_ascii_case(value))
    });
    // Helm makes a hook anew each time, unless its manifest says when else it goes.
    let policy = annotations["helm.sh/hook-delete-policy"].as_str();
    let is_hook = annotations[HELM].is_string()
        && policy.is_none_or(|policy| policy.contains("before-hook-creation"));
    // What takes other things along goes only by its own manifest's word.
    asks || (plan.recreates || is_hook) && !holds(&object.id)
}

impl Deployment<'_> {
    /// Deletes an object that cannot be changed in place; once it is gone, it is sent again. False where nobody asks for it.
    pub(super) fn recreate(&mut self, at: usize, refusal: &Refusal) -> bool {
        if self.items[at].recreated || !may_recreate(self.plan, at, refusal) {
            return false;
        }
        let item = &mut self.items[at];
        item.recreated = true;
        item.state = State::Sending;
        self.sending += 1;
        tracing::warn!(
            "{} is deleted and made anew, since it cannot be changed in place: {}",
            self.plan.objects[at].id,
            brief(&refusal.message)
        );
        let (client, path) = (self.client.0.clone(), self.plan.path(at).to_owned());
        let why = refusal.clone();
        self.ask(async move {
            let deleted = async {
                let there = live::get(&client, &path, Extent::Metadata).await?;
                let uid = there.as_ref().and_then(|it| it["metadata"]["uid"].as_str());
                match uid {
                    Some(uid) => live::delete(&client, &path, uid, true).await,
                    None => Ok(()),
                }
            };
            Answer::Deleted(at, why, deleted.await)
        });
        true
    }

    /// Takes in that an object was deleted to be made anew; `why` is what the server said of a change in place.
    pub(super) fn take_deleted(&mut self, at: usize, why: &Refusal, deleted: Result<(), Refusal>) {
        self.sending -= 1;
        self.pulse
            .note(deleted.as_ref().err().and_then(Refusal::silence));
        match deleted {
            Ok(()) => self.await_end(at),
            Err(refusal) if refusal.class.is_retryable() => {
                let next = Instant::now() + self.back_off(at, &refusal);
                let item = &mut self.items[at];
                (item.recreated, item.state) = (false, State::Due(next));
                item.refusal = Some(refusal);
            }
            Err(refusal) => {
                let message = format!(
                    "{}; to delete it was refused: {}",
                    why.message, refusal.message
                );
                self.give_up(at, Refusal { message, ..refusal });
            }
        }
    }
}
