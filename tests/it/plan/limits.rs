//! What a plan may not be: empty by accident, too large for GitHub, impatient; and how it is made on a laptop.

use std::fs;

use serde_json::{Value, json};

use super::{
    super::support::binary,
    CONFIG, Job, push,
    repository::{Api, Mood, Repository},
};

#[test]
fn an_empty_matrix_never_passes_by_accident() {
    let (repository, before) = Repository::with(
        "workflows: [{name: docs, include_dirs: ['docs/*'], job_types: [postsubmit]}]",
    );
    let after = repository.commit(&[("first/a", "1")]);
    let job = |event, payload| {
        Job::of(event, payload)
            .at(&after)
            .clone_of(&repository, &after, None)
    };
    let unchanged = || job("push", push(&before, &after));
    let planned = unchanged().run();
    assert_eq!(planned.names(), Vec::<String>::new());
    assert_eq!(
        (
            planned.outputs["any"].as_str(),
            planned.outputs["matrix"].as_str()
        ),
        ("false", "{\"include\":[]}")
    );
    unchanged()
        .with("INPUT_EMPTY", "fail")
        .run()
        .refused(2, "no changed file asks for a workflow");
    // Nothing is changed, nothing is of this type, nothing is there.
    let still = || job("push", push(&after, &after));
    still()
        .run()
        .refused(2, "no file is changed: nothing would be tested");
    assert_eq!(
        still().with("INPUT_EMPTY", "pass").run().names(),
        Vec::<String>::new()
    );
    let periodic = job("schedule", json!({"schedule": "0 3 * * *"})).run();
    periodic.refused(
        2,
        "has no workflow for a periodic job: nothing would be tested",
    );
    assert!(
        periodic.said.contains("docs: it is for postsubmit"),
        "{}",
        periodic.said
    );
    let (nothing, first) = Repository::with("workflows: {}");
    let job = Job::of("schedule", json!({}))
        .at(&first)
        .clone_of(&nothing, &first, None);
    job.run().refused(2, "prow_config.yaml has no workflows");
}

#[test]
fn a_rate_limit_is_waited_for_and_one_that_is_too_long_is_told() {
    let (repository, before) = Repository::with(CONFIG);
    let after = repository.commit(&[("first/a", "1")]);
    let job = |spent| {
        let api = Api::of(
            &repository,
            Mood {
                spent,
                ..Mood::default()
            },
        );
        let job = Job::of("push", push(&before, &after))
            .at(&after)
            .asking(&api);
        (job, api)
    };
    let (waits, api) = job(1);
    let planned = waits.run();
    assert_eq!(planned.names(), ["first"]);
    assert!(
        planned.said.contains("API rate limit exceeded"),
        "{}",
        planned.said
    );
    let routes: Vec<String> = api.asked().into_iter().map(|(route, _)| route).collect();
    assert_eq!(
        routes[0], routes[1],
        "asked once more, and not at once thrice"
    );
    assert_ne!(routes[1], routes[2]);
    let (job, _api) = job(usize::MAX);
    let planned = job.with("INPUT_TIMEOUT", "900ms").run();
    planned.refused(3, "it may be asked again in");
}

#[test]
fn a_plan_that_github_would_cut_is_refused() {
    let many = vec!["{name: a}"; 129].join(", ");
    let (repository, _) = Repository::with(&format!("workflows: [{many}]"));
    let versions = "kubernetes: ['1.34', '1.35']\n";
    let first = repository.commit(&[("e2e/versions.yaml", versions)]);
    let job = || {
        Job::of("schedule", json!({}))
            .at(&first)
            .clone_of(&repository, &first, None)
    };
    job()
        .run()
        .refused(2, "the plan has 258 jobs, and GitHub runs at most 256");
    let long = format!(
        "workflows: [{{name: a, params: {{x: '{}'}}}}]",
        "x".repeat(600_000)
    );
    let (repository, first) = Repository::with(&long);
    let job = Job::of("schedule", json!({}))
        .at(&first)
        .clone_of(&repository, &first, None);
    job.run().refused(2, "bytes as GitHub counts them");
}

#[test]
fn versions_of_the_commit_multiply_the_jobs() {
    let (repository, _) = Repository::with("workflows: [{name: a}]");
    let first = repository.commit(&[(
        "e2e/versions.yaml",
        "kubernetes: ['1.34', '1.35']\nmanifests: [master]\n",
    )]);
    let job = Job::of("schedule", json!({}))
        .at(&first)
        .clone_of(&repository, &first, None)
        .with("INPUT_RELEASE", "true");
    let planned = job.run();
    let pairs: Vec<(Value, Value)> = planned
        .entries()
        .into_iter()
        .map(|one| (one["kubernetes"].clone(), one["namespace"].clone()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("1.34".into(), "kubeflow-releasing".into()),
            ("1.35".into(), "kubeflow-releasing".into())
        ]
    );
    let tag = &planned.outputs["version-tag"];
    assert!(
        tag.starts_with("v20") && tag.ends_with(&first[..8]) && tag.len() == 18,
        "{tag}"
    );
}

#[test]
fn a_laptop_plans_for_a_file_with_an_event() {
    let (repository, before) = Repository::with("workflows: [{name: of-the-commit}]");
    let after = repository.commit(&[("first/a", "1")]);
    let job = Job::of("push", push(&before, &after)).clone_of(&repository, &after, None);
    fs::write(job.dir.path().join("clone/prow_config.yaml"), CONFIG).unwrap();
    let event = job.dir.path().join("event.json");
    let output = std::process::Command::new(binary())
        .args(["plan", "--explain", "--event", event.to_str().unwrap()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", job.dir.path())
        .env("GITHUB_API_URL", "http://127.0.0.1:9")
        .current_dir(job.dir.path().join("clone"))
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{out}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        out.contains("runs   first: `first/a` matches `first/*`"),
        "{out}"
    );
    assert!(out.contains("skips  always: it is for presubmit"), "{out}");
    assert!(
        out.contains("1 of 3 workflows of prow_config.yaml run, as 1 job"),
        "{out}"
    );
    assert!(out.contains("prow-env=JOB_NAME=o-r-postsubmit,"), "{out}");
}
