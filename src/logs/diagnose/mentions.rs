//! Who speaks of whom: the Services that lines of logs and environments name.

use std::{collections::HashMap, ops::Range};

use super::index::Index;
use crate::logs::snapshot::{Line, Log, Object, containers};

/// How a pod failed to reach somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The name does not resolve.
    NoName,
    /// Nobody listens.
    Refused,
    /// No answer comes.
    Silent,
    /// Another failure.
    Other,
}

/// A line of a log that tells of somebody who could not be reached.
pub(super) struct Mention<'a> {
    /// The pod that wrote it.
    pub(super) pod: &'a Object,
    /// The Service that it names, where there is one.
    pub(super) service: Option<&'a Object>,
    /// The name or the address.
    pub(super) host: String,
    /// How it failed.
    pub(super) how: How,
    /// The log.
    pub(super) log: &'a Log,
    /// The line.
    pub(super) line: &'a Line,
}

/// A host as a text names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address<'t> {
    /// Name or number.
    pub(super) host: &'t str,
    /// The port, where it is told.
    pub(super) port: Option<u16>,
}

/// What all logs tell of those who could not be reached, pod by pod.
pub(super) struct Mentions<'a> {
    /// All of it.
    pub(super) all: Vec<Mention<'a>>,
    of_pods: HashMap<*const Object, Range<usize>>,
    of_services: HashMap<*const Object, Vec<usize>>,
}

impl<'a> Mentions<'a> {
    /// What the logs of a pod tell, in their order.
    pub(super) fn of_pod(&self, pod: &Object) -> &[Mention<'a>] {
        let range = self.of_pods.get(&std::ptr::from_ref(pod));
        range.map_or(&[], |range| &self.all[range.clone()])
    }

    /// What all logs tell of a Service.
    pub(super) fn of_service(&self, service: &Object) -> impl Iterator<Item = &Mention<'a>> {
        let of = self.of_services.get(&std::ptr::from_ref(service));
        of.into_iter().flatten().map(|at| &self.all[*at])
    }
}

/// Reads all logs.
pub(super) fn all<'a>(index: &Index<'a>) -> Mentions<'a> {
    let mut mentions: Vec<Mention<'a>> = Vec::new();
    let mut of_pods = HashMap::new();
    for pod in index.pods() {
        let from = mentions.len();
        for container in containers(pod) {
            for previous in [false, true] {
                let Some(log) = index.snapshot.log(pod, container.name, previous) else {
                    continue;
                };
                for line in log.troubles() {
                    mentions.extend(of(index, pod, log, line));
                }
            }
        }
        of_pods.insert(std::ptr::from_ref::<Object>(pod), from..mentions.len());
    }
    let mut of_services: HashMap<*const Object, Vec<usize>> = HashMap::new();
    for (at, mention) in mentions.iter().enumerate() {
        if let Some(service) = mention.service {
            let of = of_services.entry(std::ptr::from_ref(service));
            of.or_default().push(at);
        }
    }
    Mentions {
        all: mentions,
        of_pods,
        of_services,
    }
}

/// What a line tells.
fn of<'a>(
    index: &Index<'a>,
    pod: &'a Object,
    log: &'a Log,
    line: &'a Line,
) -> impl Iterator<Item = Mention<'a>> {
    let how = how(&line.text);
    let namespace = pod.namespace().unwrap_or_default();
    let addresses = addresses(&line.text).into_iter();
    let found = addresses.filter_map(move |address| {
        let service = service(index, namespace, &address);
        // Of a name that nobody has, only its absence is told.
        (service.is_some() || how == How::NoName).then(|| (service, address.host.to_owned()))
    });
    found
        .map(move |(service, host)| Mention {
            pod,
            service,
            host,
            how,
            log,
            line,
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// How somebody could not be reached, by the words of resolvers and sockets.
fn how(line: &str) -> How {
    const NO_NAME: [&str; 9] = [
        "no such host",
        "UnknownHost",
        "ENOTFOUND",
        "EAI_AGAIN",
        "ame or service not known",
        "could not translate host name",
        "name resolution",
        "server misbehaving",
        "ame does not resolve",
    ];
    const SILENT: [&str; 5] = [
        "timeout",
        "timed out",
        "deadline exceeded",
        "no route to host",
        "ETIMEDOUT",
    ];
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&NO_NAME) {
        How::NoName
    } else if has(&["refused", "ECONNREFUSED"]) {
        How::Refused
    } else if has(&SILENT) {
        How::Silent
    } else {
        How::Other
    }
}

/// The hosts that a text names: with a port, as the host of a URL, or after a word that announces one.
pub(super) fn addresses(text: &str) -> Vec<Address<'_>> {
    const ANNOUNCED: [&str; 8] = [
        "lookup",
        "host",
        "name",
        "ENOTFOUND",
        "EAI_AGAIN",
        "UnknownHostException",
        "resolve",
        "server",
    ];
    let is_of_host = |c: char| c.is_ascii_alphanumeric() || ".-_:/@".contains(c);
    let mut found: Vec<Address<'_>> = Vec::new();
    let mut before = "";
    for word in text.split(|c| !is_of_host(c)).filter(|it| !it.is_empty()) {
        let is_url = word.contains("://");
        let plain = word.split_once("://").map_or(word, |(_, rest)| rest);
        let plain = plain.split('/').next().unwrap_or_default();
        let plain = plain.rsplit('@').next().unwrap_or_default();
        let plain = plain
            .trim_end_matches([':', '.', '-'])
            .trim_start_matches([':', '-']);
        let (host, port) = match plain.split_once(':') {
            Some((host, port)) => match port.split(':').next().map(str::parse) {
                Some(Ok(port)) => (host, Some(port)),
                _ => (host, None),
            },
            None => (plain, None),
        };
        let is_announced = ANNOUNCED.contains(&before.trim_end_matches(':'));
        // The resolver that was asked is not whom the line is about.
        let is_resolver = port == Some(53);
        before = word;
        let is_name =
            host.starts_with(|c: char| c.is_ascii_alphanumeric()) && !ANNOUNCED.contains(&host);
        if is_name && !is_resolver && (port.is_some() || is_url || is_announced) {
            found.push(Address { host, port });
        }
    }
    found
}

/// The Service that an address within a namespace means.
pub(super) fn service<'a>(
    index: &Index<'a>,
    namespace: &str,
    address: &Address<'_>,
) -> Option<&'a Object> {
    if address.host.parse::<std::net::IpAddr>().is_ok() {
        return index
            .service_at(address.host)
            .or_else(|| only_one_with_port(index, namespace, address.port?));
    }
    let parts: Vec<&str> = address.host.split('.').collect();
    match parts.as_slice() {
        [name] => index.get("Service", namespace, name),
        [name, namespace] | [name, namespace, "svc", ..] => index.get("Service", namespace, name),
        _ => None,
    }
}

/// Where files tell no addresses of Services: the only Service of a namespace that has a port.
fn only_one_with_port<'a>(index: &Index<'a>, namespace: &str, port: u16) -> Option<&'a Object> {
    if index.knows_addresses() {
        return None;
    }
    let services = index.of_kind("", "Service").iter();
    let mut with = services.filter(|it| it.namespace() == Some(namespace) && has_port(it, port));
    let first = with.next()?;
    with.next().is_none().then_some(*first)
}

/// Whether a Service has a port.
pub(super) fn has_port(service: &Object, port: u16) -> bool {
    service
        .list("/spec/ports")
        .iter()
        .any(|it| it["port"] == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_port_scheme_and_the_word_before() {
        let hosts = |text| -> Vec<(&str, Option<u16>)> {
            addresses(text)
                .into_iter()
                .map(|it| (it.host, it.port))
                .collect()
        };
        for (text, expected) in [
            (
                "dial tcp 10.96.0.7:7000: connect: connection refused",
                vec![("10.96.0.7", Some(7000))],
            ),
            (
                "lookup cart on 10.96.0.10:53: no such host",
                vec![("cart", None)],
            ),
            (
                "UnableToConnect on redis:6379/Interactive",
                vec![("redis", Some(6379))],
            ),
            (
                "GET \"http://web.n.svc/x?a=b\" failed",
                vec![("web.n.svc", None)],
            ),
            (
                "could not translate host name \"db\" to address",
                vec![("db", None)],
            ),
            ("getaddrinfo ENOTFOUND queue", vec![("queue", None)]),
            ("error of the frontend at 10:30", vec![("10", Some(30))]),
        ] {
            assert_eq!(hosts(text), expected, "{text}");
        }
    }
}
