//! How a deployment fails, as a reader wants it: one cause, what hangs below it, what to do.

use std::time::Duration;

use crate::{
    cluster::{
        errors::{Awaited, Class, TOO_LARGE, is_immutable},
        request::Refusal,
        watches::Denied,
    },
    deploy::{Deployment, State, cause::Cause, leaving::Stays},
    limits::{Deadline, humane},
    pod::Why,
    report::{Exit, Explain},
    set::lint::LintError,
};

/// Why a set is not deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// It cannot be deployed to this cluster; nothing was written.
    #[error(transparent)]
    Lint(LintError),
    /// The server stopped answering.
    #[error("the API server is lost: no answer for {}: {reason}", humane(Duration::from_secs(silent.as_secs())))]
    Lost {
        /// For how long.
        silent: Duration,
        /// What the last request met.
        reason: String,
    },
    /// The credentials do not let a kind be seen that has to be waited for.
    #[error("the credentials do not allow to {} {}: {}", denied.verb, denied.resource, denied.message)]
    Unseen {
        /// Which, and what the server says.
        denied: Denied,
    },
    /// The server will not have an object.
    #[error("the cluster refused {object}: {message}")]
    Refused {
        /// Which.
        object: String,
        /// What the server said.
        message: String,
        /// What it means.
        class: Class,
        /// What can be done about it, where more is known than its class tells.
        remedy: Option<Box<str>>,
        /// Others that it refused, and what waits for it.
        others: Vec<String>,
    },
    /// An earlier deletion of an object does not end.
    #[error("{object} is still being deleted after {}: {keeps}", humane(*waited))]
    Undeleted {
        /// Which.
        object: String,
        /// What keeps it.
        keeps: String,
        /// How long it was waited for.
        waited: Duration,
        /// What can be done about it.
        remedy: Box<str>,
        /// Others that were refused, and what waits for it.
        others: Vec<String>,
    },
    /// Without `wait`: some were not accepted.
    #[error("{} of {all} objects were not accepted, first {}", list.len(), list.first().map_or("", String::as_str))]
    NotAccepted {
        /// Each with what the server said.
        list: Vec<String>,
        /// How many there are.
        all: usize,
        /// What can be done about one, where more is known than that its webhook was not up.
        remedy: Option<Box<str>>,
    },
    /// An object failed for good.
    #[error("{cause}")]
    Failed {
        /// The object and its reason.
        cause: String,
        /// What hangs below it, and other causes.
        tree: Vec<String>,
        /// What to do.
        remedy: String,
    },
    /// What only the general rule calls not ready is all that is left, and it does not change.
    #[error("{cause}, and nothing has changed for {}", humane(*quiet))]
    NotReady {
        /// The cause in one line.
        cause: String,
        /// What hangs below it, and other causes.
        tree: Vec<String>,
        /// For how long, in whole seconds.
        quiet: Duration,
        /// What can be done about it.
        remedy: Box<str>,
    },
    /// Something does not come up, and will not.
    #[error("{}", in_time(cause, *lasts, *is_alone))]
    Stuck {
        /// The cause in one line.
        cause: String,
        /// Why, where a pod tells.
        why: Option<Why>,
        /// What hangs below it, and other causes.
        tree: Vec<String>,
        /// For how long it has been so.
        lasts: Duration,
        /// Whether it is so whatever becomes of the others, which may still move.
        is_alone: bool,
    },
    /// The deadline passed.
    #[error("timed out after {}: {cause}", humane(*limit))]
    TimedOut {
        /// The whole limit.
        limit: Duration,
        /// The cause in one line.
        cause: String,
        /// Why, where a pod tells.
        why: Option<Why>,
        /// What hangs below it, and other causes.
        tree: Vec<String>,
    },
}

/// A cause with how long it has been so.
fn in_time(cause: &str, lasts: Duration, is_alone: bool) -> String {
    let lasts = humane(Duration::from_secs(lasts.as_secs()));
    if is_alone {
        format!("{cause} (for {lasts})")
    } else {
        format!("nothing moved for {lasts}: {cause}")
    }
}

impl Explain for DeployError {
    fn exit(&self) -> Exit {
        match self {
            Self::Lint(error) => error.exit(),
            Self::Lost { .. }
            | Self::Unseen { .. }
            | Self::NotAccepted { .. }
            | Self::Refused {
                class: Class::Forbidden,
                ..
            } => Exit::Infrastructure,
            Self::Stuck { why: Some(why), .. } if why.is_registry() => Exit::Infrastructure,
            Self::Refused { .. }
            | Self::Undeleted { .. }
            | Self::Failed { .. }
            | Self::NotReady { .. }
            | Self::Stuck { .. } => Exit::TestFailed,
            Self::TimedOut { .. } => Exit::TimeLimit,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Lint(error) => return error.hint(),
            Self::Lost { .. } => "is the cluster still up?",
            Self::Unseen {
                denied: Denied { resource, .. },
            } => {
                return Some(format!(
                    "whether all is ready shows only where {resource} can be listed and watched in all namespaces: give the \
                     account a ClusterRole for it, or deploy with wait: false"
                ));
            }
            Self::Undeleted { remedy, .. }
            | Self::NotReady { remedy, .. }
            | Self::Refused {
                remedy: Some(remedy),
                ..
            }
            | Self::NotAccepted {
                remedy: Some(remedy),
                ..
            } => remedy,
            Self::Refused { message, class, .. } => match class {
                Class::Forbidden => {
                    "the credentials of the kubeconfig do not suffice for this object"
                }
                Class::Denied => {
                    "a policy of the set or of the cluster says no: change the object or the policy"
                }
                Class::Missing(Awaited::Definition) => {
                    "it does not fit the definition of its kind that the set has: correct the one or the other"
                }
                Class::Missing(Awaited::Namespace) => {
                    "its namespace was there and is gone: is another job deleting it?"
                }
                Class::Missing(Awaited::Account) => {
                    "nothing makes its service account: add that to the set"
                }
                Class::Missing(Awaited::Deletion) => {
                    "its namespace or its definition is being deleted, and the set does not make it: wait until it is gone, or add it to the set"
                }
                _ if TOO_LARGE.iter().any(|sign| message.contains(sign)) => {
                    "the server stores no object larger than 1.5 MiB: split it, or leave parts out"
                }
                _ if is_immutable(message) => {
                    "the cluster has an older object of that name, which cannot be changed in place: with recreate: true it is deleted \
                     and created again"
                }
                _ => "the object itself is wrong: correct the manifests",
            },
            Self::NotAccepted { .. } => {
                "their webhooks were not up yet; with wait: true they are waited for"
            }
            Self::Failed { remedy, .. } => remedy,
            Self::Stuck { why, .. } | Self::TimedOut { why, .. } => match why {
                Some(why) if why.is_image() => {
                    "the image is gone from its registry: name another one with image-overrides"
                }
                Some(why) if why.is_registry() => {
                    "the nodes cannot reach the registry: give install-kind registry-mirrors, or try again"
                }
                Some(Why::NoRoom) => {
                    "the nodes have no room left: take a larger instance type, or ask for less"
                }
                Some(Why::NoNode) => {
                    "no node is as the pod wants it: correct its nodeSelector, affinity, tolerations or host ports, or add such a node"
                }
                Some(Why::Unscheduled) => {
                    "no scheduler of that name runs: correct schedulerName, or add the scheduler to the set"
                }
                _ => "the cluster still runs; gather-logs shows more",
            },
        };
        Some(text.to_owned())
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Lint(error) => error.details(),
            Self::Refused { others, .. } | Self::Undeleted { others, .. } => others.clone(),
            Self::NotAccepted { list, .. } => list.clone(),
            Self::Failed { tree, .. }
            | Self::NotReady { tree, .. }
            | Self::Stuck { tree, .. }
            | Self::TimedOut { tree, .. } => tree.clone(),
            Self::Lost { .. } | Self::Unseen { .. } => Vec::new(),
        }
    }
}

/// How many causes are told in full.
const TOLD: usize = 5;

/// The causes as trees; nothing where the line `said` tells it all.
pub(super) fn trees(causes: &[Cause], said: &str) -> Vec<String> {
    let mut trees = Vec::new();
    for cause in causes.iter().take(TOLD) {
        trees.extend(cause.tree());
    }
    for cause in causes.iter().skip(TOLD).take(30) {
        trees.push(cause.line());
    }
    let rest = causes.len().saturating_sub(TOLD + 30);
    if rest > 0 {
        trees.push(format!("and {rest} more"));
    }
    if let [cause] = causes
        && cause.waiting == 0
        && cause.line() == said
    {
        trees.clear();
    }
    trees
}

impl Deployment<'_> {
    fn said(&self, at: usize) -> String {
        let message = self.items[at].refusal.as_ref().map_or(
            "not sent, since something that it needs was not accepted",
            |it| it.message.as_str(),
        );
        format!("{}: {message}", self.plan.objects[at].id)
    }

    pub(super) fn refused(&mut self) -> DeployError {
        let for_good = |at: &usize| self.items[*at].for_good;
        let refused: Vec<usize> = (0..self.items.len()).filter(for_good).collect();
        let first = refused[0];
        self.culprit = Some(first);
        let refusal = self.items[first].refusal.as_ref();
        let mut others: Vec<String> = refused[1..].iter().map(|at| self.said(*at)).collect();
        let causes = self.causes();
        if let Some(cause) = causes.first().filter(|cause| cause.waiting > 0) {
            others.extend(cause.tree());
        }
        let object = self.plan.objects[first].id.to_string();
        if let Some(Stays { keeps, waited }) = self.stays(first) {
            return DeployError::Undeleted {
                object,
                keeps,
                waited,
                remedy: self.remedy_of_leaving(first).into(),
                others,
            };
        }
        DeployError::Refused {
            object,
            message: refusal.map_or_else(String::new, |it: &Refusal| it.message.clone()),
            class: refusal.map_or(Class::Invalid, |it| it.class.clone()),
            remedy: refusal
                .and_then(|it| self.stale.remedy(&it.class))
                .map(Into::into),
            others,
        }
    }

    pub(super) fn not_accepted(&self) -> DeployError {
        let refused = (0..self.items.len()).filter(|at| self.items[*at].state == State::Refused);
        let mut remedies = refused.clone().filter_map(|at| {
            let refusal = self.items[at].refusal.as_ref();
            refusal.and_then(|it| self.stale.remedy(&it.class))
        });
        DeployError::NotAccepted {
            remedy: remedies.next().map(Into::into),
            list: refused.map(|at| self.said(at)).collect(),
            all: self.items.len(),
        }
    }

    /// What is left is of kinds that only the general rule knows.
    pub(super) fn not_ready(&mut self, causes: &[Cause]) -> DeployError {
        let mut lines: Vec<String> = Vec::new();
        for cause in causes {
            let object = &self.plan.objects[cause.at];
            let resource = self.plan.resource(cause.at);
            let plural = resource.map_or(object.id.kind.as_str(), |it| it.plural.as_str());
            let line = format!("`{plural}.{} accepted`", object.id.group);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        self.culprit = causes.first().map(|cause| cause.at);
        let cause = self.explanation(causes);
        DeployError::NotReady {
            tree: trees(causes, &cause),
            cause,
            quiet: Duration::from_secs(self.moved.max(self.stirred).elapsed().as_secs()),
            remedy: format!(
                "only the general rule says so of this kind: if it is as it should be, accept it with ready-when: {}; \
                 or say what makes it ready, such as `condition=NAME` in place of `accepted`",
                lines.join(", ")
            )
            .into(),
        }
    }

    /// Something is stuck: the culprit, whatever becomes of the others, or all that is left.
    pub(super) fn stuck(&self, causes: &[Cause]) -> DeployError {
        let cause = self.explanation(causes);
        if self.is_unserved(causes) {
            let tree = trees(causes, &cause);
            return self.not_served(cause, tree);
        }
        let culprit = self.culprit.and_then(|at| self.items[at].bad.as_ref());
        DeployError::Stuck {
            tree: trees(causes, &cause),
            cause,
            why: causes.first().and_then(|cause| cause.missing.why),
            lasts: culprit.map_or(self.moved, |bad| bad.since).elapsed(),
            is_alone: culprit.is_some(),
        }
    }

    pub(super) fn timed_out(&self, deadline: Deadline) -> DeployError {
        let causes = self.causes();
        let cause = self.explanation(&causes);
        DeployError::TimedOut {
            limit: deadline.limit(),
            tree: trees(&causes, &cause),
            cause,
            why: causes.first().and_then(|cause| cause.missing.why),
        }
    }
}

#[cfg(test)]
mod tests;
