//! This machine as a host.
//!
//! Its commands get the variables that Docker and proxies need, and none that could hold a secret.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command as Process,
    sync::mpsc,
};

use super::{
    Command, Host, HostError, Output, Stream,
    capture::{Capture, OutputStream, code},
};
use crate::{inputs::Environment, limits::Deadline};

/// This machine.
#[derive(Debug)]
pub(crate) struct LocalHost {
    env: Vec<(String, String)>,
}

impl LocalHost {
    /// This machine, with these variables (those that are of use).
    pub(crate) fn new(env: &Environment) -> Self {
        Self {
            env: env
                .for_programs()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    async fn carry_out(&self, command: &Command) -> Result<Output, HostError> {
        let mut process = if command.root && !rustix::process::geteuid().is_root() {
            let mut sudo = Process::new("sudo");
            sudo.args(["-n", "--", "bash"]);
            sudo
        } else {
            Process::new("bash")
        };
        let failed = |source| HostError::File {
            path: "bash".to_owned(),
            source,
        };
        let mut child = process
            .args(["-c", &command.script])
            .env_clear()
            .envs(self.env.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: a signal for us must not kill kind halfway, and its children end with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let _group = Group(child.id());
        let mut stdin = child.stdin.take().expect("it is piped");
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let feed = async move {
            // A command that does not read its input is no failure.
            drop(stdin.write_all(&command.stdin).await);
            drop(stdin.shutdown().await);
        };
        let mut capture = Capture::new(command.streamed);
        let (sender, mut receiver) = mpsc::channel(16);
        let read = async {
            tokio::join!(
                pump(stdout, OutputStream::Stdout, sender.clone()),
                pump(stderr, OutputStream::Stderr, sender)
            );
        };
        let keep = async {
            while let Some((which, bytes)) = receiver.recv().await {
                let bytes: Vec<u8> = bytes;
                capture.push(which, &bytes);
            }
        };
        // What a daemon it started still holds open is not waited for.
        let ((), status) = tokio::join!(feed, async {
            tokio::pin! {
                let streams = async { tokio::join!(read, keep); };
            }
            tokio::select! {
                () = &mut streams => child.wait().await,
                status = child.wait() => {
                    drop(tokio::time::timeout(std::time::Duration::from_secs(1), streams).await);
                    status
                }
            }
        });
        let status = status.map_err(failed)?;
        Ok(capture.finish(code(status)))
    }
}

/// Ends what a command started when nobody waits for it any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let group = self
            .0
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // It has ended on the usual path: then there is no such group.
            let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        }
    }
}

async fn pump(
    mut stream: impl AsyncRead + Unpin,
    which: OutputStream,
    sender: mpsc::Sender<(OutputStream, Vec<u8>)>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if sender.send((which, buffer[..read].to_vec())).await.is_err() {
            return;
        }
    }
}

impl Host for LocalHost {
    fn describe(&self) -> String {
        "this machine".to_owned()
    }

    fn run<'a>(
        &'a self,
        command: &'a Command,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Output, HostError>> {
        async move {
            deadline
                .bound(self.carry_out(command))
                .await
                .unwrap_or_else(|_| {
                    Err(HostError::TimedOut {
                        host: self.describe(),
                        what: super::few_words(&command.script),
                    })
                })
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        local: &'a Path,
        remote: &'a str,
        mode: u32,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            let attempt = || -> std::io::Result<()> {
                let remote = Path::new(remote);
                let parent = remote.parent().unwrap_or(Path::new("/"));
                std::fs::create_dir_all(parent)?;
                let mut file = tempfile::NamedTempFile::new_in(parent)?;
                std::io::copy(&mut std::fs::File::open(local)?, &mut file)?;
                file.as_file()
                    .set_permissions(std::fs::Permissions::from_mode(mode))?;
                file.persist(remote).map_err(|error| error.error)?;
                Ok(())
            };
            attempt().map_err(|source| HostError::File {
                path: format!("{} or {remote}", local.display()),
                source,
            })
        }
        .boxed()
    }

    fn get<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<(), HostError>> {
        async move {
            std::fs::copy(remote, local)
                .map(drop)
                .map_err(|source| HostError::File {
                    path: remote.to_owned(),
                    source,
                })
        }
        .boxed()
    }

    fn forward(&self, port: u16) -> BoxFuture<'_, Result<Box<dyn Stream>, HostError>> {
        async move {
            let stream = TcpStream::connect(("127.0.0.1", port))
                .await
                .map_err(|error| HostError::Unreachable {
                    host: format!("port {port} of this machine"),
                    reason: error.to_string(),
                })?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;

    fn host() -> LocalHost {
        LocalHost::new(&Environment::of([
            ("PATH", std::env::var("PATH").unwrap()),
            ("AWS_SECRET_ACCESS_KEY", "hush".to_owned()),
        ]))
    }

    #[tokio::test]
    async fn a_command_gets_its_input_and_no_secret() {
        let command = Command::new("cat; env >&2; exit 7").stdin("in");
        let output = host()
            .run(&command, Deadline::after(Limit::secs(20)))
            .await
            .unwrap();
        assert_eq!((output.status, output.stdout.as_str()), (7, "in"));
        assert!(output.stderr.contains("PATH=") && !output.stderr.contains("hush"));
    }

    #[tokio::test]
    async fn nothing_goes_on_after_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("late");
        let command = Command::new(format!("(sleep 2; touch {})& wait", file.display()));
        let result = host().run(&command, Deadline::after(Limit::secs(1))).await;
        assert!(
            matches!(result, Err(HostError::TimedOut { .. })),
            "{result:?}"
        );
        crate::wait::pause(std::time::Duration::from_secs(2)).await;
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_daemon_that_keeps_the_output_does_not_keep_us() {
        let started = std::time::Instant::now();
        let command = Command::new("setsid sleep 5 & echo done");
        let output = host()
            .run(&command, Deadline::after(Limit::secs(20)))
            .await
            .unwrap();
        assert_eq!(output.stdout, "done\n");
        assert!(started.elapsed().as_secs() < 4);
    }
}
