//! A command that runs on the host by itself, and is followed by offset: a lost connection resumes, never reruns.
//!
//! It lives in a directory of its own below `~/.cache/manifests-e2e/jobs`: standard input, both outputs, exit code. Who
//! moves the directory into place starts it, so that it starts once.

use std::sync::atomic::Ordering;

use super::{HostError, SshHost, quoted};
use crate::{
    host::{
        Command, Host as _, Output,
        capture::{Capture, OutputStream},
    },
    limits::Deadline,
};

/// Which boot this is, on the host: the kernel's name for it, and when its first process began (a container's may
/// begin anew under the same kernel).
const BOOT: &str = "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat";
/// What a look says of a command that ended with its boot.
const REBOOTED: &str = "rebooted";

/// How long one look waits on the host for something new, in tenths of a second.
const POLLS: u32 = 100;

pub(super) async fn run(
    host: &SshHost,
    name: &str,
    command: &Command,
    deadline: Deadline,
) -> Result<Output, HostError> {
    let number = host.started.fetch_add(1, Ordering::Relaxed);
    let dir = format!(
        "\"$HOME\"/.cache/manifests-e2e/jobs/{name}-{:08x}-{number}",
        host.nonce
    );
    let inner = host.wrapped(&command.script, command.root);
    let runner = format!(
        "{inner} <\"$0\"/in >\"$0\"/out 2>\"$0\"/err; s=$?; rm -f \"$0\"/in; echo $s >\"$0\"/exit.new; mv \"$0\"/exit.new \"$0\"/exit"
    );
    // The directory appears whole, and once: an earlier try whose answer was lost may have got that far.
    let start = format!(
        "set -e; umask 077; d={dir}; [ ! -e \"$d\" ] || exit 0; n=\"$d.$$\"\n\
         mkdir -p \"$n\"; cat >\"$n\"/in; ({BOOT}) >\"$n\"/boot; : >\"$n\"/out; : >\"$n\"/err\n\
         [ \"$(stat -c %s \"$n\"/in)\" = {length} ] || {{ rm -rf \"$n\"; exit 75; }}\n\
         mv -T \"$n\" \"$d\" 2>/dev/null || {{ rm -rf \"$n\"; [ -e \"$d\" ]; exit; }}\n\
         setsid bash -c {runner} \"$d\" </dev/null >/dev/null 2>&1 &",
        length = command.stdin.len(),
        runner = quoted(&runner),
    );
    let started = host.again(&start, false, &command.stdin, deadline).await?;
    host.succeeded(&format!("start {name}"), started)?;
    let mut capture = Capture::new(command.streamed);
    let mut seen = [0_usize; 2];
    loop {
        let look = host.again(&look(&dir, seen), false, &[], deadline).await?;
        let look = host.succeeded(&format!("follow {name}"), look)?;
        if look.stdout.starts_with(REBOOTED) {
            return Err(HostError::Rebooted {
                host: host.describe(),
                what: name.to_owned(),
            });
        }
        let (status, out, err) = understood(&look).ok_or_else(|| HostError::Failed {
            host: host.describe(),
            what: format!("follow {name}"),
            status: 0,
            output: look.stdout.clone(),
        })?;
        capture.push(OutputStream::Stdout, &out);
        capture.push(OutputStream::Stderr, &err);
        seen[0] += out.len();
        seen[1] += err.len();
        if let Some(status) = status {
            let tidy = format!("rm -rf {dir}");
            // It has ended; what is left of it is a few bytes.
            drop(host.again(&tidy, false, &[], deadline).await);
            return Ok(capture.finish(status));
        }
    }
}

/// Waits for something new; then prints exit code (or `-`), then both news in base64, a line each.
///
/// The exit code is read before the outputs: when it is there, they are whole.
fn look(dir: &str, [out, err]: [usize; 2]) -> String {
    format!(
        "d={dir}; [ -e \"$d\"/exit ] || [ \"$({BOOT})\" = \"$(cat \"$d\"/boot)\" ] || {{ echo {REBOOTED}; exit 0; }}\n\
         for _ in $(seq {POLLS}); do\n\
         s=-; if [ -e \"$d\"/exit ]; then s=$(cat \"$d\"/exit); break; fi\n\
         [ \"$(stat -c %s \"$d\"/out) $(stat -c %s \"$d\"/err)\" = '{out} {err}' ] || break; sleep 0.1; done\n\
         echo \"$s\"; tail -c +{} \"$d\"/out | head -c 1000000 | base64 -w0; echo; tail -c +{} \"$d\"/err | head -c 1000000 | base64 -w0; echo",
        out + 1,
        err + 1,
    )
}

/// Exit code, and what is new on both streams; an exit code counts once all was read.
fn understood(look: &Output) -> Option<(Option<i32>, Vec<u8>, Vec<u8>)> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut lines = look.stdout.lines();
    let status = lines.next()?;
    let out = STANDARD.decode(lines.next()?).ok()?;
    let err = STANDARD.decode(lines.next()?).ok()?;
    let whole = out.len() < 1_000_000 && err.len() < 1_000_000;
    let status = match status {
        "-" => None,
        code => Some(code.trim().parse().ok()?),
    };
    Some((status.filter(|_| whole), out, err))
}
