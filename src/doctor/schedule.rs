//! Workflows on a schedule, read from a checkout: whether one of them reaps.

use std::{fs, path::Path};

use serde_yaml::Value;

/// A workflow of the checkout that runs on a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScheduledWorkflow {
    /// Its path in the repository.
    pub(super) path: String,
    /// Whether it runs `reap`.
    pub(super) reaps: bool,
}

/// Those of a checkout; `None` where there is no checkout, or one without workflows.
pub(super) fn read(checkout: &Path) -> Option<Vec<ScheduledWorkflow>> {
    let folder = ".github/workflows";
    let mut names: Vec<_> = fs::read_dir(checkout.join(folder))
        .ok()?
        .filter_map(|one| Some(one.ok()?.file_name()))
        .collect();
    names.sort();
    let read = names.iter().filter_map(|name| {
        let name = name.to_str()?;
        let kind = Path::new(name).extension()?.to_str()?;
        if !matches!(kind, "yml" | "yaml") {
            return None;
        }
        let text = fs::read_to_string(checkout.join(folder).join(name)).ok()?;
        Some(ScheduledWorkflow {
            path: format!("{folder}/{name}"),
            reaps: scheduled(&text)?,
        })
    });
    Some(read.collect())
}

/// Whether a workflow reaps; `None` for one without a schedule.
fn scheduled(text: &str) -> Option<bool> {
    let workflow: Value = serde_yaml::from_str(text).ok()?;
    workflow.get("on")?.get("schedule")?;
    let jobs = workflow.get("jobs")?.as_mapping()?;
    let steps = jobs
        .iter()
        .filter_map(|(_, job)| job.get("steps")?.as_sequence())
        .flatten();
    let says = |step: &Value, key: &str, texts: &[&str]| {
        let said = step.get(key).and_then(Value::as_str).unwrap_or_default();
        texts.iter().any(|text| said.contains(text))
    };
    let reaps = |step: &Value| {
        says(step, "uses", &["actions/reap"])
            || says(step, "run", &["manifests-e2e reap", "run.sh reap"])
    };
    Some(steps.into_iter().any(reaps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_janitor_is_seen() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = read(checkout).unwrap();
        let reaps: Vec<&ScheduledWorkflow> = found.iter().filter(|one| one.reaps).collect();
        assert_eq!(reaps.len(), 1, "{found:?}");
        assert_eq!(reaps[0].path, ".github/workflows/reap.yml");
        assert_eq!(read(&checkout.join("src")), None);
    }

    #[test]
    fn a_schedule_or_a_janitor_alone_is_not_both() {
        let steps = "jobs: {a: {steps: [{uses: o/r/actions/reap@v1}]}}";
        assert_eq!(
            scheduled(&format!(
                "on: {{schedule: [{{cron: '1 * * * *'}}]}}\n{steps}"
            )),
            Some(true)
        );
        assert_eq!(scheduled(&format!("on: [push]\n{steps}")), None);
        assert_eq!(
            scheduled("on: {schedule: [{cron: '1 * * * *'}]}\njobs: {a: {steps: [{run: make}]}}"),
            Some(false)
        );
        assert_eq!(
            scheduled("on: {schedule: []}\njobs: {a: {uses: o/r/.github/workflows/x.yml@v1}}"),
            Some(false)
        );
    }
}
