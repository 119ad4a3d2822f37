//! Adds the state of the host to a failure: it is lost, was rebooted, or has no disk left. The last error is rarely the
//! cause.

use std::{io, time::Duration};

use tokio::net::TcpStream;

use super::{
    Command, Host as _, HostError,
    prepare::PrepareError,
    ssh::{self, SshHost},
};
use crate::{
    inputs::Environment,
    limits::{Deadline, Limit, humane},
    record::{HostKind, HostRecord},
    report::{Exit, Explain, Failure},
};

/// How long a host may take to show that it is there.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long it may take to tell when it was booted.
const ANSWER_LIMIT: Limit = Limit::secs(8);
/// The age of its first process in seconds, told by its own clock alone (a container's may be younger than its kernel);
/// then the room where Docker keeps its data, as `df` has it.
const STATE_SCRIPT: &str = "echo $(( $(cut -d. -f1 /proc/uptime) - $(cut -d' ' -f22 /proc/1/stat) / $(getconf CLK_TCK) ))\n\
    d=$(timeout 4 docker info -f '{{.DockerRootDir}}' 2>/dev/null); d=${d:-/var/lib/docker}; df -Pk \"$d\" | tail -1; echo \"$d\"";

/// A connection to the host's sshd, or why there is none; `None` where nothing came back, not even a refusal.
pub(crate) async fn probe_ssh(host: &HostRecord) -> Option<io::Result<TcpStream>> {
    let asked = TcpStream::connect((host.address.as_str(), host.ssh_port()));
    tokio::time::timeout(CONNECT_LIMIT, asked).await.ok()
}

/// A failure of a stage that began `elapsed` ago, with a word about the host where that is out of reach, was booted since
/// or has no disk left. What was cut short by a reboot is no failure of manifests or test.
pub async fn with_presence(
    mut failure: Failure,
    host: Option<&HostRecord>,
    env: &Environment,
    elapsed: Duration,
) -> Failure {
    let Some(host) = host.filter(|host| host.kind == HostKind::Ssh) else {
        return failure;
    };
    let name = format!("{}@{}", host.user, host.address);
    let reason = match probe_ssh(host).await {
        Some(Ok(_)) => {
            let Some(told) = ask(host, env).await else {
                return failure;
            };
            if rebooted(told.age, elapsed) {
                if failure.exit == Exit::TestFailed {
                    failure.exit = Exit::Infrastructure;
                }
                let what = format!("this stage, which began {} ago", humane(elapsed));
                beside(&mut failure, &HostError::Rebooted { host: name, what });
            } else if let Some((free @ 0, path)) = told.disk {
                let host = name;
                beside(&mut failure, &PrepareError::Disk { host, free, path });
            }
            return failure;
        }
        Some(Err(error)) => ssh::reason(&error),
        None => "no answer".to_owned(),
    };
    let lost = HostError::Unreachable { host: name, reason }.to_string();
    if !failure.line().contains(&lost) {
        failure
            .details
            .insert(0, format!("the host is lost: {lost}"));
    }
    failure
}

/// Says what is behind a failure, and what to do about that.
fn beside(failure: &mut Failure, error: &impl Explain) {
    let word = error.to_string();
    if failure.line() != word {
        failure.details.insert(0, word);
        failure.hint = error.hint();
    }
}

/// A second less, since ages are told in whole ones.
fn rebooted(age: Duration, elapsed: Duration) -> bool {
    age + Duration::from_secs(1) < elapsed
}

/// What a host says of itself.
#[derive(Debug, PartialEq, Eq)]
struct HostState {
    /// How long ago it was booted.
    age: Duration,
    /// How many GiB are free where Docker keeps its data, and where that is.
    disk: Option<(u64, String)>,
}

async fn ask(host: &HostRecord, env: &Environment) -> Option<HostState> {
    let host = SshHost::new(host, env).ok()?;
    let (soon, command) = (
        Deadline::after(ANSWER_LIMIT),
        Command::new(STATE_SCRIPT).root(),
    );
    let output = soon.bound(host.run(&command, soon)).await.ok()?.ok()?;
    understood(&output.stdout)
}

fn understood(text: &str) -> Option<HostState> {
    let mut lines = text.lines();
    let age = Duration::from_secs(lines.next()?.trim().parse().ok()?);
    let kib = |line: &str| line.split_whitespace().nth(3)?.parse::<u64>().ok();
    let disk = lines.next().and_then(kib).zip(lines.next());
    Some(HostState {
        age,
        disk: disk.map(|(kib, path)| (kib >> 20, path.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_younger_than_the_stage_was_rebooted() {
        let secs = Duration::from_secs;
        assert!(rebooted(secs(20), secs(60)));
        // Provisioned just before: its boot was over when the stage began.
        assert!(!rebooted(secs(60), secs(60)));
        assert!(!rebooted(secs(59), secs(60)));
    }

    #[test]
    fn a_full_disk_is_told_and_what_cannot_be_read_is_not() {
        let full = "61\ntmpfs 6291456 6291456 0 100% /var/lib/docker\n/var/lib/docker\n";
        let told = understood(full).unwrap();
        assert_eq!(told.disk, Some((0, "/var/lib/docker".to_owned())));
        assert_eq!(told.age, Duration::from_secs(61));
        assert_eq!(understood("61\n").unwrap().disk, None);
        assert_eq!(understood("no such shell"), None);
    }
}
