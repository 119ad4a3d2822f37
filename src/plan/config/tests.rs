mod schema;

use serde_json::json;

use super::*;

fn prow(text: &str) -> Config {
    read("prow_config.yaml", text).unwrap()
}

fn refused(file: &str, text: &str) -> String {
    read(file, text).unwrap_err().to_string()
}

#[test]
fn every_field_of_prow_is_read_with_its_default() {
    let config = prow(
        "workflows:\n- name: a\n  app_dir: o/r/test/workflows\n  component: workflows\n  job_types: [presubmit, periodic]\n  \
         include_dirs: ['pkg/*']\n  params: {platform: minikube, cpu: 2, flag: yes, mode: 010}\n- name: b\n  py_func: m.f\n  kwargs: {x: \
         1}\n- name: c\n  tekton_run: o/r/run.yaml\n  tekton_params: [{name: p, value: v}]\n  tekton_teardown: o/r/down.yaml\n  \
         tekton_teardown_params: [{name: q, value: w}]\npython_paths: [o/r/py, o/s/py]\n",
    );
    assert_eq!(config.warnings, Vec::<String>::new());
    let [a, b, c] = &config.workflows[..] else {
        panic!("{config:?}")
    };
    assert_eq!(a.job_types, [JobType::Presubmit, JobType::Periodic]);
    assert_eq!(a.include_dirs, ["pkg/*"]);
    let params = json!({"platform": "minikube", "cpu": 2, "flag": true, "mode": 8});
    assert_eq!(a.body["params"], params);
    assert_eq!(
        (a.text("app_dir"), a.text("component")),
        ("o/r/test/workflows", "workflows")
    );
    assert_eq!(
        (b.text("py_func"), &b.body["kwargs"]),
        ("m.f", &json!({"x": 1}))
    );
    assert_eq!(
        c.body["tekton_params"],
        json!([{"name": "p", "value": "v"}])
    );
    assert_eq!(
        c.body["tekton_teardown_params"],
        json!([{"name": "q", "value": "w"}])
    );
    assert!(!b.for_some && b.include_dirs.is_empty() && b.text("app_dir").is_empty());
    assert_eq!(b.body["params"], json!({}));
    assert_eq!(b.body["tekton_params"], json!([]));
    assert_eq!(config.python_paths, ["o/r/py", "o/s/py"]);
}

#[test]
fn what_repositories_have_had_means_what_it_meant_to_prow() {
    let config = prow("workflows:\n- name: a\n  job_types:\n  include_dirs:\n  kw_args: {}\n");
    assert!(!config.workflows[0].for_some, "no value is no condition");
    assert_eq!(
        config.warnings,
        ["workflow 1 (`a`) has a field `kw_args`, which means nothing"]
    );
    for none in ["workflows: {}", "workflows: []", "workflows:"] {
        assert_eq!(prow(none).workflows, []);
    }
    let config =
        prow("workflows:\n- name: a\n  job_types: presubmit\n  include_dirs: py/*,hack/*\n");
    let one = &config.workflows[0];
    assert_eq!(
        (&one.job_types[..], one.for_some),
        (&[JobType::Presubmit][..], true)
    );
    assert!(
        one.include_dirs.contains(&"*".to_owned()),
        "any change starts it"
    );
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    let config = prow("workflows:\n- name: a\n  job_types: [presubmits]\n");
    assert!(config.workflows[0].for_some && config.workflows[0].job_types.is_empty());
    assert!(
        config.warnings[0].contains("no job is of type \"presubmits\""),
        "{:?}",
        config.warnings
    );
}

#[test]
fn what_is_commented_out_counts_for_nothing_however_much_it_is() {
    let comments = "  # - name: b\n".repeat(400);
    let config = prow(&format!(
        "workflows:\n{comments}  - name: a\n{comments}python_paths: []\n"
    ));
    assert_eq!(config.workflows.len(), 1);
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    for (text, said) in [
        ("- a\n", "it is no mapping with `workflows`"),
        ("", "it is no mapping with `workflows`"),
        ("python_paths: []\n", "it has no `workflows`"),
        ("workflows: x\n", "`workflows` is no list"),
        ("workflows: [x]\n", "workflow 1 is no mapping"),
        ("workflows: [{component: a}]\n", "workflow 1 has no `name`"),
        (
            "workflows: [{name: a}, {name: b, params: []}]\n",
            "workflow 2 (`b`): `params` is no mapping",
        ),
        (
            "workflows: [{name: a, include_dirs: [1]}]\n",
            "workflow 1 (`a`): 1 in `include_dirs` is no pattern; put it into quotes",
        ),
        (
            "workflows: []\npython_paths: [../x/y]\n",
            "`../x/y` in `python_paths` is not of the form owner/name/path",
        ),
    ] {
        let expected = format!("prow_config.yaml: {said}");
        assert_eq!(refused("prow_config.yaml", text), expected, "{text}");
    }
    let twice = refused("prow_config.yaml", "workflows: []\nworkflows: []\n");
    assert!(twice.contains("is there already"), "{twice}");
    let broken = refused(
        "prow_config.yaml",
        "workflows:\n- include_dirs:\n  - *.md\n",
    );
    assert!(broken.contains("line 3"), "{broken}");
}

#[test]
fn ours_refuses_what_prow_lets_pass() {
    for (text, said) in [
        (
            "workflows: [{name: a, kw_args: {}}]",
            "workflow 1 (`a`) has a field `kw_args`, which means nothing; known are name",
        ),
        (
            "workflows: [{name: a, job_types: presubmit}]",
            "workflow 1 (`a`): `job_types` is no list",
        ),
        (
            "workflows: [{name: a, job_types: [x]}]",
            "workflow 1 (`a`): no job is of type \"x\"",
        ),
        (
            "workflows: [{name: a, include_dirs: 'a/*'}]",
            "workflow 1 (`a`): `include_dirs` is no list",
        ),
        ("workflows: {}", "`workflows` is no list"),
        (
            "workflows: []\nmore: 1",
            "the top has a field `more`, which means nothing",
        ),
    ] {
        let found = refused("test/e2e.yaml", text);
        assert!(
            found.starts_with(&format!("test/e2e.yaml: {said}")),
            "{found}"
        );
    }
}

#[test]
fn python_paths_are_those_of_prow() {
    let config = prow(
        "workflows: [{name: a, py_func: m.f}]\npython_paths: ['${REPO_OWNER}/${REPO_NAME}/some/path', kubeflow/kfctl/py]\n",
    );
    assert_eq!(
        python_path(&config, "kubeflow", "manifests"),
        "kubeflow/manifests/some/path:kubeflow/kfctl/py:kubeflow/testing/py"
    );
    assert_eq!(
        repositories(&config, "kubeflow", "manifests"),
        ["kubeflow/kfctl", "kubeflow/testing"]
    );
    let none = prow("workflows: [{name: a, app_dir: o/r/x}]\n");
    assert_eq!(python_path(&none, "o", "r"), "");
    assert_eq!(repositories(&none, "o", "r"), Vec::<String>::new());
    let first = prow("workflows: []\npython_paths: [kubeflow/testing/py, o/r/py]\n");
    assert_eq!(python_path(&first, "o", "r"), "kubeflow/testing/py:o/r/py");
}
