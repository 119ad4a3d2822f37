//! The process between us and a test on this machine. It ends what the test started, all of it.
//!
//! A process group is not enough: a kernel of Jupyter's and a daemon have groups of their own. So this process is the one
//! that orphans fall to (a child subreaper, `PR_SET_CHILD_SUBREAPER`): whatever the test started is its descendant until it
//! ends. It begins to end them when the test has ended, or when its standard input does: we hold the other end of that pipe,
//! and the kernel closes it however we end, `kill -9` included.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    os::fd::AsFd as _,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper,
        setpgid, wait,
    },
};
use tokio::{
    io::AsyncReadExt as _,
    net::unix::pipe::Receiver,
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::{cli::HoldArgs, inputs::Environment, wait};

/// How long what is left of a test that has ended may take to end, once it was asked to.
const LEFT: Duration = Duration::from_secs(1);
/// How long what was killed may still be there: a process of another user cannot be killed.
const KILLED: Duration = Duration::from_secs(2);
/// The pause between two looks at what is left.
const LOOK: Duration = Duration::from_millis(20);
/// What a shell says of a program that it cannot start.
const NOT_STARTED: u8 = 127;

/// Runs the program to its end, or until nobody holds our standard input; gives its exit code, as a shell would. What keeps
/// it from beginning goes where the program itself would say so.
pub async fn hold(args: &HoldArgs, env: &Environment) -> u8 {
    match carry_out(args).await {
        Ok(code) => code,
        Err(error) => {
            if let Some(path) = env.get("MANIFESTS_E2E_TERMINATION") {
                drop(fs::write(path, format!("cannot start: {error}")));
            }
            NOT_STARTED
        }
    }
}

async fn carry_out(args: &HoldArgs) -> io::Result<u8> {
    // A group of our own, whoever started us: it is signalled.
    let _is_leader = setpgid(None, None);
    set_child_subreaper(Some(getpid()))?;
    let mut changed = signal(SignalKind::child())?;
    // From here on they ask us to end the test, and do not end us.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut lease = Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let (program, words) = args.program.split_first().ok_or(Errno::INVAL)?;
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::other(format!("{}: {error}", program.display())))?;
    let test = Pid::from_child(&child);
    let mut byte = [0];
    let code = loop {
        if let Reaped::Test(code) = reap(test) {
            break Some(code);
        }
        tokio::select! {
            _ = changed.recv() => {}
            read = lease.read(&mut byte) => if !matches!(read, Ok(1..)) { break None },
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
        }
    };
    Ok(end(test, code, Duration::from_millis(args.grace)).await)
}

/// Ends everything that is left, first with a request, and gives the exit code of the test.
async fn end(test: Pid, mut code: Option<u8>, grace: Duration) -> u8 {
    if code.is_none() {
        // The test and what it runs in the foreground; it may end the rest in its own way.
        let _gone = kill_process_group(getpid(), Signal::TERM);
    }
    let mut asked = Instant::now();
    let mut patience = if code.is_none() { grace } else { LEFT };
    let mut is_asked = false;
    loop {
        match reap(test) {
            Reaped::Test(ended) => {
                code = Some(ended);
                continue;
            }
            Reaped::Nobody => break,
            Reaped::Others => {}
        }
        if code.is_some() && !is_asked {
            signal_all(Signal::TERM);
            (is_asked, asked, patience) = (true, Instant::now(), LEFT);
        }
        let since = asked.elapsed();
        if since > patience + KILLED {
            break;
        }
        if since > patience {
            signal_all(Signal::KILL);
        }
        wait::pause(LOOK).await;
    }
    code.unwrap_or(128 + 9)
}

/// Who has ended.
enum Reaped {
    /// The test, with this code.
    Test(u8),
    /// Not the test, or nobody yet.
    Others,
    /// Nobody is left.
    Nobody,
}

/// Buries who has ended, up to the test.
fn reap(test: Pid) -> Reaped {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == test => {
                let code = status
                    .exit_status()
                    .or_else(|| Some(128 + status.terminating_signal()?));
                return Reaped::Test(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255));
            }
            Ok(Some(_)) => {}
            Err(Errno::CHILD) => return Reaped::Nobody,
            Ok(None) | Err(_) => return Reaped::Others,
        }
    }
}

fn signal_all(signal: Signal) {
    for pid in descendants() {
        let _gone = kill_process(pid, signal);
    }
}

/// The processes below this one.
fn descendants() -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|it| it.parse().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent(pid)?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![getpid().as_raw_pid()]);
    while let Some(pid) = next.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        found.extend(below.iter().copied().filter_map(Pid::from_raw));
        next.extend(below);
    }
    found
}

/// The parent of a process (`proc_pid_stat(5)`: the name in parentheses may hold anything; state and parent follow it).
fn parent(pid: i32) -> Option<i32> {
    let mut stat = String::new();
    fs::File::open(format!("/proc/{pid}/stat"))
        .and_then(|mut file| file.read_to_string(&mut stat))
        .ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_started_is_below_us() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line).unwrap();
        let below = descendants();
        let grandchild = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        assert!(below.contains(&Pid::from_child(&child)) && below.contains(&grandchild));
        assert!(!below.contains(&getpid()));
        let _gone = kill_process(grandchild, Signal::KILL);
        child.wait().unwrap();
    }
}
