//! The status of the commit and the check run.

use std::fs;

use serde_json::{Value, json};

use super::{
    super::support::github::forge::{Fault, Forge, Repository, Token},
    DEPLOYED, FAILED, HEAD, HOSTILE, Job, bundle, crash,
};

fn texts(statuses: &[Value], key: &str) -> Vec<String> {
    statuses
        .iter()
        .map(|one| one[key].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// State and description of the last status.
fn last(repository: &Repository) -> (String, String) {
    let states = texts(&repository.statuses, "state");
    let descriptions = texts(&repository.statuses, "description");
    (
        states.last().unwrap().clone(),
        descriptions.last().unwrap().clone(),
    )
}

/// A job that says nothing on the pull request.
fn on(forge: &Forge) -> Job {
    Job::on(forge).with("INPUT_TO", "status,check")
}

/// How many statuses and check runs there are.
fn counts(forge: &Forge) -> (usize, usize) {
    let repository = forge.repository();
    (repository.statuses.len(), repository.checks.len())
}

#[test]
fn a_job_is_pending_and_then_what_it_came_to() {
    let forge = Forge::with(HEAD);
    let pending = on(&forge).with("INPUT_STATE", "pending").run().passed();
    assert_eq!(pending.outputs["told"], "status,check");
    let job = on(&forge)
        .after(&[FAILED])
        .gathered(&crash())
        .run()
        .passed();
    assert_eq!(job.outputs["state"], "failure");
    let repository = forge.repository();
    assert_eq!(texts(&repository.statuses, "state"), ["pending", "failure"]);
    assert_eq!(texts(&repository.statuses, "context"), ["e2e / e2e"; 2]);
    assert_eq!(
        last(&repository).1,
        "deploy-manifests: Deployment sample/web is not ready"
    );
    let page = "https://github.com/o/r/actions/runs/42/attempts/1";
    assert_eq!(texts(&repository.statuses, "target_url"), [page; 2]);
    // One check run, which has changed.
    let [check] = repository.checks.as_slice() else {
        panic!("{:?}", repository.checks);
    };
    assert_eq!(
        (&check["status"], &check["conclusion"]),
        (&json!("completed"), &json!("failure"))
    );
    assert_eq!(check["head_sha"], HEAD);
    let summary = check["output"]["summary"].as_str().unwrap();
    assert!(
        summary.contains("Deployment sample/web: exit code 1"),
        "{summary}"
    );
}

#[test]
fn an_error_is_not_told_as_a_failure_and_never_as_a_pass() {
    for (stage, status, conclusion) in [
        (DEPLOYED, "success", "success"),
        (FAILED, "failure", "failure"),
        (
            ("install-kind", Some(3), "no disk"),
            "error",
            "action_required",
        ),
        (
            ("teardown", Some(4), "1 is left"),
            "error",
            "action_required",
        ),
        (("deploy-manifests", None, ""), "error", "action_required"),
    ] {
        let forge = Forge::with(HEAD);
        let job = on(&forge).after(&[stage]);
        job.run().passed();
        let repository = forge.repository();
        assert_eq!(last(&repository).0, status, "{stage:?}");
        assert_eq!(repository.checks[0]["conclusion"], conclusion, "{stage:?}");
    }
    let forge = Forge::with(HEAD);
    let job = on(&forge)
        .with("JOB_STATUS", "cancelled")
        .after(&[DEPLOYED]);
    job.run().passed();
    assert_eq!(last(&forge.repository()).0, "error");
    assert_eq!(forge.repository().checks[0]["conclusion"], "cancelled");
}

#[test]
fn nothing_is_told_of_a_job_that_showed_nothing() {
    let forge = Forge::with(HEAD);
    let job = on(&forge).run();
    job.refused("nothing says how this job stands");
    let job = on(&forge).with("INPUT_BUNDLE", "nowhere.zip").run();
    job.refused("cannot read the bundle nowhere.zip");
    let job = on(&forge).with("INPUT_TO", "status,letter").run();
    job.refused("`letter` is none of");
    let job = on(&forge).with("INPUT_SHA", &HEAD[..7]).run();
    job.refused("not the whole SHA of a commit");
    let job = on(&forge).with("INPUT_URL", "javascript:alert(1)").run();
    job.refused("its scheme is javascript");
    assert_eq!(forge.asked(), [""; 0]);
}

#[test]
fn another_job_tells_by_the_bundle() {
    let forge = Forge::with(HEAD);
    let job = on(&forge);
    let pressure = json!([{"class": "NodePressure", "affects": ["Node a"], "cause": "disk"}]);
    let file = bundle(job.dir.path(), &pressure, &[FAILED]);
    let job = job
        .with("INPUT_BUNDLE", file.to_str().unwrap())
        .run()
        .passed();
    // What explains it is the machine's.
    assert_eq!(job.outputs["state"], "error");
    let summary = forge.repository().checks[0]["output"]["summary"].to_string();
    assert!(
        summary.contains("node under pressure: Node a: disk"),
        "{summary}"
    );
}

#[test]
fn an_older_attempt_and_an_older_run_change_nothing() {
    let forge = Forge::with(HEAD);
    let newer = on(&forge)
        .with("GITHUB_RUN_ATTEMPT", "2")
        .after(&[DEPLOYED]);
    newer.run().passed();
    for (run, attempt) in [(42, "1"), (41, "9")] {
        let older = on(&forge).run_of(run).with("GITHUB_RUN_ATTEMPT", attempt);
        let older = older.after(&[FAILED]).run().passed();
        assert_eq!(older.outputs["told"], "");
        assert!(
            older.said.contains("a newer run has told its result"),
            "{}",
            older.said
        );
    }
    assert_eq!(texts(&forge.repository().statuses, "state"), ["success"]);
    assert_eq!(forge.repository().checks.len(), 1);
    // The next one does.
    on(&forge).run_of(43).after(&[FAILED]).run().passed();
    assert_eq!(last(&forge.repository()).0, "failure");
    assert_eq!(forge.repository().checks.len(), 2);
}

#[test]
fn what_limits_and_loses_is_waited_for_and_nothing_is_told_twice() {
    let faults: [(&str, Fault); 7] = [
        ("POST", Fault::Throttled(1)),
        ("GET", Fault::Throttled(1)),
        ("POST", Fault::Spent(0)),
        ("POST", Fault::Unavailable),
        ("GET", Fault::Unavailable),
        ("POST", Fault::LostRequest),
        ("POST", Fault::LostAnswer),
    ];
    std::thread::scope(|scope| {
        for (number, (place, fault)) in faults.into_iter().enumerate() {
            scope.spawn(move || {
                let forge = Forge::with(HEAD);
                // Once for each of the two places.
                forge.trouble(place, 1, fault.clone());
                let job = on(&forge).after(&[FAILED]).run().passed();
                assert_eq!(
                    job.outputs["told"], "status,check",
                    "{number}: {}",
                    job.said
                );
                assert_eq!(
                    forge.repository().statuses.len(),
                    1,
                    "{number}: {}",
                    job.said
                );
                assert_eq!(forge.repository().checks.len(), 1, "{number}");
            });
        }
        scope.spawn(|| {
            let forge = Forge::with(HEAD);
            forge.trouble("POST /api/v3/repos/o/r/check-runs", 1, Fault::LostAnswer);
            on(&forge).after(&[FAILED]).run().passed();
            assert_eq!(forge.repository().checks.len(), 1);
        });
    });
}

#[test]
fn what_github_does_not_take_is_a_warning() {
    let tell = |forge: &Forge, limit: &str| {
        let job = on(forge).after(&[FAILED]).with("INPUT_TIMEOUT", limit);
        job.run().passed()
    };
    let with = |token: Token| {
        let forge = Forge::with(HEAD);
        forge.repository().tokens.insert("token".to_owned(), token);
        forge
    };
    // The token of a fork's pull request.
    let forge = with(Token {
        may: &[],
        ..Token::default()
    });
    let job = tell(&forge, "15s");
    assert_eq!(
        (job.outputs["told"].as_str(), job.outputs["state"].as_str()),
        ("", "failure")
    );
    assert!(
        job.said.contains("::warning title=publish::"),
        "{}",
        job.said
    );
    let said = "status: GitHub could not be told: 403: Resource not accessible by integration; the job needs `statuses: write`";
    assert!(job.said.contains(said), "{}", job.said);
    assert_eq!(
        forge.count("POST"),
        2,
        "a refusal is an answer: {:?}",
        forge.asked()
    );
    // One that ends in the middle.
    let forge = with(Token {
        left: 2,
        ..Token::default()
    });
    let job = tell(&forge, "15s");
    assert_eq!(job.outputs["told"], "status");
    assert!(
        job.said
            .contains("check: GitHub could not be told: 401: Bad credentials"),
        "{}",
        job.said
    );
    // A limit that lasts longer than there is time, and one that asks again and again.
    let forge = Forge::with(HEAD);
    forge.trouble("POST", usize::MAX, Fault::Spent(3000));
    let job = tell(&forge, "10s");
    assert!(
        job.said.contains("it may be asked again in 50m"),
        "{}",
        job.said
    );
    assert_eq!(
        forge.count("POST"),
        2,
        "who is limited does not ask on: {:?}",
        forge.asked()
    );
    let forge = Forge::with(HEAD);
    forge.trouble("", usize::MAX, Fault::LostRequest);
    let job = tell(&forge, "4s");
    assert_eq!(job.outputs["told"], "");
    // No token at all, and nobody there.
    let forge = Forge::with(HEAD);
    let job = on(&forge)
        .with("GITHUB_TOKEN", "")
        .after(&[FAILED])
        .run()
        .passed();
    assert!(
        job.said.contains("the step has no GITHUB_TOKEN"),
        "{}",
        job.said
    );
    let job = on(&forge).with("GITHUB_API_URL", "http://127.0.0.1:9");
    let job = job
        .with("INPUT_TIMEOUT", "4s")
        .after(&[FAILED])
        .run()
        .passed();
    assert_eq!(job.outputs["told"], "");
}

#[test]
fn what_github_forgets_is_told_by_the_next_step() {
    let forge = Forge::with(HEAD);
    forge.trouble("POST", 2, Fault::Forgotten);
    let job = || on(&forge).after(&[FAILED]).run().passed();
    job();
    assert!(forge.repository().statuses.is_empty());
    job();
    assert_eq!(counts(&forge), (1, 1));
    // The same again says nothing new.
    job();
    assert_eq!(counts(&forge), (1, 1));
}

#[test]
fn a_failed_object_is_annotated_where_it_is_written() {
    let forge = Forge::with(HEAD);
    let job = on(&forge).after(&[FAILED]).gathered(&crash());
    let base = job.dir.path().join("apps/base");
    fs::create_dir_all(&base).unwrap();
    let web = "# the web\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";
    fs::write(base.join("web.yaml"), web).unwrap();
    job.with("INPUT_SOURCES", "./apps").run().passed();
    let repository = forge.repository();
    let annotations = repository.checks[0]["output"]["annotations"]
        .as_array()
        .unwrap();
    let [one] = annotations.as_slice() else {
        panic!("{annotations:?}");
    };
    assert_eq!(
        (&one["path"], &one["start_line"]),
        (&json!("apps/base/web.yaml"), &json!(2))
    );
}

#[test]
fn text_of_a_pull_request_and_of_a_pod_is_data() {
    let forge = Forge::with(HEAD);
    let because =
        json!([{"class": HOSTILE, "affects": [HOSTILE], "cause": format!("```\n{HOSTILE}")}]);
    let job = on(&forge)
        .after(&[("deploy-manifests", Some(1), HOSTILE)])
        .gathered(&because);
    let job = job
        .with("INPUT_NAME", HOSTILE)
        .with("MY_PASSWORD", "a-secret-of-this-step")
        .with("INPUT_CAUSE", format!("{HOSTILE} a-secret-of-this-step"))
        .run()
        .passed();
    assert_eq!(job.outputs["state"], "failure");
    let is_command = |line: &str| line.starts_with("::set-output");
    assert!(!job.said.lines().any(is_command), "{}", job.said);
    for entry in fs::read_dir(job.dir.path()).unwrap() {
        assert_ne!(entry.unwrap().file_name(), "pwned");
    }
    let repository = forge.repository();
    let all = format!("{:?} {:?}", repository.statuses, repository.checks);
    assert!(!all.contains("a-secret-of-this-step"), "{all}");
    let context = texts(&repository.statuses, "context");
    assert!(
        !context[0].contains('\n') && context[0].chars().count() <= 120,
        "{context:?}"
    );
}
