//! The tunnel as a process: started without ties, known by its id and the moment it began, ended.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal};

use crate::{host::HostError, record::write_private, report::one_line};

/// What the process keeps of our environment. The tracking id lets a runner clean it up at the end of the job.
const KEPT: [&str; 4] = ["PATH", "HOME", "RUNNER_TRACKING_ID", "SSH_AUTH_SOCK"];

/// Whatever else was left open in this process, the pipe of the step among it, stays behind.
const WITHOUT_TIES: &str = r#"for fd in /proc/$$/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done; exec "$0" "$@""#;

fn note_path(state: &Path) -> PathBuf {
    state.join("tunnel.pid")
}

fn log_path(state: &Path) -> PathBuf {
    state.join("tunnel.log")
}

/// Starts it: its own output goes to a file, so that the step ends although it lives on.
pub(super) fn start(state: &Path) -> Result<(), HostError> {
    let failed = |source| HostError::File {
        path: log_path(state).display().to_string(),
        source,
    };
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log_path(state))
        .map_err(failed)?;
    let errors = log.try_clone().map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let kept = KEPT
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    Command::new("bash")
        .args(["-c", WITHOUT_TIES])
        .arg(program)
        .arg("tunnel")
        .arg("--state")
        .arg(state)
        .env_clear()
        .envs(kept)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map(drop)
        .map_err(failed)
}

/// Notes this process as the tunnel.
pub(super) fn note(state: &Path) -> io::Result<()> {
    let id = std::process::id();
    let began = began(id).unwrap_or_default();
    write_private(&note_path(state), format!("{id} {began}\n").as_bytes())
        .map_err(|error| io::Error::other(error.to_string()))
}

/// Forgets about it.
pub(super) fn forget(state: &Path) {
    drop(fs::remove_file(note_path(state)));
}

/// Whether the process that was noted is alive: the same id and the same beginning.
pub(super) fn running(state: &Path) -> bool {
    noted(state).is_some()
}

/// Sends it a signal, if it is the process that was noted and none that got its number later.
pub(super) fn end(state: &Path, with: Signal) {
    if let Some(process) = noted(state) {
        let _gone_already = rustix::process::kill_process(process, with);
    }
}

/// The last line that it wrote.
pub(super) fn last_words(state: &Path) -> String {
    let text = fs::read_to_string(log_path(state)).unwrap_or_default();
    text.lines()
        .rfind(|line| !line.trim().is_empty())
        .map_or_else(|| "it does not listen yet".to_owned(), one_line)
}

fn noted(state: &Path) -> Option<Pid> {
    let text = fs::read_to_string(note_path(state)).ok()?;
    let (id, since) = text.trim().split_once(' ')?;
    let id: u32 = id.parse().ok()?;
    (began(id)? == since).then_some(())?;
    Pid::from_raw(i32::try_from(id).ok()?)
}

/// When a process began, in ticks since the boot; nothing for one that is dead or only waits to be buried.
///
/// (`proc_pid_stat(5)`: the name in parentheses may hold anything; after it come state and, 19 further, the start.)
fn began(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| began.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_of_that_number_is_let_be() {
        let dir = tempfile::tempdir().unwrap();
        note(dir.path()).unwrap();
        assert!(running(dir.path()));
        let mut other = Command::new("sleep").arg("30").spawn().unwrap();
        fs::write(note_path(dir.path()), format!("{} 1\n", other.id())).unwrap();
        assert!(!running(dir.path()));
        end(dir.path(), Signal::KILL);
        assert_eq!(other.try_wait().unwrap(), None);
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
