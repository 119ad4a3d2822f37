//! What the host knows when the API server does not: its kernel's log, its disk and memory, its containers, and what
//! `kind export logs` finds on the nodes.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use futures::{StreamExt as _, stream};

use super::clip::{self, Clipped};
use crate::{
    host::{Command, Host},
    limits::{Deadline, Limit},
    logs::{layout, snapshot::Gap},
    record::HostKind,
    report::{Explain as _, one_line},
};

/// Longest time for one fact.
const PATIENCE: Duration = Duration::from_secs(20);
/// Commands at once on one host.
const AT_ONCE: usize = 4;
/// How a file of a node begins is kept up to here; these hold rotated logs, which the API server does not show.
const HEAD: usize = 1024 * 1024;
/// How it ends is kept up to here.
const TAIL: usize = 16 * 1024 * 1024;
/// Bytes of all files of the nodes together.
const BUDGET: u64 = 512 * 1024 * 1024;

/// The fact that tells how long pods had to wait for their CPU.
pub const CPU_STAT: &str = "cpu-stat";

/// A file for the bundle.
pub type Found = Result<(String, Clipped), Gap>;

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The host.
    pub host: &'a dyn Host,
    /// Whether it is this machine: then it may be somebody's own, and root is not asked for.
    pub kind: HostKind,
    /// The KinD cluster, where there is one.
    pub cluster: Option<&'a str>,
}

impl Site<'_> {
    fn command(&self, script: impl Into<String>) -> Command {
        let command = Command::new(script);
        match self.kind {
            HostKind::Ssh => command.root(),
            HostKind::Local => command,
        }
    }

    /// What to ask the host: file and script.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let ours = match (self.kind, self.cluster) {
            (HostKind::Local, Some(cluster)) => {
                format!("--filter label=io.x-k8s.kind.cluster={cluster} ")
            }
            _ => String::new(),
        };
        let mut facts = vec![
            (
                "uname",
                "uname -a; uptime; cat /proc/loadavg; cat /etc/os-release".to_owned(),
            ),
            (
                "df",
                "df -h -x overlay -x tmpfs; echo; df -i -x overlay -x tmpfs".to_owned(),
            ),
            (
                "free",
                "free -m; echo; cat /proc/pressure/* 2>/dev/null; true".to_owned(),
            ),
            (
                "limits",
                "sysctl fs.inotify fs.file-nr fs.file-max kernel.pid_max vm.max_map_count; true"
                    .to_owned(),
            ),
        ];
        // A machine that has no cluster of this job is somebody's own: what runs there is not ours to tell.
        if self.kind == HostKind::Ssh || self.cluster.is_some() {
            facts.extend([
                (
                    "dmesg",
                    "dmesg -T 2>/dev/null | tail -n 4000 | grep . || dmesg | tail -n 4000".to_owned(),
                ),
                (
                    "docker-ps",
                    format!(
                        "docker ps -a --no-trunc {ours}--format 'table {{{{.Names}}}}\\t{{{{.Image}}}}\\t{{{{.Status}}}}\\t{{{{.RunningFor}}}}'"
                    ),
                ),
                ("docker-info", "docker info 2>&1".to_owned()),
                ("docker-df", "docker system df".to_owned()),
            ]);
        }
        if let Some(cluster) = self.cluster {
            // How long pods had to wait for their CPU: no API tells it.
            facts.push((
                CPU_STAT,
                format!(
                    "for node in $(docker ps -q --filter label=io.x-k8s.kind.cluster={cluster}); do docker exec $node sh -c 'cd /sys/fs/cgroup && find . -path \"*pod*\" -name cpu.stat | while read -r f; do echo \"== $f\"; grep -E \"^(nr|throttled)_\" \"$f\"; done'; done; true"
                ),
            ));
            // The last resort for a node that is stopped: it answers no `exec`.
            facts.push((
                "nodes",
                format!(
                    "for node in $(docker ps -aq --filter label=io.x-k8s.kind.cluster={cluster}); do docker inspect --format '{{{{.Name}}}} {{{{json .State}}}}' $node; docker logs --tail 300 $node 2>&1; done"
                ),
            ));
        }
        if self.kind == HostKind::Ssh {
            facts.push((
                "cloud-init",
                "cloud-init status --long 2>&1; cat /var/log/cloud-init-output.log".to_owned(),
            ));
            facts.push((
                "cloud-init-log",
                "tail -n 3000 /var/log/cloud-init.log".to_owned(),
            ));
        }
        facts
    }
}

/// The facts of a host, each with what its command said on standard error.
pub async fn facts(site: Site<'_>, deadline: Deadline) -> Vec<Found> {
    stream::iter(site.facts())
        .map(async |(name, script)| {
            let file = format!("host/{name}.txt");
            let gap = |error: String| Gap {
                file: file.clone(),
                error,
            };
            let command = site.command(script);
            let within = deadline.within(PATIENCE);
            let output = within
                .bound(site.host.run(&command, within))
                .await
                .map_err(|passed| gap(passed.to_string()))?
                .map_err(|error| gap(one_line(&error.to_string())))?;
            if output.stdout.trim().is_empty() {
                let said = one_line(&output.stderr);
                return Err(gap(if said.is_empty() {
                    format!("nothing was printed (exit code {})", output.status)
                } else {
                    said
                }));
            }
            let mut text = output.stdout;
            if output.status != 0 {
                text = format!("{text}[exit code {}] {}\n", output.status, output.stderr);
            }
            Ok((file.clone(), Clipped::whole(text)))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Has kind write the nodes' logs on the host and brings them here as one archive.
///
/// # Errors
/// The [`Gap`] that stands for all of them.
pub async fn export(
    site: Site<'_>,
    kind: &str,
    archive: &Path,
    deadline: Deadline,
) -> Result<(), Gap> {
    let gap = |error: String| Gap {
        file: "kind/".to_owned(),
        error,
    };
    let Some(cluster) = site.cluster else {
        return Err(gap("no KinD cluster of this job is known".to_owned()));
    };
    let directory = format!("/tmp/manifests-e2e-logs-{:016x}", rand::random::<u64>());
    let exported = bring(site, &directory, kind, cluster, archive, deadline).await;
    // Also where the script was ended: what it wrote holds secrets.
    let removal = site.command(format!("rm -rf {directory}"));
    let soon = Deadline::after(Limit::secs(5));
    drop(soon.bound(site.host.run(&removal, soon)).await);
    exported.map_err(gap)
}

async fn bring(
    site: Site<'_>,
    directory: &str,
    kind: &str,
    cluster: &str,
    archive: &Path,
    deadline: Deadline,
) -> Result<(), String> {
    // A node that is stopped or hangs holds kind back: it has half the time, the rest is for what came until then.
    let seconds = deadline.remaining().as_secs();
    let (limit, packing) = ((seconds / 2).max(1), (seconds / 4).max(1));
    let script = format!(
        r#"set -e
umask 077
read -r kind
read -r cluster
# Where install-kind leaves it on a host, whoever root is there.
command -v "$kind" >/dev/null || kind=$(ls -t {{"$HOME",/home/*,/root}}/.cache/manifests-e2e/bin/kind-* 2>/dev/null | head -n 1)
d={directory}
mkdir "$d"
timeout -k 2 {limit} "$kind" export logs "$d/logs" --name "$cluster" >"$d/said" 2>&1 || said=$?
# Copies of `pods`; binary logs, in which no secret could be found.
rm -rf "$d"/logs/*/containers "$d"/logs/*/journal
if [ -z "$(ls -A "$d/logs" 2>/dev/null)" ]; then cat "$d/said" >&2; exit "${{said:-1}}"; fi
cp "$d/said" "$d/logs/kind-export.txt"
[ -z "$said" ] || echo "kind export logs ended with $said" >>"$d/logs/kind-export.txt"
# What was packed when its time is up is read as far as it goes; the rest is told as missing.
timeout -k 1 {packing} tar -C "$d/logs" -cf - . | gzip -1 >"$d/logs.tgz" || true
# Who fetches it is not root.
[ -z "$SUDO_UID" ] || chown -R "$SUDO_UID" "$d"
printf ok"#
    );
    // Names come in by standard input: a shell would take a path with a space for two.
    let command = site.command(script).stdin(format!("{kind}\n{cluster}\n"));
    let output = deadline
        .bound(site.host.run(&command, deadline))
        .await
        .map_err(|passed| passed.to_string())?
        .map_err(|error| one_line(&error.to_string()))?;
    if output.status != 0 || output.stdout.trim() != "ok" {
        return Err(format!(
            "kind export logs failed (exit code {}): {}",
            output.status,
            one_line(&output.stderr)
        ));
    }
    deadline
        .bound(
            site.host
                .get(&format!("{directory}/logs.tgz"), archive, deadline),
        )
        .await
        .map_err(|passed| passed.to_string())
        .and_then(|got| got.map_err(|error| describe(&error)))
}

fn describe(error: &crate::host::HostError) -> String {
    let mut text = one_line(&error.to_string());
    for detail in error.details().iter().take(3) {
        text = format!("{text}: {}", one_line(detail));
    }
    text
}

/// The files of such an archive, one after the other, clipped.
///
/// # Errors
/// When the archive cannot be read to its end.
pub fn unpack(archive: &Path, mut take: impl FnMut(Found)) -> io::Result<()> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(archive)?));
    let mut budget = BUDGET;
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let file = layout::safe(&format!("kind/{}", entry.path()?.display()));
        if budget == 0 {
            take(Err(Gap {
                file,
                error: "the logs of the nodes are larger than 512 MiB".to_owned(),
            }));
            continue;
        }
        let (file, clipped) = match unpacked(file, &mut entry) {
            Ok(found) => found,
            Err(gap) => {
                take(Err(gap));
                continue;
            }
        };
        if clipped.bytes.is_empty() {
            continue;
        }
        if is_binary(&clipped.bytes) {
            take(Err(Gap {
                file,
                error: "it is binary: no secret could be found in it".to_owned(),
            }));
            continue;
        }
        budget = budget.saturating_sub(clipped.bytes.len() as u64);
        take(Ok((file, clipped)));
    }
    Ok(())
}

/// A file of the archive; one that the kubelet has rotated is compressed.
fn unpacked(file: String, entry: &mut impl Read) -> Result<(String, Clipped), Gap> {
    let broken = |file: &str, error: io::Error| Gap {
        file: file.to_owned(),
        error: format!("it cannot be read: {error}"),
    };
    let Some(name) = file.strip_suffix(".gz").map(str::to_owned) else {
        let clipped = clip::read(entry, HEAD, TAIL).map_err(|error| broken(&file, error))?;
        return Ok((file, clipped));
    };
    let clipped = clip::read(flate2::read::MultiGzDecoder::new(entry), HEAD, TAIL);
    clipped
        .map(|clipped| (name, clipped))
        .map_err(|error| broken(&file, error))
}

/// Compressed or not text at all.
fn is_binary(bytes: &[u8]) -> bool {
    const XZ: &[u8] = b"\xfd7zXZ";
    const GZIP: &[u8] = b"\x1f\x8b";
    bytes.starts_with(XZ) || bytes.starts_with(GZIP) || bytes[..bytes.len().min(4096)].contains(&0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn rotated_logs_are_unpacked_and_a_broken_one_costs_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kind.tgz");
        let gzip = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        };
        let mut archive = tar::Builder::new(Vec::new());
        let rotated = gzip(b"rotated line\n");
        for (name, content) in [
            (
                "node/pods/n_p_1/c/0.log.20260822-100000.gz",
                rotated.as_slice(),
            ),
            ("node/pods/n_p_1/c/0.log.20260822-110000.gz", b"no archive"),
            ("node/pods/n_p_1/c/0.log", b"line\n"),
            ("node/some.bin", b"a\0b"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content).unwrap();
        }
        std::fs::write(&path, gzip(&archive.into_inner().unwrap())).unwrap();
        let mut found = Vec::new();
        unpack(&path, |file| {
            found.push(match file {
                Ok((file, clipped)) => {
                    format!("{file}: {}", String::from_utf8(clipped.bytes).unwrap())
                }
                Err(gap) => format!("{} gap", gap.file),
            });
        })
        .unwrap();
        assert_eq!(
            found,
            [
                "kind/node/pods/n_p_1/c/0.log.20260822-100000: rotated line\n",
                "kind/node/pods/n_p_1/c/0.log.20260822-110000.gz gap",
                "kind/node/pods/n_p_1/c/0.log: line\n",
                "kind/node/some.bin gap",
            ]
        );
    }
}
