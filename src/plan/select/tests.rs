use super::*;
use crate::plan::config;

const CONFIG: &str = "workflows:
- {name: always}
- {name: docs, include_dirs: ['docs/*', '*.md'], job_types: [presubmit, postsubmit]}
- {name: nightly, include_dirs: ['docs/*'], job_types: [periodic]}
- {name: never, job_types: [presubmits]}
";

fn decided(job: JobType, files: &[&str]) -> Vec<String> {
    let config = config::read("prow_config.yaml", CONFIG).unwrap();
    let changes = Changes::Files(files.iter().map(|file| (*file).to_owned()).collect());
    let line = |one: &Decision<'_>| {
        let verb = if one.why.runs() { "runs" } else { "skips" };
        format!("{verb} {}: {}", one.workflow.name, one.why.words())
    };
    decide(&config, job, &changes).iter().map(line).collect()
}

#[test]
fn a_workflow_runs_for_its_types_and_for_a_file_of_its_own() {
    assert_eq!(
        decided(JobType::Presubmit, &["a.go", "x/README.md"]),
        [
            "runs always: it has no include_dirs",
            "runs docs: `x/README.md` matches `*.md`",
            "skips nightly: it is for periodic",
            "skips never: it is for no known type of job",
        ]
    );
    let skipped = &decided(JobType::Postsubmit, &["a.go", "b.go"])[1];
    assert_eq!(
        skipped,
        "skips docs: none of 2 changed files matches `docs/*`, `*.md`"
    );
    assert_eq!(
        decided(JobType::Postsubmit, &[])[1],
        "skips docs: no file is changed"
    );
    assert_eq!(
        decided(JobType::Periodic, &[])[2],
        "runs nightly: a periodic job ignores include_dirs"
    );
}

#[test]
fn a_merge_queue_runs_what_a_pull_request_does() {
    let batch = decided(JobType::Batch, &["docs/a"]);
    assert_eq!(batch[1], "runs docs: `docs/a` matches `docs/*`");
    assert!(batch[2].starts_with("skips nightly"), "{batch:?}");
}

#[test]
fn changes_are_asked_for_only_where_they_decide() {
    let config = config::read("prow_config.yaml", CONFIG).unwrap();
    assert!(needs_changes(&config, JobType::Presubmit));
    assert!(!needs_changes(&config, JobType::Periodic));
    let config = config::read("prow_config.yaml", "workflows: [{name: a}]").unwrap();
    assert!(!needs_changes(&config, JobType::Presubmit));
    let all = decide(
        &config,
        JobType::Presubmit,
        &Changes::All("of a tag".to_owned()),
    );
    assert_eq!(all[0].why, Why::Unconditional);
}

#[test]
fn a_name_with_a_line_end_stays_on_its_line() {
    let matched = Why::Matched {
        file: "a\n::error::x".to_owned(),
        pattern: "a\r*".to_owned(),
    };
    assert_eq!(matched.words(), "`a\\n::error::x` matches `a\\r*`");
}
