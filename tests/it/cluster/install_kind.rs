//! `install-kind` on this machine, from the record that `provision-ec2` leaves, as a process of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use manifests_e2e::{
    inputs::Environment,
    limits::{Deadline, Limit},
    provider::{Owner, Provider as _, Resource, local::Local},
    record::Store,
    run::Run,
    wait,
};

use crate::it::support;

/// The state of a job of its own, with this machine as the host.
async fn job(dir: &Path) -> (Run, Local) {
    let mut store = Store::open_in(dir.join("manifests-e2e"), None).unwrap();
    let provider = Local::new(&Environment::of_process());
    let launched = provider.launch(&mut store, soon()).await.unwrap();
    store
        .update(|record| record.host = Some(launched.host))
        .unwrap();
    (store.run().clone(), provider)
}

fn soon() -> Deadline {
    Deadline::after(Limit::secs(120))
}

fn install(dir: &Path, arguments: &[&str]) -> std::process::Output {
    command(dir, arguments).output().unwrap()
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(support::binary());
    command.arg("install-kind").args(arguments);
    for name in [
        "GITHUB_ACTIONS",
        "GITHUB_RUN_ID",
        "GITHUB_OUTPUT",
        "KUBECONFIG",
    ] {
        command.env_remove(name);
    }
    command.env("RUNNER_TEMP", dir);
    command
}

#[tokio::test]
async fn sandbox_a_local_cluster_is_ready_found_by_name_and_gone() {
    let Some(_turn) = support::sandbox(support::Lane::Machine) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (run, provider) = job(dir.path()).await;
    let output = install(dir.path(), &["--cluster", "it"]);
    let found = provider.find(&Owner::job(&run), soon()).await.unwrap();
    let pods = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(dir.path().join("manifests-e2e/kubeconfig"))
        .args([
            "-n",
            "kube-system",
            "get",
            "pods",
            "-l",
            "k8s-app in (kube-dns,kube-proxy)",
        ])
        .args([
            "-o",
            "jsonpath={.items[*].status.containerStatuses[*].ready}",
        ])
        .output()
        .unwrap();
    // Whatever was made goes first, so that a failure leaves nothing.
    provider
        .destroy(&Owner::run(&run.id), None, soon())
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(found.len(), 1, "{found:?}");
    let ready = String::from_utf8_lossy(&pods.stdout);
    assert!(
        ready.contains("true"),
        "neither DNS nor kube-proxy is ready: {ready}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("kubernetes-version=v1."), "{stdout}");
    assert!(
        !stderr.contains("Have a nice day"),
        "kind says it is ready before it is: {stderr}"
    );
    let left = provider
        .prove_gone(&Owner::run(&run.id), soon())
        .await
        .unwrap();
    assert_eq!(left, []);
}

#[tokio::test]
async fn sandbox_a_creation_that_outlives_its_killed_parent_is_found_and_ended() {
    let Some(_turn) = support::sandbox(support::Lane::Machine) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (run, provider) = job(dir.path()).await;
    let owner = Owner::run(&run.id);
    let mut child = command(dir.path(), &["--cluster", "killed"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // From its node on, there is something that outlives kind, too.
    let is_made = |found: &[Resource]| found.iter().any(|one| one.state != "creating");
    while !is_made(&provider.find(&owner, soon()).await.unwrap()) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it began");
        wait::pause(Duration::from_millis(100)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let ended = provider.destroy(&owner, None, soon()).await.unwrap();
    assert_eq!(ended.found.len(), 1, "{ended:?}");
    // What kind was about to make would be there by then.
    for _ in 0..5 {
        assert_eq!(provider.prove_gone(&owner, soon()).await.unwrap(), []);
        wait::pause(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn sandbox_what_cannot_be_is_said_before_anything_is_made() {
    let Some(_turn) = support::sandbox(support::Lane::Machine) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (run, provider) = job(dir.path()).await;
    let mounts = |name: &str, path: &str| {
        let text = format!("nodes:\n- extraMounts: [{{hostPath: {path}, containerPath: /x}}]\n");
        configuration(dir.path(), name, &text)
    };
    let (tilde, absent) = (mounts("tilde", "~/x"), mounts("absent", "/absent/x"));
    for (arguments, exit, said) in [
        (&["--config", &tilde][..], 2, "the nodes cannot mount ~/x"),
        (
            &["--config", &absent],
            2,
            "the nodes cannot mount /absent/x: it is not there",
        ),
        (
            &["--kubernetes-version", "1.20", "--node-image="],
            2,
            "no node image is known for v1.20",
        ),
        (&["--cluster", "A_b"], 2, "`A_b` is no name of a cluster"),
        (&["--registry-mirrors", "gcr"], 2, "`gcr` names no mirror"),
        (&["--config", "/absent.yaml"], 2, "cannot read /absent.yaml"),
        (&["--tools-dir", "/absent"], 2, "/absent is no directory"),
        (
            &["--node-image", "127.0.0.1:1/node:v1.35.4"],
            3,
            "cannot pull the node image",
        ),
    ] {
        let output = install(dir.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains(said) && stderr.contains("hint: "),
            "{stderr}"
        );
        assert!(!stderr.contains("left behind"), "{stderr}");
    }
    assert_eq!(provider.find(&Owner::job(&run), soon()).await.unwrap(), []);
}

/// A KinD configuration in a file; its path.
fn configuration(dir: &Path, name: &str, text: &str) -> String {
    let file = dir.join(name);
    let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    std::fs::write(&file, format!("{head}{text}")).unwrap();
    file.display().to_string()
}

/// Both of the settings that a containerd of today refuses together.
const MIRRORS: &str = r#"containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."localhost:5001"]
    endpoint = ["http://kind-registry:5000"]
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_what_a_configuration_leaves_out_is_not_waited_for_and_what_it_breaks_is_named() {
    let Some(_turn) = support::sandbox(support::Lane::Machine) else {
        return;
    };
    let begun = Instant::now();
    let make = async |name: &str, text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let (run, provider) = job(dir.path()).await;
        let file = configuration(dir.path(), "kind.yaml", text);
        let mut installing = command(dir.path(), &["--cluster", name, "--config", &file]);
        let output = tokio::task::spawn_blocking(move || installing.output().unwrap());
        let output = output.await.unwrap();
        let owner = Owner::run(&run.id);
        provider.destroy(&owner, None, soon()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let ((bare, bare_said), (broken, broken_said)) = tokio::join!(
        make("bare", "name: named\nnetworking: {kubeProxyMode: none}\n"),
        make("broken", MIRRORS),
    );

    assert_eq!(bare, Some(0), "{bare_said}");
    assert!(
        bare_said.contains("the cluster has no kube-proxy"),
        "{bare_said}"
    );
    assert!(bare_said.contains("the name named in the configuration is not used"));
    assert_eq!(broken, Some(3), "{broken_said}");
    let sentence = "`mirrors` cannot be set when `config_path` is provided";
    let line = broken_said.lines().find(|line| line.starts_with("error:"));
    assert!(
        line.is_some_and(|line| line.contains(sentence)),
        "{broken_said}"
    );
    assert!(
        begun.elapsed() < support::within(Duration::from_secs(110)),
        "{:?}",
        begun.elapsed()
    );
}

/// A container as kind leaves it of a node, but with nothing in it.
fn node_of(cluster: &str) {
    let label = format!("io.x-k8s.kind.cluster={cluster}");
    let image = std::env::var("KIND_NODE_IMAGE").unwrap();
    let made = Command::new("docker")
        .args(["create", "--label", &label, &image])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[tokio::test]
async fn sandbox_a_cluster_of_an_exact_name_is_its_jobs_alone_and_goes_by_the_record() {
    let Some(_turn) = support::sandbox(support::Lane::Machine) else {
        return;
    };
    let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (run, provider) = job(mine.path()).await;
    job(theirs.path()).await;
    let mut store = Store::open_in(mine.path().join("manifests-e2e"), None).unwrap();
    let name = format!("exact-{}", std::process::id());
    store
        .update(|record| record.exact_cluster = Some(name.clone()))
        .unwrap();
    node_of(&name);

    let words = [
        "--exact-name",
        "--cluster",
        &name,
        "--kubernetes-version=1.35",
    ];
    let refused = install(theirs.path(), &words);
    let unknown = provider.find(&Owner::job(&run), soon()).await.unwrap();
    let ended = Command::new(support::binary())
        .args(["teardown", "--scope", "run", "--run-id", &run.id])
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_RUN_ID")
        .env("RUNNER_TEMP", mine.path())
        .output()
        .unwrap();
    let recorded = Local::new(&Environment::of_process()).with_record(store.record());
    let left = recorded.find(&Owner::job(&run), soon()).await.unwrap();
    // Whatever was made goes first, so that a failure leaves nothing.
    recorded
        .destroy(&Owner::job(&run), None, soon())
        .await
        .unwrap();

    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("is on this machine already"), "{said}");
    assert_eq!(unknown, [], "its name says nothing of the run");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(
        said.contains(&format!("KinD cluster {name}: proven gone")),
        "{said}"
    );
    assert_eq!(left, []);
}
