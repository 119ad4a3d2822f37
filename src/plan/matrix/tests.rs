use super::*;
use crate::plan::{changes::Changes, config, job::JobType, select, subject, versions};

fn subject() -> Subject {
    let payload: subject::Payload = serde_json::from_value(json!({})).unwrap();
    let beside = subject::Beside {
        repository: Some("o/r"),
        ..subject::Beside::default()
    };
    subject::of("schedule", &payload, beside).unwrap()
}

fn made(workflows: &str, versions: Option<&str>) -> Result<Vec<Value>, MatrixError> {
    let config = config::read("prow_config.yaml", &format!("workflows: {workflows}")).unwrap();
    let decisions = select::decide(&config, JobType::Periodic, &Changes::All(String::new()));
    let versions = versions::combinations("x", versions).unwrap();
    let labels = BTreeMap::from([("JOB_NAME".to_owned(), "job".to_owned())]);
    let subject = subject();
    let common = Common {
        subject: &subject,
        job_name: "job",
        build: Some("12345"),
        run: "1-2-1",
        namespace: "kubeflow-test-infra",
        labels: &labels,
    };
    jobs(&decisions, &versions, common)
}

#[test]
fn a_job_has_every_field_and_what_its_function_is_given() {
    let jobs = made("[{name: a, py_func: m.f, kwargs: {x: 1, name: mine}}, {name: b, component: c, params: {p: q}}]", Some("kubernetes: ['1.35']")).unwrap();
    let [a, b] = &jobs[..] else {
        panic!("{jobs:?}")
    };
    let run = a["run_name"].as_str().unwrap();
    assert!(run.starts_with("job-a-2345-"), "{run}");
    let kwargs =
        json!({"x": 1, "name": run, "namespace": "kubeflow-test-infra", "test_target_name": "a"});
    assert_eq!(a["kwargs"], kwargs);
    assert_eq!(
        (&a["kubernetes"], &a["params"], &a["app_dir"]),
        (&json!("1.35"), &json!({}), &json!(""))
    );
    let labels = json!({"JOB_NAME": "job", "workflow": b["run_name"], "workflow_template": "c"});
    assert_eq!((&b["labels"], &b["kwargs"]), (&labels, &json!({})));
    assert_eq!(b["params"], json!({"p": "q"}));
    let value: Value = serde_json::from_str(&text(&jobs)).unwrap();
    assert_eq!(value["include"], json!(jobs));
}

#[test]
fn no_two_jobs_have_one_name() {
    let many = vec!["{name: a}"; 200].join(", ");
    let jobs = made(&format!("[{many}]"), None).unwrap();
    let names: BTreeSet<&str> = jobs
        .iter()
        .map(|job| job["run_name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 200);
}

#[test]
fn too_many_jobs_are_counted_and_not_cut() {
    let many = vec!["{name: a}"; 128].join(", ");
    assert_eq!(
        made(&format!("[{many}]"), Some("v: ['1', '2']"))
            .unwrap()
            .len(),
        256
    );
    let error = made(&format!("[{many}, {{name: b}}]"), Some("v: ['1', '2']")).unwrap_err();
    let said = "the plan has 258 jobs, and GitHub runs at most 256 of one matrix: 129 workflows on 2 versions";
    assert_eq!(error.to_string(), said);
}

#[test]
fn an_output_counts_as_github_counts() {
    // Two bytes a letter, also for one that is three in UTF-8, and four for one outside of the first plane.
    let half = "a".repeat(MOST_OUTPUT / 2);
    assert!(fits([("matrix", half.as_str())]).is_ok());
    let euro = "€".repeat(MOST_OUTPUT / 2);
    assert!(fits([("matrix", euro.as_str())]).is_ok());
    let error = fits([("any", "true"), ("matrix", half.as_str())]).unwrap_err();
    assert!(
        error.to_string().contains("have 1048584 bytes") && error.to_string().contains("`matrix`"),
        "{error}"
    );
    let wide = "😀".repeat(MOST_OUTPUT / 4 + 1);
    assert!(fits([("matrix", wide.as_str())]).is_err());
}
