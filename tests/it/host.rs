//! A host over SSH, against a real SSH server in this process that runs real commands, behind a wire that can be cut.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use manifests_e2e::{
    host::{Command, Host as _, HostError, ssh::SshHost},
    inputs::Environment,
    limits::{Deadline, Limit},
    record::{HostKind, HostRecord},
    wait,
};
use russh::{
    Channel, ChannelMsg,
    keys::{Algorithm, PrivateKey, PublicKey, ssh_key::LineEnding},
    server,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

/// A server that lets one key in.
struct Server {
    address: SocketAddr,
    host_key: PublicKey,
    /// Ends all connections there are.
    cut: broadcast::Sender<()>,
    /// Home of the user, with its key in `key`.
    home: tempfile::TempDir,
}

struct Session {
    key: PublicKey,
    home: std::path::PathBuf,
}

impl server::Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: server::VerifiedPublicKey<'_>,
    ) -> Result<server::Auth, russh::Error> {
        Ok(if key.public_key.key_data() == self.key.key_data() {
            server::Auth::Accept
        } else {
            server::Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        tokio::spawn(run(channel, self.home.clone()));
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: russh::ChannelId,
        _data: &[u8],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<server::Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: server::ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let target = (host.to_owned(), u16::try_from(port).unwrap());
        tokio::spawn(async move {
            match TcpStream::connect(target).await {
                Ok(mut stream) => {
                    reply.accept().await;
                    drop(
                        tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream)
                            .await,
                    );
                }
                Err(_) => reply.reject(russh::ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}

/// Runs what a channel asks for, as sshd does: by a shell, in the user's home.
async fn run(channel: Channel<server::Msg>, home: std::path::PathBuf) {
    let (mut reader, writer) = channel.split();
    let Some(ChannelMsg::Exec { command, .. }) = reader.wait().await else {
        return;
    };
    let mut child = tokio::process::Command::new("bash")
        .args(["-c", &String::from_utf8(command).unwrap()])
        .env("HOME", &home)
        .current_dir(&home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take();
    tokio::spawn(async move {
        while let Some(message) = reader.wait().await {
            match (message, &mut stdin) {
                (ChannelMsg::Data { data }, Some(pipe)) => drop(pipe.write_all(&data).await),
                (ChannelMsg::Eof, _) => stdin = None,
                _ => {}
            }
        }
    });
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (mut out, mut err) = (vec![0; 65536], vec![0; 65536]);
    let (mut more_out, mut more_err) = (true, true);
    while more_out || more_err {
        tokio::select! {
            read = stdout.read(&mut out), if more_out => match read {
                Ok(read @ 1..) => drop(writer.data_bytes(out[..read].to_vec()).await),
                _ => more_out = false,
            },
            read = stderr.read(&mut err), if more_err => match read {
                Ok(read @ 1..) => drop(writer.extended_data_bytes(1, err[..read].to_vec()).await),
                _ => more_err = false,
            },
        }
    }
    let status = child.wait().await.unwrap().code().unwrap_or(255);
    drop(writer.exit_status(u32::try_from(status).unwrap()).await);
    drop(writer.eof().await);
    drop(writer.close().await);
}

impl Server {
    async fn start() -> Self {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let user = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let home = tempfile::tempdir().unwrap();
        user.write_openssh_file(home.path().join("key").as_path(), LineEnding::LF)
            .unwrap();
        let host_key = key.public_key().clone();
        let config = Arc::new(server::Config {
            keys: vec![key],
            auth_rejection_time: Duration::from_millis(10),
            ..server::Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, _) = broadcast::channel(1);
        let server = Self {
            address,
            host_key,
            cut: cut.clone(),
            home,
        };
        let home = server.home.path().to_owned();
        tokio::spawn(async move {
            while let Ok((mut outer, _)) = listener.accept().await {
                let (mut inner, stream) = tokio::io::duplex(1 << 20);
                let session = Session {
                    key: user.public_key().clone(),
                    home: home.clone(),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(running) = server::run_stream(config, stream, session).await {
                        drop(running.await);
                    }
                });
                let mut cut = cut.subscribe();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut outer, &mut inner) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        server
    }

    fn record(&self) -> HostRecord {
        HostRecord {
            kind: HostKind::Ssh,
            address: "127.0.0.1".to_owned(),
            port: self.address.port(),
            user: "ubuntu".to_owned(),
            private_key: Some(self.home.path().join("key")),
            host_key: Some(self.host_key.to_openssh().unwrap()),
        }
    }

    /// Ends the connections there are; where there is none, because one is just made again, the next.
    async fn cut_now(&self) {
        while self.cut.send(()).is_err() {
            wait::pause(Duration::from_millis(5)).await;
        }
    }

    fn host(&self) -> SshHost {
        SshHost::new(&self.record(), &Environment::default()).unwrap()
    }
}

async fn appears(path: &Path) {
    while !path.exists() {
        wait::pause(Duration::from_millis(20)).await;
    }
}

fn soon() -> Deadline {
    Deadline::after(Limit::secs(40))
}

#[tokio::test]
async fn a_command_keeps_its_streams_and_its_exit_code_apart() {
    let server = Server::start().await;
    let host = server.host();
    let command = Command::new("cat; echo \"it's\" >&2; exit 7").stdin("in".repeat(400_000));
    let output = host.run(&command, soon()).await.unwrap();
    assert_eq!(output.status, 7);
    assert_eq!(
        (output.stdout.len(), output.stderr.as_str()),
        (800_000, "it's\n")
    );
    // A command that never reads what it is given ends all the same.
    let command = Command::new("exit 3").stdin("in".repeat(4_000_000));
    assert_eq!(host.run(&command, soon()).await.unwrap().status, 3);
}

#[tokio::test]
async fn wrong_key_refused_silent_and_not_let_in_are_told_apart() {
    let server = Server::start().await;
    let other = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    let up = async |record: &HostRecord, seconds| {
        let host = SshHost::new(record, &Environment::default()).unwrap();
        host.wait_until_up(Deadline::after(Limit::secs(seconds)))
            .await
    };

    let mut record = server.record();
    record.host_key = Some(other.public_key().to_openssh().unwrap());
    let started = Instant::now();
    let wrong = up(&record, 20).await.unwrap_err();
    assert!(matches!(&wrong, HostError::WrongHostKey { .. }), "{wrong}");
    assert!(started.elapsed().as_secs() < 5, "a wrong host key is final");

    let stranger = server.home.path().join("stranger");
    other
        .write_openssh_file(stranger.as_path(), LineEnding::LF)
        .unwrap();
    let mut record = server.record();
    record.private_key = Some(stranger);
    let host = SshHost::new(&record, &Environment::default()).unwrap();
    let refused = host.touch().await.unwrap_err();
    assert!(
        matches!(&refused, HostError::AuthRefused { .. }),
        "{refused}"
    );

    let mut record = server.record();
    record.port = 1;
    let closed = up(&record, 1).await.unwrap_err().to_string();
    assert!(closed.contains("connection refused"), "{closed}");

    let mut record = server.record();
    record.host_key = None;
    let unknown = SshHost::new(&record, &Environment::default()).unwrap_err();
    assert!(
        matches!(&unknown, HostError::UnknownHostKey { .. }),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_detached_command_goes_on_when_the_wire_is_cut_and_runs_once() {
    let server = Server::start().await;
    let host = server.host();
    let command = Command::new(
        "echo ran >>\"$HOME\"/ran; cat; for n in 1 2 3 4 5 6; do echo line $n; sleep 0.4; done; echo end >&2; exit 5",
    )
    .stdin("given\n")
    .detached("count");
    let run = host.run(&command, soon());
    let cut = async {
        appears(&server.home.path().join("ran")).await;
        for _ in 0..3 {
            server.cut_now().await;
            wait::pause(Duration::from_millis(500)).await;
        }
    };
    let (output, ()) = tokio::join!(run, cut);
    let output = output.unwrap();
    assert_eq!(output.status, 5);
    assert_eq!(
        output.stdout,
        "given\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\n"
    );
    assert_eq!(output.stderr, "end\n");
    let ran = std::fs::read_to_string(server.home.path().join("ran")).unwrap();
    assert_eq!(ran, "ran\n");
    let jobs = server.home.path().join(".cache/manifests-e2e/jobs");
    assert_eq!(
        std::fs::read_dir(jobs).unwrap().count(),
        0,
        "nothing is left"
    );
}

#[tokio::test]
async fn a_command_that_is_not_detached_fails_when_the_wire_is_cut() {
    let server = Server::start().await;
    let host = server.host();
    let command = Command::new("touch begun; exec sleep 20");
    let cut = async {
        appears(&server.home.path().join("begun")).await;
        server.cut_now().await;
    };
    let (output, ()) = tokio::join!(host.run(&command, soon()), cut);
    assert!(
        matches!(output, Err(HostError::Unreachable { .. })),
        "{output:?}"
    );
    assert_eq!(
        host.run(&Command::new("true"), soon())
            .await
            .unwrap()
            .status,
        0
    );
}

#[tokio::test]
async fn files_come_and_go_whole() {
    let server = Server::start().await;
    let host = server.host();
    let here = server.home.path().join("here");
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&here, &bytes).unwrap();
    let there = server.home.path().join("new/it's there");
    let remote = there.to_str().unwrap();
    host.put(&here, remote, 0o755, soon()).await.unwrap();
    assert!(std::fs::read(&there).unwrap() == bytes);
    assert_eq!(mode(&there), 0o755);
    let back = server.home.path().join("back");
    host.get(remote, &back, soon()).await.unwrap();
    assert!(std::fs::read(&back).unwrap() == bytes);
    let absent = host.get("/nowhere", &back, soon()).await.unwrap_err();
    assert!(matches!(absent, HostError::Failed { .. }), "{absent}");
    assert!(
        std::fs::read(&back).unwrap() == bytes,
        "a failed get changes nothing"
    );
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_port_of_the_host_is_reached_again_after_a_cut() {
    let server = Server::start().await;
    let host = server.host();
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = echo.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                drop(tokio::io::copy(&mut reader, &mut writer).await);
            });
        }
    });
    for _ in 0..2 {
        let mut stream = host.forward(port).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"ping");
        server.cut_now().await;
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    }
    let closed = host.forward(1).await;
    assert!(matches!(closed, Err(HostError::Unreachable { .. })));
}
