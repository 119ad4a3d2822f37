//! What several tests need: the binary, the sandbox, one cluster that they share.

pub(crate) mod aws;
pub(crate) mod github;
pub(crate) mod machine;
pub(crate) mod proxy;
pub(crate) mod sets;
pub(crate) mod step;

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Condvar, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// Name of the cluster that the tests share; whoever ran them deletes it.
const CLUSTER: &str = "manifests-e2e-test";

/// What a sandbox test keeps busy. Tests of one lane take turns; the lanes run side by side.
///
/// Run all tests at once (`--test-threads` above their number): each waits for its turn here, and only what works counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// The cloud: launches and teardowns of instances that only boot.
    Cloud,
    /// A cluster inside an instance, or one of the test's own: it takes a whole core for a minute.
    Machine,
    /// The cluster that the tests share.
    Cluster,
    /// Timers of a minute and longer: asleep nearly all the time, so all may wait at once.
    Waits,
}

impl Lane {
    /// How many of its tests may run at once, on two cores.
    const fn width(self) -> usize {
        match self {
            Self::Machine => 1,
            Self::Cloud | Self::Cluster => 2,
            Self::Waits => 5,
        }
    }

    fn state(self) -> &'static (Mutex<usize>, Condvar) {
        static STATES: [(Mutex<usize>, Condvar); 4] =
            [const { (Mutex::new(0), Condvar::new()) }; 4];
        &STATES[self as usize]
    }
}

/// The turn of a test in its lane, until it is dropped; then its time is noted.
#[derive(Debug)]
pub(crate) struct Turn {
    lane: Lane,
    began: Instant,
}

impl Turn {
    fn take(lane: Lane) -> Self {
        let (busy, freed) = lane.state();
        let busy = busy.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy = freed
            .wait_while(busy, |busy| *busy >= lane.width())
            .unwrap_or_else(PoisonError::into_inner);
        *busy += 1;
        Self {
            lane,
            began: Instant::now(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (busy, freed) = self.lane.state();
        *busy.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
        // `.ci/run` prints the slowest. The test harness cannot tell them: it counts the wait for the turn, too.
        let Some(file) = std::env::var_os("MANIFESTS_E2E_TEST_TIMES") else {
            return;
        };
        let thread = std::thread::current();
        let seconds = self.began.elapsed().as_secs_f64();
        let line = format!("{seconds:.1} {}\n", thread.name().unwrap_or_default());
        let opened = File::options().append(true).create(true).open(file);
        drop(opened.and_then(|mut file| file.write_all(line.as_bytes())));
    }
}

/// The turn of a sandbox test, where the sandbox is there; says so loudly where it is not. In CI it has to be.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn sandbox(lane: Lane) -> Option<Turn> {
    let there = std::env::var("MANIFESTS_E2E_SANDBOX").is_ok_and(|v| v == "1");
    assert!(
        there || std::env::var("CI").is_err() || std::env::var("MANIFESTS_E2E_SANDBOX").is_ok(),
        "CI needs the sandbox: .ci/run starts it"
    );
    if !there {
        eprintln!(
            "SKIPPED: needs the sandbox; run `eval \"$(e2e/sandbox/up)\"` and set MANIFESTS_E2E_SANDBOX=1"
        );
    }
    there.then(|| Turn::take(lane))
}

/// A limit for a machine with nothing else to do, stretched by what this one has to do just now. Whole seconds.
///
/// Many sandbox tests share two cores. A limit on time is there to tell seconds from minutes, not to measure.
pub(crate) fn within(limit: Duration) -> Duration {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|it| it.parse().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let busy = load.unwrap_or(1.0) / f64::from(u16::try_from(cores).unwrap_or(u16::MAX));
    Duration::from_secs(limit.mul_f64(busy.clamp(1.0, 4.0)).as_secs().max(1))
}

/// `--timeout` of a stage, for which the same holds.
pub(crate) fn timeout(limit: Duration) -> String {
    format!("--timeout={}s", within(limit).as_secs())
}

/// The binary that is tested: the one that ships where `.ci/run` has built it, else the one that cargo built beside the tests.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("MANIFESTS_E2E_TEST_BINARY").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_manifests-e2e")),
        PathBuf::from,
    )
}

/// Kubeconfig of a `KinD` cluster that all tests of all rooms share: made by the first that asks, in any process,
/// and used again while it is healthy. A test takes names of its own for all it makes.
pub(crate) fn cluster() -> &'static Path {
    match shared_cluster() {
        Ok(kubeconfig) => kubeconfig,
        Err(why) => panic!("{why}"),
    }
}

/// The cluster that all share, or why there is none: tried once a process, for what cleans up must not panic.
pub(crate) fn shared_cluster() -> &'static Result<PathBuf, String> {
    static KUBECONFIG: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    KUBECONFIG.get_or_init(|| {
        let kubeconfig =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("manifests-e2e-test.kubeconfig");
        let path = kubeconfig
            .to_str()
            .ok_or("the target directory is no UTF-8")?;
        let lock = File::create(std::env::temp_dir().join(format!("{CLUSTER}.lock")))
            .and_then(|lock| lock.lock().map(|()| lock));
        let _lock = lock.map_err(|error| format!("the lock of the shared cluster: {error}"))?;
        let export = [
            "export",
            "kubeconfig",
            "--name",
            CLUSTER,
            "--kubeconfig",
            path,
        ];
        let found = tool("kind", &export)
            .and_then(|_| kubectl(path, "get --raw=/readyz --request-timeout=5s"))
            // One that came back with the Docker engine answers before it is whole, and not all the time.
            .and_then(|()| settled(path));
        if found.is_err() {
            tool("kind", &["delete", "cluster", "--name", CLUSTER])?;
            let image = std::env::var("KIND_NODE_IMAGE").unwrap_or_default();
            let mut words = vec!["create", "cluster", "--name", CLUSTER, "--kubeconfig", path];
            if !image.is_empty() {
                words.extend(["--image", &image]);
            }
            tool("kind", &words)?;
            settled(path)?;
        }
        Ok(kubeconfig)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests that need the cluster have nothing else to do"
)]
/// Waits for what `kind create` comes back before; the last refusal where two minutes were not enough.
fn settled(kubeconfig: &str) -> Result<(), String> {
    let limit = Instant::now() + Duration::from_mins(2);
    for condition in [
        "wait --for=condition=Ready nodes --all --timeout=30s",
        "-n kube-system rollout status daemonset/kube-proxy --timeout=30s",
        "-n kube-system rollout status deployment/coredns --timeout=30s",
        "-n default wait --for=create serviceaccount/default --timeout=30s",
    ] {
        // A server that goes away for a moment ends a kubectl that waits.
        while let Err(why) = kubectl(kubeconfig, condition) {
            if Instant::now() > limit {
                return Err(format!("not true of the shared cluster: {why}"));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    Ok(())
}

/// A kubectl command, written with spaces; what it said where it failed.
fn kubectl(kubeconfig: &str, words: &str) -> Result<(), String> {
    let words: Vec<&str> = ["--kubeconfig", kubeconfig]
        .into_iter()
        .chain(words.split(' '))
        .collect();
    tool("kubectl", &words).map(drop)
}

/// What a program printed; its standard error where it failed.
fn tool(name: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new(name)
        .args(words)
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "{name} {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

/// The root of this repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a proof is in the tree: `path::function` is a test function of that file, a path alone a file of its own.
///
/// For tables that name the tests of their rows: a test that is renamed or removed leaves no row behind that looks proven.
pub(crate) fn proof(name: &str) -> Result<(), String> {
    let (path, function) = name.split_once("::").unwrap_or((name, ""));
    let text =
        std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    if function.is_empty() || text.contains(&format!("def {function}(self)")) {
        return Ok(());
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {function}(");
    let at = lines.iter().position(|line| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.starts_with(&head)
    });
    let at = at.ok_or_else(|| format!("{path} has no {function}"))?;
    let attributes = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with('#'));
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    if attributes.into_iter().any(is_test) {
        Ok(())
    } else {
        Err(format!("{path}: {function} is no test"))
    }
}

#[test]
fn a_proof_is_a_test_that_is_there() {
    let here = "tests/it/support.rs::";
    assert_eq!(
        proof(&format!("{here}a_proof_is_a_test_that_is_there")),
        Ok(())
    );
    assert_eq!(proof("e2e/digits/digits.ipynb"), Ok(()));
    for missing in ["sandbox", "tool", "nowhere"] {
        assert!(proof(&format!("{here}{missing}")).is_err(), "{missing}");
    }
    assert!(proof("tests/it/nowhere.rs::a").is_err());
}
