//! Jobs that failed.

use super::{Finding, Scene};
use crate::{
    logs::{diagnose::Class, snapshot::text},
    pod::brief,
};

/// Each Job that failed, and was not made good by a later one.
pub(super) fn jobs(scene: &Scene<'_>) -> Vec<Finding> {
    let jobs = scene.index.of_kind("batch", "Job").iter();
    let failed = jobs.filter(|job| job.is("Failed", "True") && !scene.index.is_made_good(job));
    failed
        .filter_map(|job| {
            let failed = job.condition("Failed")?;
            let (reason, message) = (text(failed, "/reason"), text(failed, "/message"));
            let said = format!("the Job failed: {reason}: {}", brief(message));
            let since = text(failed, "/lastTransitionTime").parse().ok();
            let finding = Finding::new(Class::JobFailed, scene.index.owner(job), said)
                .shown([scene.evidence(job, message)])
                .since(since);
            Some(finding)
        })
        .collect()
}
