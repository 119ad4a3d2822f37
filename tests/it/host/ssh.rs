//! A host over SSH, against a real SSH server in this process that runs real commands, behind a wire that can be cut.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod server;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use manifests_e2e::{
    host::{Command, Host as _, HostError, ssh::SshHost},
    inputs::Environment,
    limits::{Deadline, Limit},
    record::HostRecord,
    wait,
};
use russh::keys::{Algorithm, PrivateKey, ssh_key::LineEnding};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use self::server::Server;

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
async fn a_detached_command_whose_host_was_booted_anew_is_said_to_be_cut_short() {
    let server = Server::start().await;
    let host = server.host();
    let command = Command::new("touch begun; exec sleep 20").detached("long");
    let boot = async {
        appears(&server.home.path().join("begun")).await;
        let jobs = server.home.path().join(".cache/manifests-e2e/jobs");
        let job = std::fs::read_dir(jobs).unwrap().next().unwrap().unwrap();
        std::fs::write(job.path().join("boot"), "another boot\n1\n").unwrap();
    };
    let (cut, ()) = tokio::join!(host.run(&command, soon()), boot);
    let cut = cut.unwrap_err();
    assert!(matches!(&cut, HostError::Rebooted { .. }), "{cut}");
}

#[tokio::test]
async fn what_may_run_twice_runs_again_when_the_wire_is_cut() {
    let server = Server::start().await;
    let host = server.host();
    let command =
        Command::new("echo ran >>runs; [ $(wc -l <runs) -gt 1 ] || sleep 20").repeatable();
    let cut = async {
        appears(&server.home.path().join("runs")).await;
        server.cut_now().await;
    };
    let (output, ()) = tokio::join!(host.run(&command, soon()), cut);
    assert_eq!(output.unwrap().status, 0);
    let runs = std::fs::read_to_string(server.home.path().join("runs")).unwrap();
    assert_eq!(runs, "ran\nran\n");
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
