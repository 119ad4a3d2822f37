//! A test as a process of this machine, outside the cluster: its files, its environment, its log and its end.
//!
//! Given an environment without credentials and a deadline; knows nothing of hosts. What the test starts ends with it,
//! and with us ([`hold`]).

pub mod hold;

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use futures::TryStreamExt as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::{
    net::unix::pipe::Receiver,
    process::{Child, ChildStdin, Command},
};
use tokio_util::{io::ReaderStream, task::AbortOnDropHandle};

use crate::{
    inputs::Environment,
    limits::Deadline,
    notebook::{
        NotebookError, files, log, results,
        source::{Kind, Source},
        state::Ended,
        verdict::{self, TestVerdict},
    },
    run::Run,
    wait::{self, Every, Status, WaitError},
};

/// What is kept of the limit to end the test and to read what it has saved.
const RESERVE: Duration = Duration::from_secs(8);
/// How long the last lines of the log may take, once nobody is left who writes.
const LAST_LINES: Duration = Duration::from_secs(5);
/// How much of a last word is read.
const WORD: u64 = 8 << 10;
/// What a test that could not begin lacks.
const HINT: &str = "a notebook needs a Python with nbclient and ipykernel: set `python`, or give both as `requirements`, which need a package index";

/// One test of this machine.
#[derive(Debug)]
pub struct Test {
    /// A name that no other test of the run has.
    pub name: String,
    suite: String,
    kind: Kind,
    /// Its files and the directory it may write to; they go with it.
    dir: TempDir,
    env: Vec<(String, String)>,
}

impl Test {
    /// Writes what the test needs below `state`. `script` is where a script lies: it runs there.
    ///
    /// # Errors
    /// [`NotebookError::Machine`].
    pub fn new(
        run: &Run,
        source: Source,
        requirements: &[String],
        script: Option<&Path>,
        python: Option<&str>,
        state: &Path,
    ) -> Result<Self, NotebookError> {
        let failed = |path: &Path| NotebookError::machine(format!("write {}", path.display()));
        let name = files::name(run, &source);
        let state = std::path::absolute(state).map_err(failed(state))?;
        let dir = tempfile::Builder::new()
            .prefix("test-")
            .tempdir_in(&state)
            .map_err(failed(&state))?;
        let (input, work) = (dir.path().join("input"), dir.path().join("work"));
        for directory in [&input, &work] {
            fs::create_dir(directory).map_err(failed(directory))?;
        }
        for (name, bytes) in files::all(&source, requirements) {
            let path = input.join(name);
            fs::write(&path, bytes).map_err(failed(&path))?;
        }
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let mut env: Vec<(String, String)> = [
            ("INPUT", shown(&input)),
            ("WORK", shown(&work)),
            // As papermill and a shell have it: what lies beside the test is found from there.
            ("DIRECTORY", ".".to_owned()),
            ("TERMINATION", shown(&dir.path().join("last-word"))),
            ("VENV", shown(&dir.path().join("venv"))),
            ("PLACE", "this machine".to_owned()),
            ("PYTHON", python.unwrap_or("python3").to_owned()),
        ]
        .map(|(name, value)| (format!("MANIFESTS_E2E_{name}"), value))
        .into();
        if let Some(script) = script {
            let script = std::path::absolute(script).map_err(failed(script))?;
            env.push(("MANIFESTS_E2E_SCRIPT".to_owned(), shown(&script)));
        }
        env.push(("PYTHONUNBUFFERED".to_owned(), "1".to_owned()));
        env.extend(source.env);
        Ok(Self {
            name,
            suite: source.name,
            kind: source.kind,
            dir,
            env,
        })
    }

    /// Runs the test to its end or to the limit, and judges it. Nothing of it is left running. It gets what is `given`
    /// beside what tests get of the environment; its parameters win.
    ///
    /// # Errors
    /// [`NotebookError`] where there is no test to judge.
    pub async fn to_its_end(
        &self,
        env: &Environment,
        given: &[(String, String)],
        deadline: Deadline,
    ) -> Result<TestVerdict, NotebookError> {
        let reserve = RESERVE.min(deadline.remaining() / 4);
        let until = deadline.within(deadline.remaining().saturating_sub(reserve));
        let began = Instant::now();
        let (mut held, log) = self.start(env, given, reserve / 2)?;
        let kept = log::Kept::default();
        let shown = {
            let kept = kept.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                let bytes = ReaderStream::new(log).into_async_read();
                log::show_all(bytes, &kept).await;
            }))
        };
        let ended = held.ended(&self.name, until).await;
        let is_late = matches!(ended, Err(WaitError::TimedOut { .. }));
        if is_late {
            held.let_go(deadline).await;
        }
        if tokio::time::timeout(LAST_LINES, shown).await.is_err() {
            tracing::warn!("something of the test still holds its log, and could not be ended");
        }
        let saved = || match self.kind {
            Kind::Notebook => results::saved(&self.dir.path().join("work")),
            Kind::Python | Kind::Sh | Kind::Bash => Ok(None),
        };
        let status = match ended {
            Ok(status) => status,
            Err(WaitError::Failed(error)) => {
                return Err(NotebookError::machine("follow the test")(error));
            }
            Err(WaitError::TimedOut { last, .. }) => {
                let limit = deadline.limit();
                return Ok(match self.kind {
                    Kind::Notebook => {
                        let saved = saved().unwrap_or_else(|error| {
                            tracing::warn!("{error}");
                            None
                        });
                        verdict::at_limit(limit, last, saved)
                    }
                    _ => verdict::of_script_at_limit(&self.suite, limit, last, &kept.lines()),
                });
            }
        };
        let Some(code) = status.code() else {
            held.end_group();
            let error = io::Error::other(format!("its parent ended: {status}"));
            return Err(NotebookError::machine("follow the test")(error));
        };
        let ended = Ended {
            pod: String::new(),
            code,
            reason: String::new(),
            message: self.last_word(),
            sidecar: false,
            ran: began.elapsed(),
        };
        tracing::info!("the test: ended with code {code}");
        let mut verdict = match self.kind {
            Kind::Notebook => verdict::of_notebook(&ended, saved()),
            _ => verdict::of_script(&self.suite, &ended, &kept.lines()),
        };
        if let Some(NotebookError::NotStarted { hint, .. }) = &mut verdict.error {
            *hint = HINT;
        }
        Ok(verdict)
    }

    /// Starts it, held by a process of ours; gives that and what the test prints, in the order in which it does.
    fn start(
        &self,
        env: &Environment,
        given: &[(String, String)],
        grace: Duration,
    ) -> Result<(Held, Receiver), NotebookError> {
        let attempt = || -> io::Result<(Held, Receiver)> {
            let (reader, writer) = io::pipe()?;
            let mut child = Command::new(std::env::current_exe()?)
                .args([
                    "hold",
                    "--grace",
                    &grace.as_millis().to_string(),
                    "--",
                    "sh",
                ])
                .arg(self.input().join("start.sh"))
                .arg(self.kind.word())
                .env_clear()
                .envs(env.for_tests())
                .envs(given.iter().map(|(name, value)| (name, value)))
                .envs(self.env.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::piped())
                .stdout(writer.try_clone()?)
                .stderr(writer)
                // Whoever interrupts us interrupts us alone.
                .process_group(0)
                .spawn()?;
            let held = Held {
                group: child
                    .id()
                    .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)),
                lease: child.stdin.take(),
                child,
            };
            Ok((held, Receiver::from_owned_fd(reader.into())?))
        };
        attempt().map_err(NotebookError::machine("start the test"))
    }

    fn input(&self) -> PathBuf {
        self.dir.path().join("input")
    }

    /// What the test left as its last word.
    fn last_word(&self) -> String {
        let mut word = Vec::new();
        if let Ok(file) = fs::File::open(self.dir.path().join("last-word")) {
            drop(file.take(WORD).read_to_end(&mut word));
        }
        String::from_utf8_lossy(&word).trim().to_owned()
    }
}

/// A test that runs, until the lease is dropped.
#[derive(Debug)]
struct Held {
    child: Child,
    lease: Option<ChildStdin>,
    group: Option<Pid>,
}

impl Held {
    /// Returns once it has ended.
    async fn ended(
        &mut self,
        name: &str,
        until: Deadline,
    ) -> Result<ExitStatus, WaitError<io::Error>> {
        tracing::info!("the test {name} runs on this machine");
        wait::until(
            format_args!("the test {name}"),
            until,
            Every::millis(100),
            || {
                let seen = self.child.try_wait();
                async move {
                    Ok(match seen? {
                        Some(status) => Status::Ready(status),
                        None => Status::NotYet("it runs".to_owned()),
                    })
                }
            },
        )
        .await
    }

    /// Has it ended, and waits for that.
    async fn let_go(&mut self, deadline: Deadline) {
        drop(self.lease.take());
        if deadline.bound(self.child.wait()).await.is_err() {
            tracing::warn!("the test is still being ended");
        }
    }

    /// Ends the test where somebody has killed the process that holds it: most of it is in the same group.
    fn end_group(&self) {
        if let Some(group) = self.group {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}
