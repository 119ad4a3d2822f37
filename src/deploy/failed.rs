//! An object that failed for good: the error, and what its user can do.

use crate::{
    api::ObjectId,
    deploy::{
        Deployment,
        error::{DeployError, trees},
    },
    pod::Why,
    ready::Missing,
};

impl Deployment<'_> {
    /// An object has failed and cannot recover.
    pub(super) fn failed(&mut self, at: usize) -> DeployError {
        self.culprit = Some(at);
        let item = &self.items[at];
        let missing = item.verdict.missing().cloned().unwrap_or_default();
        let was_sent = item.tries > 0;
        let object = &self.plan.objects[at].id;
        DeployError::Failed {
            cause: format!("{object} failed: {missing}"),
            tree: trees(&self.causes(), &format!("{object}: {missing}")),
            remedy: remedy(object, &missing, was_sent),
        }
    }
}

fn remedy(object: &ObjectId, missing: &Missing, was_sent: bool) -> String {
    if object.is("batch", "Job") && !was_sent {
        let namespace = object.namespace.as_deref().unwrap_or("default");
        return format!(
            "it failed before this deployment, and a Job that has failed does not run again: \
             `kubectl -n {namespace} delete job {}`, then deploy again",
            object.name
        );
    }
    let is_refused = matches!(
        missing.why,
        Some(Why::PodSecurity | Why::Quota | Why::Refused)
    );
    if is_refused && missing.pod.is_none() {
        return "the server refuses its pods: correct the pod template, or what forbids it"
            .to_owned();
    }
    "gather-logs has its log".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_fits_what_happened() {
        let id = |group: &str, kind: &str| ObjectId {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: Some("n".to_owned()),
            name: "a".to_owned(),
        };
        let crash = Missing::because(Why::Crash, "exit code 1");
        let refused = Missing::because(Why::PodSecurity, "violates PodSecurity");
        for (object, missing, was_sent, part) in [
            (
                id("batch", "Job"),
                &crash,
                false,
                "`kubectl -n n delete job a`",
            ),
            (id("batch", "Job"), &crash, true, "gather-logs"),
            (id("apps", "Deployment"), &refused, true, "pod template"),
            (id("apps", "Deployment"), &refused, false, "pod template"),
        ] {
            let said = remedy(&object, missing, was_sent);
            assert!(said.contains(part), "{object}: {said}");
        }
    }
}
