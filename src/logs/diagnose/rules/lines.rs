//! What lines of logs, and messages of probes, tell of a cause of their own.

use std::collections::BTreeSet;

use super::{Finding, Scene};
use crate::{
    logs::{
        diagnose::{
            Class, Evidence,
            index::{id_of, times},
            mentions::How,
        },
        snapshot::{Container, Line, Object, containers, healthy, list, text},
    },
    pod::brief,
};

/// How often a pod that is ready has to say a line before it counts.
const OFTEN: usize = 3;

/// Minutes for which an event counts.
const RECENT: i64 = 10;

/// Words of a line, all of which have to be in one of the alternatives, in small letters.
type Words = &'static [&'static [&'static str]];

/// The words are those of the kernel's errors, of the database servers, and of Kubernetes' API server.
const TABLE: [(Class, Words); 11] = [
    (
        Class::InotifyLimit,
        &[
            &["too many open files", "inotify"],
            &["too many open files", "fsnotify"],
            &["too many open files", "watcher"],
            &["too many open files", "watch "],
            &["no space left on device", "watch"],
            &["number of file watchers reached"],
            &["inotify_init", "too many"],
        ],
    ),
    (
        Class::NoSpaceLeft,
        &[
            &["no space left on device"],
            &["enospc"],
            &["disk quota exceeded"],
        ],
    ),
    (
        Class::PortInUse,
        &[
            &["address already in use"],
            &["eaddrinuse"],
            &["port", "already in use"],
            &["port is already allocated"],
        ],
    ),
    (
        Class::DatabaseAccessDenied,
        &[
            &["access denied for user"],
            &["password authentication failed"],
            &["sasl authentication failed"],
            &["mongo", "authentication failed"],
            &["noauth authentication required"],
            &["wrongpass"],
            &["no pg_hba.conf entry"],
        ],
    ),
    (
        Class::DatabaseReadOnly,
        &[
            &["read-only transaction"],
            &["--read-only option"],
            &["super-read-only"],
            &["readonly you can't write"],
            &["write a readonly database"],
        ],
    ),
    (
        Class::DatabaseConnectionsUsedUp,
        &[
            &["error 1040"],
            &["too many connections"],
            &["too many clients already"],
            &["remaining connection slots are reserved"],
            &["max number of clients reached"],
        ],
    ),
    (
        Class::AccessForbidden,
        &[
            &["is forbidden: user \"system:serviceaccount:"],
            &["rbac: access denied"],
        ],
    ),
    (
        Class::CertificateRefused,
        &[
            &["x509: certificate"],
            &["certificate has expired"],
            &["certificate verify failed"],
            &["unable to get local issuer certificate"],
            &["pkix path building failed"],
        ],
    ),
    (Class::ImagePlatformMissing, &[&["exec format error"]]),
    (
        Class::OutOfMemory,
        &[
            &["java.lang.outofmemoryerror"],
            &["javascript heap out of memory"],
            &["std::bad_alloc"],
            &["cannot allocate memory"],
        ],
    ),
    (
        Class::ApiServerSlow,
        &[
            &["etcdserver: request timed out"],
            &["etcdserver: leader changed"],
            &["leader election lost"],
            &["failed to renew lease"],
        ],
    ),
];

/// The class that a message tells of.
pub(super) fn class(message: &str) -> Option<Class> {
    let low = message.to_lowercase();
    let row = TABLE.iter().find(|(_, words)| {
        let any = |all: &&[&str]| all.iter().all(|word| low.contains(word));
        words.iter().any(any)
    });
    row.map(|(class, _)| *class)
}

/// The line that says most: the last that tells of a cause of its own, else of an error, else the last.
pub(super) fn telling(lines: &[Line]) -> Option<&Line> {
    const WORDS: [&str; 12] = [
        "panic",
        "fatal",
        "error",
        "exception",
        "cannot",
        "failed",
        "refused",
        "denied",
        "no such",
        "not found",
        "timeout",
        "timed out",
    ];
    // A frame of a stack is no word on the cause.
    let is_frame = |line: &str| {
        let line = line.trim_start();
        line.starts_with("at ") || line.starts_with("File \"") || line.contains(".go:")
    };
    let has = |line: &&Line| {
        let low = line.text.to_lowercase();
        WORDS.iter().any(|word| low.contains(word)) && !is_frame(&line.text)
    };
    let mut back = lines.iter().rev();
    let panic = lines.iter().find(|it| it.text.starts_with("panic: "));
    back.clone()
        .find(|line| class(&line.text).is_some())
        .or(panic)
        .or_else(|| back.clone().find(has))
        .or_else(|| back.next())
}

/// What a line of a container tells in a sentence.
pub(super) fn sentence(
    class: Class,
    pod: &Object,
    container: &Container<'_>,
    line: &str,
) -> String {
    let (name, said) = (container.name, brief(line.trim()));
    match class {
        Class::PortInUse => {
            let port = port(line);
            let others = containers(pod);
            let other = port.and_then(|port| {
                others.iter().find(|it| {
                    let mut ports = list(it.spec, "/ports").iter();
                    it.name != name && ports.any(|it| it["containerPort"] == port)
                })
            });
            match (port, other) {
                (Some(port), Some(other)) => format!(
                    "container {name} wants port {port}, which container {} of the same pod has",
                    other.name
                ),
                (Some(port), None) => format!(
                    "container {name} wants port {port}, and the address is already in use: {said}"
                ),
                _ => format!("container {name} wants a port that is already in use: {said}"),
            }
        }
        Class::DatabaseAccessDenied => {
            format!("container {name}: the database refuses its user or password: {said}")
        }
        Class::DatabaseReadOnly => {
            format!("container {name}: the database takes no writes, it is read-only: {said}")
        }
        Class::DatabaseConnectionsUsedUp => {
            format!("container {name}: the database has no connections left: {said}")
        }
        Class::NoSpaceLeft => format!("container {name}: no space is left on its disk: {said}"),
        Class::InotifyLimit => {
            format!("container {name}: the node's limit of inotify watches is used up: {said}")
        }
        Class::AccessForbidden => {
            format!("container {name}: its service account lacks a right: {said}")
        }
        Class::CertificateRefused => format!("container {name} refuses a certificate: {said}"),
        Class::ImagePlatformMissing => {
            format!("container {name}: its image is for another architecture than the node: {said}")
        }
        Class::OutOfMemory => format!("container {name} is out of memory: {said}"),
        Class::ApiServerSlow => format!("container {name}: the API server is too slow: {said}"),
        _ => format!("container {name}: {said}"),
    }
}

/// The port of a line about one: the last number after a colon, or the number after the word.
fn port(line: &str) -> Option<u64> {
    let after_word = line.split_once("ort ").map(|(_, rest)| rest);
    let number = |text: &str| -> Option<u64> {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits
            .parse()
            .ok()
            .filter(|port| (1..=65535).contains(port))
    };
    let in_address = line
        .rmatch_indices(':')
        .find_map(|(at, _)| number(&line[at + 1..]));
    in_address.or_else(|| after_word.and_then(number))
}

/// A file of a volume that a container may not read or write.
pub(super) fn denied_mount<'a>(container: &Container<'a>, line: &str) -> Option<&'a str> {
    let low = line.to_lowercase();
    if !low.contains("permission denied") && !low.contains("eacces") {
        return None;
    }
    let mounts = list(container.spec, "/volumeMounts").iter();
    mounts
        .map(|mount| text(mount, "/mountPath"))
        .find(|path| path.len() > 1 && line.contains(*path))
}

/// What a pod that does not come up needs of others: the Services that its logs name, and whose pods are behind them.
pub(super) fn needs(scene: &Scene<'_>, pod: &Object) -> Vec<String> {
    let own = scene.index.owner(pod);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut needs = Vec::new();
    for mention in scene.mentions.of_pod(pod) {
        let Some(service) = mention.service else {
            continue;
        };
        if seen.insert(service.name()) {
            needs.push(id_of(service));
            needs.extend(scene.index.owners_behind(service));
        }
    }
    needs.retain(|need| *need != own);
    needs
}

/// Whom a pod cannot reach, by its last words on the matter.
pub(super) fn unreached(scene: &Scene<'_>, pod: &Object) -> Option<(String, Evidence)> {
    let mut of_pod = scene.mentions.of_pod(pod).iter().rev();
    let mention = of_pod.find(|it| it.how != How::Other && it.service.is_some())?;
    let service = mention.service?;
    let how = match mention.how {
        How::NoName => "its name does not resolve",
        How::Refused => "it refuses connections",
        _ => "it does not answer",
    };
    let said = format!("it cannot reach {}: {how}", id_of(service));
    Some((said, Evidence::line(mention.log, mention.line)))
}

/// Troubles of databases that probes tell, and pods which are ready again and again.
pub(super) fn databases(scene: &Scene<'_>) -> Vec<Finding> {
    let pods = scene.index.pods().iter();
    let running = pods.filter(|pod| pod.text("/status/phase") == "Running");
    let running: Vec<&&Object> = running.collect();
    // The database itself is named before those that use it.
    let mut found: Vec<Finding> = running
        .iter()
        .filter_map(|pod| probed(scene, pod))
        .collect();
    let ready = running.iter().filter(|pod| healthy(pod));
    found.extend(ready.filter_map(|pod| written(scene, pod)));
    found
}

/// What a probe that asks a database tells.
fn probed(scene: &Scene<'_>, pod: &Object) -> Option<Finding> {
    let events = scene.index.events_of(pod);
    let (event, class) = events.iter().rev().find_map(|event| {
        let is_one = event.text("/reason") == "Unhealthy" && times(event) >= 3;
        let class = class(event.text("/message")).filter(|it| is_of_database(*it))?;
        (is_one && scene.index.is_recent(event, RECENT)).then_some((event, class))
    })?;
    let message = event.text("/message");
    let what = match class {
        Class::DatabaseConnectionsUsedUp => "the database has no connections left",
        Class::DatabaseReadOnly => "the database is read-only",
        _ => "the database refuses the probe's user",
    };
    let said = format!("{what}: {}", brief(message));
    let finding = Finding::new(class, scene.index.owner(pod), said);
    Some(shared(finding, pod).shown([scene.evidence(event, message)]))
}

fn written(scene: &Scene<'_>, pod: &Object) -> Option<Finding> {
    containers(pod).iter().find_map(|container| {
        let log = scene.index.snapshot.log(pod, container.name, false)?;
        let (line, class) = log.troubles().find_map(|line| {
            // A server that refuses a client is well, and says so.
            let is_one = |it: &Class| is_of_database(*it) && *it != Class::DatabaseAccessDenied;
            let class = class(&line.text).filter(is_one)?;
            (line.times >= OFTEN && log.is_late(line)).then_some((line, class))
        })?;
        let said = sentence(class, pod, container, &line.text);
        let finding = Finding::new(class, scene.index.owner(pod), said)
            .needing(needs(scene, pod))
            .shown([Evidence::line(log, line)]);
        Some(shared(finding, pod))
    })
}

/// Makes troubles of one database one cause, as far as a namespace has one: files do not tell which a pod uses.
pub(super) fn shared(finding: Finding, pod: &Object) -> Finding {
    if !matches!(
        finding.class,
        Class::DatabaseReadOnly | Class::DatabaseConnectionsUsedUp
    ) {
        return finding;
    }
    let said = finding.cause.clone();
    finding.sharing(pod.namespace().unwrap_or_default(), said)
}

const fn is_of_database(class: Class) -> bool {
    matches!(
        class,
        Class::DatabaseAccessDenied
            | Class::DatabaseReadOnly
            | Class::DatabaseConnectionsUsedUp
            | Class::NoSpaceLeft
    )
}
