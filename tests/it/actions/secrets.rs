//! What is secret stays where it is: nothing of the runner's gets to the host, into a bundle, a log or a list of processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::it::support::{
    Lane,
    aws::{Job, Step, with_sandbox},
    sandbox,
};

/// Of a runner: each is found again by its value.
const CANARIES: [(&str, &str); 6] = [
    ("AWS_ACCESS_KEY_ID", "AKIACANARYCANARY0123"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "canary/secret+0f1e2d3c4b5a69788796a5b4",
    ),
    ("GITHUB_TOKEN", "ghs_canary0123456789canary0123456789"),
    (
        "ACTIONS_RUNTIME_TOKEN",
        "eyJjYW5hcnkiOjF9.eyJjYW5hcnkiOjJ9.canary-signature",
    ),
    (
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "canary-bearer-5d41402abc4b2a76",
    ),
    ("MY_OWN_PASSWORD", "canary-Password-7d793037a076"),
];

/// The canaries as they are and in base64.
fn forms() -> Vec<String> {
    CANARIES
        .iter()
        .flat_map(|(_, value)| [(*value).to_owned(), BASE64_STANDARD.encode(value)])
        .collect()
}

/// Every file and directory below one.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// What others may read or write of what a job keeps. The bundle is made to be shown: others may read it, not write it.
fn open_to_others(job: &Job) -> Vec<String> {
    below(&job.path("manifests-e2e"))
        .iter()
        .filter_map(|path| {
            let mode = fs::symlink_metadata(path).ok()?.permissions().mode() & 0o777;
            let shown = path.starts_with(job.path("manifests-e2e/gathered"));
            let closed = if shown { 0o022 } else { 0o077 };
            (mode & closed != 0).then(|| format!("{mode:o} {}", path.display()))
        })
        .collect()
}

/// The lines of the key that opens the host, without its frame.
fn key_lines(job: &Job) -> Vec<String> {
    let text = fs::read_to_string(job.path("manifests-e2e/id_ed25519")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    lines.map(str::to_owned).collect()
}

/// Looks at the arguments of every process while it lives; says which secrets it saw there.
struct Watch {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<BTreeSet<String>>,
}

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "a thread of its own")]
    fn start(key: PathBuf) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !told.load(Ordering::Relaxed) {
                let mut secrets = forms();
                let text = fs::read_to_string(&key).unwrap_or_default();
                let lines = text
                    .lines()
                    .filter(|line| line.len() > 20 && !line.starts_with('-'));
                secrets.extend(lines.map(str::to_owned));
                for process in fs::read_dir("/proc").unwrap().flatten() {
                    let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
                    let words = String::from_utf8_lossy(&words);
                    let shown = secrets.iter().filter(|secret| words.contains(*secret));
                    seen.extend(shown.map(|secret| format!("{secret} in {words}")));
                }
                // Without a pause it takes a core from all other tests; what a shell starts lives longer.
                std::thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        Self { over, thread }
    }

    fn end(self) -> BTreeSet<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn what_is_kept_is_its_owners_alone_whatever_the_umask() {
    let job = Job::new();
    job.loosely(&["provision-ec2", "--provider=local"]).exits(0);
    job.loosely(&["gather-logs"]).exits(0);
    let gathered = job.path("manifests-e2e/gathered");
    assert!(gathered.exists());
    assert_eq!(open_to_others(&job), Vec::<String>::new());
}

#[test]
fn sandbox_no_credential_reaches_the_host_the_bundle_or_a_list_of_processes() {
    let Some(_turn) = sandbox(Lane::Machine) else {
        return;
    };
    let job = CANARIES
        .iter()
        .fold(with_sandbox(Job::new()), |job, (name, value)| {
            job.with(name, value)
        })
        .with("GITHUB_ACTIONS", "true");
    let watch = Watch::start(job.path("manifests-e2e/id_ed25519"));
    let mut steps = vec![job.loosely(&["provision-ec2"]).exits(0)];
    let key = key_lines(&job);
    assert!(key.len() > 3, "a key has lines: {}", key.len());
    for line in key.iter().filter(|line| line.len() >= 8) {
        let mask = format!("::add-mask::{line}\n");
        assert!(steps[0].printed.contains(&mask), "a line is not masked");
    }
    steps.push(job.loosely(&["install-kind"]).exits(0));
    steps.push(job.loosely(&["gather-logs"]).exits(0));
    assert_eq!(watch.end(), BTreeSet::new());
    assert_eq!(open_to_others(&job), Vec::<String>::new());

    // The first line is that of every such key, the last says little.
    let own = key[1..key.len() - 1].iter().cloned();
    let secrets: Vec<String> = forms().into_iter().chain(own).collect();
    on_the_host(&job, &secrets);
    in_the_bundle(&job, &steps, &secrets);
    job.ends_clean();
}

/// Asserts that none is in a file of the host or in the environment of a process there, the cluster's included.
fn on_the_host(job: &Job, secrets: &[String]) {
    let id = job.output("instance-id").unwrap();
    // What stands in a list of patterns is found by no other name.
    let list = job.path("patterns");
    fs::write(&list, secrets.join("\n")).unwrap();
    let line = format!(
        "docker exec -i sandbox-{id} sh -c 'cat >/dev/shm/patterns; cd /; \
         grep -rlaF -f /dev/shm/patterns --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev --exclude-dir=overlay2 / 2>/dev/null; \
         for p in /proc/[0-9]*; do if grep -qaF -f /dev/shm/patterns $p/environ $p/cmdline 2>/dev/null; then echo $p; fi; done' <'{}'",
        list.display()
    );
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "on the host");
    // It would have been found: a canary that is put there is.
    let planted = line.replace("cd /;", "cp /dev/shm/patterns /var/tmp/planted; cd /;");
    let output = Command::new("bash")
        .args(["-c", &planted])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "/var/tmp/planted\n"
    );
}

/// Asserts that none is in the bundle, the page, the outputs, the summary or what was said.
fn in_the_bundle(job: &Job, steps: &[Step], secrets: &[String]) {
    let mut told: Vec<(String, Vec<u8>)> = Vec::new();
    let bundle = fs::File::open(job.output("bundle").unwrap()).unwrap();
    let mut bundle = zip::ZipArchive::new(bundle).unwrap();
    for at in 0..bundle.len() {
        let mut file = bundle.by_index(at).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let name = file.name().unwrap().into_owned();
        told.push((name, bytes));
    }
    assert!(told.len() > 20, "{} files", told.len());
    for name in ["output", "summary"] {
        told.push((name.to_owned(), fs::read(job.path(name)).unwrap()));
    }
    told.push((
        "page".to_owned(),
        fs::read(job.output("report").unwrap()).unwrap(),
    ));
    for step in steps {
        told.push(("standard error".to_owned(), step.said.clone().into_bytes()));
        let masked = |line: &&str| !line.starts_with("::add-mask::");
        let printed: Vec<&str> = step.printed.lines().filter(masked).collect();
        told.push((
            "standard output".to_owned(),
            printed.join("\n").into_bytes(),
        ));
    }
    for (name, bytes) in told {
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {name}");
        }
    }
}
