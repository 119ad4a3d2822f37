//! The action `run-notebook`: its steps, with inputs as a workflow of kubeflow/testing gives them.

use super::{Command, Ended, Instant, Machine, Path, Value, fs};
use crate::it::support::{self, Lane};

/// The steps of the action.
fn steps() -> serde_yaml::Value {
    let path = support::root().join("actions/run-notebook/action.yml");
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs the step that becomes the binary, as a runner does it.
fn run(machine: &Machine, with: &[(&str, &str)], more: &[(&str, &str)]) -> Ended {
    let action = steps();
    let step = &action["runs"]["steps"][1];
    let value = |template: &str| -> String {
        let Some((_, rest)) = template.split_once("${{ inputs.") else {
            return "null".to_owned();
        };
        let (name, unit) = rest.split_once(" }}").unwrap();
        let given = with.iter().find(|(known, _)| *known == name);
        let default = action["inputs"][name]["default"].as_str();
        let value = given.map_or(default.unwrap_or_default(), |(_, value)| value);
        format!("{value}{unit}")
    };
    let env = step["env"].as_mapping().unwrap().iter();
    let env = env.map(|(name, template)| {
        let (name, template) = (name.as_str().unwrap(), template.as_str().unwrap());
        (name.to_owned(), value(template))
    });
    let path = format!(
        "{}:{}",
        Path::new(&python()).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let log = fs::File::create(machine.path("log")).unwrap();
    let began = Instant::now();
    let child = Command::new("bash")
        .args(["-e", "-c", step["run"].as_str().unwrap()])
        .env_clear()
        .env("PATH", path)
        .env("HOME", machine.dir.path())
        .env("RUNNER_TEMP", machine.dir.path())
        .env(
            "GITHUB_ACTION_PATH",
            support::root().join("actions/run-notebook"),
        )
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", machine.path("output"))
        .envs(env)
        .env("INPUT_BINARY", support::binary())
        .envs(more.iter().copied())
        .current_dir(machine.dir.path())
        .stderr(log.try_clone().unwrap())
        .stdout(log)
        .spawn()
        .unwrap();
    machine.end(child, began)
}

fn python() -> String {
    let cache = std::env::var_os("SANDBOX_CACHE").unwrap_or_default();
    let python = Path::new(&cache).join("venv/bin/python");
    python.to_str().unwrap().to_owned()
}

#[test]
fn sandbox_their_inputs_run_a_notebook_here_with_or_without_a_cluster() {
    let Some(_turn) = support::sandbox(Lane::Cluster) else {
        return;
    };
    let machine = Machine::new();
    let wheel = super::wheel(machine.dir.path());
    fs::create_dir(machine.path("examples")).unwrap();
    // What it names lies beside it, and not where the step begins.
    fs::rename(&wheel, machine.path("examples/demo-1.0-py3-none-any.whl")).unwrap();
    machine.write("examples/requirements.txt", "-r more.txt\n");
    let wheel = machine.path("examples/demo-1.0-py3-none-any.whl");
    machine.write("examples/more.txt", &format!("{}\n", wheel.display()));
    let code = "import demo, os\nprint(demo.what, num_cpu + 1, name, os.environ.get('KUBECONFIG'))";
    machine.write(
        "train.ipynb",
        &super::notebooks::notebook(&[code, "assert num_cpu == 4, 'too few'"]),
    );
    let kubeconfig = machine.path("kubeconfig");
    let kubeconfig = kubeconfig.to_str().unwrap();
    let with = |parameters| {
        [
            ("notebook", "train.ipynb"),
            ("output", "out/train.ipynb"),
            ("parameters", parameters),
            ("requirements", "examples/requirements.txt"),
        ]
    };
    let failed = run(
        &machine,
        &with("-p num_cpu 3 -p name big"),
        &[("KUBECONFIG", kubeconfig)],
    );
    failed.ends_with(1);
    let said = format!("| of the wheel 4 big {kubeconfig}\n");
    assert!(failed.log.contains(&said), "{}", failed.log);
    assert!(failed.outputs["failure"].ends_with("AssertionError: too few"));
    let executed: Value = serde_json::from_str(&machine.text("out/train.ipynb")).unwrap();
    assert!(executed["cells"].to_string().contains("of the wheel 4 big"));

    let passed = run(&machine, &with("-p num_cpu 4 -r name 5"), &[]);
    passed.ends_with(0);
    assert!(
        passed.log.contains("| of the wheel 5 5 None\n"),
        "{}",
        passed.log
    );
    assert_eq!(passed.outputs["verdict"], "passed");
}

#[test]
fn their_inputs_are_refused_by_their_names() {
    let machine = Machine::new();
    machine.write("n.ipynb", &super::notebooks::notebook(&["1"]));
    for (name, value, cause) in [
        ("notebook", "", "notebook: it is required, and empty"),
        ("notebook", "none.ipynb", "cannot read `none.ipynb`"),
        ("requirements", "none.txt", "requirements: none.txt: "),
        ("parameters", "-y x", "parameters: `-y` is not known here"),
    ] {
        let ended = run(
            &machine,
            &[("notebook", "n.ipynb"), (name, value)][usize::from(name == "notebook")..],
            &[],
        );
        ended.ends_with(2);
        let failure = &ended.outputs["failure"];
        assert!(failure.contains(cause), "{failure}");
    }
}

#[test]
fn the_command_for_a_failure_reaches_bash_as_it_is() {
    let action = steps();
    let step = &action["runs"]["steps"][2];
    let command = "set -- \"a b\" 'c'; echo \"$1 $(echo $2)\" | tr a-z A-Z\nfalse\necho '${{ x }}'";
    let output = Command::new("bash")
        .args(["-e", "-c", step["run"].as_str().unwrap()])
        .env("ON_FAILURE", command)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "A B C\n${{ x }}\n");
    assert_eq!(step["continue-on-error"].as_bool(), Some(true));
}
