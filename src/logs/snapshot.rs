//! A cluster as it was at one moment: its objects, the ends of its logs, and what could not be seen of it.
//!
//! Pure data: filled by `collect`, read by `describe`, `diagnose` and `render`.

mod cpu;
mod log;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

pub use cpu::CpuStats;
pub use log::{Line, Log};

/// One object as the API server gave it.
#[derive(Clone, Debug)]
pub struct Object {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// `Pod`.
    pub kind: String,
    /// All of it.
    pub value: Value,
    /// The file that it was read from; empty where a server gave it.
    pub file: String,
}

impl Object {
    /// An object from its JSON, if it says what it is.
    pub fn of(value: Value) -> Option<Self> {
        Some(Self {
            api_version: value.get("apiVersion")?.as_str()?.to_owned(),
            kind: value.get("kind")?.as_str()?.to_owned(),
            value,
            file: String::new(),
        })
    }

    /// The group of its API; empty for the core.
    pub fn group(&self) -> &str {
        let group = self.api_version.rsplit_once('/');
        group.map_or("", |(group, _)| group)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace, if it lives in one.
    pub fn namespace(&self) -> Option<&str> {
        self.value
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
    }

    /// `namespace/name`, or the name alone.
    pub fn path(&self) -> String {
        match self.namespace() {
            Some(namespace) => format!("{namespace}/{}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// A text by JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        text(&self.value, pointer)
    }

    /// A whole number by JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.value.pointer(pointer).and_then(Value::as_i64)
    }

    /// An array by JSON pointer; empty where there is none.
    pub fn list(&self, pointer: &str) -> &[Value] {
        list(&self.value, pointer)
    }

    /// The condition of that type.
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        self.list("/status/conditions")
            .iter()
            .find(|condition| text(condition, "/type") == kind)
    }

    /// Whether the condition of that type has that status.
    pub fn is(&self, kind: &str, status: &str) -> bool {
        self.condition(kind)
            .is_some_and(|condition| text(condition, "/status") == status)
    }

    /// The owner that controls it: kind and name.
    pub fn controller(&self) -> Option<(&str, &str)> {
        let owners = self.list("/metadata/ownerReferences");
        let owner = owners
            .iter()
            .find(|owner| owner.pointer("/controller") == Some(&Value::Bool(true)))
            .or_else(|| owners.first())?;
        Some((text(owner, "/kind"), text(owner, "/name")))
    }
}

/// A text by JSON pointer; empty where there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// An array by JSON pointer; empty where there is none.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Which log of which container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKey {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The run before the present one.
    pub previous: bool,
}

/// Something that was wanted and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where it would be in the bundle.
    pub file: String,
    /// Why it is not.
    pub error: String,
}

/// Everything that was seen of a cluster.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub taken: Timestamp,
    /// Name of the context, which names the folder of the objects.
    pub context: String,
    /// The server's version, once it answered.
    pub version: Option<Value>,
    /// What the server serves: file and content.
    pub discovery: Vec<(&'static str, Value)>,
    /// All objects.
    pub objects: Vec<Object>,
    /// What is kept of the containers' logs.
    pub logs: BTreeMap<LogKey, Log>,
    /// How long pods had to wait for their CPU.
    pub cpu: CpuStats,
    /// What could not be had.
    pub gaps: Vec<Gap>,
    /// Whether all Secrets were listed: else nobody knows what must not be shown.
    pub secrets_listed: bool,
}

impl Snapshot {
    /// One of which nothing was seen yet.
    pub fn empty(context: &str) -> Self {
        Self {
            taken: Timestamp::now(),
            context: context.to_owned(),
            version: None,
            discovery: Vec::new(),
            objects: Vec::new(),
            logs: BTreeMap::new(),
            cpu: CpuStats::default(),
            gaps: Vec::new(),
            secrets_listed: false,
        }
    }

    /// Whether the API server answered at all.
    pub fn reached(&self) -> bool {
        self.version.is_some() || !self.objects.is_empty()
    }

    /// The objects of a kind of a group (`""` is the core).
    pub fn of_kind<'a>(
        &'a self,
        group: &'a str,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Object> + 'a {
        self.objects
            .iter()
            .filter(move |object| object.kind == kind && object.group() == group)
    }

    /// The pods.
    pub fn pods(&self) -> impl Iterator<Item = &Object> {
        self.of_kind("", "Pod")
    }

    /// The events of an object, oldest first.
    pub fn events_of(&self, object: &Object) -> Vec<&Object> {
        let uid = object.text("/metadata/uid");
        let mut events: Vec<_> = self
            .of_kind("", "Event")
            .filter(|event| {
                let involved = event.text("/involvedObject/uid");
                if !involved.is_empty() && involved == uid {
                    return true;
                }
                event.text("/involvedObject/kind") == object.kind
                    && event.text("/involvedObject/name") == object.name()
                    && event.text("/involvedObject/namespace")
                        == object.namespace().unwrap_or_default()
            })
            .collect();
        events.sort_by_key(|event| event_time(event));
        events
    }

    /// What is kept of a container's log, of the run before the present one where that is wanted.
    pub fn log(&self, pod: &Object, container: &str, previous: bool) -> Option<&Log> {
        self.logs.get(&LogKey {
            namespace: pod.namespace().unwrap_or_default().to_owned(),
            pod: pod.name().to_owned(),
            container: container.to_owned(),
            previous,
        })
    }
}

/// When an event was last seen, as its text; times of one form sort as text.
pub fn event_time(event: &Object) -> &str {
    [
        "/lastTimestamp",
        "/series/lastObservedTime",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]
    .iter()
    .map(|pointer| event.text(pointer))
    .find(|time| !time.is_empty())
    .unwrap_or_default()
}

/// One container of a pod with its status.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    /// `init container`, `container`, `ephemeral container`.
    pub role: &'static str,
    /// Its name.
    pub name: &'a str,
    /// Its part of the spec.
    pub spec: &'a Value,
    /// Its status, once the kubelet wrote one.
    pub status: &'a Value,
}

impl Container<'_> {
    /// How often it was restarted.
    pub fn restarts(&self) -> i64 {
        self.status
            .pointer("/restartCount")
            .and_then(Value::as_i64)
            .unwrap_or(0)
    }

    /// Whether a run before the present one left a log.
    pub fn has_previous(&self) -> bool {
        self.restarts() > 0 || self.status.pointer("/lastState/terminated").is_some()
    }

    /// Why it has not started yet, if it never did.
    pub fn never_started(&self) -> Option<&str> {
        if self.status.is_null() {
            return Some("no status yet");
        }
        let waiting = self.status.pointer("/state/waiting")?;
        (!self.has_previous()).then(|| text(waiting, "/reason"))
    }
}

/// All containers of a pod: init, ordinary and ephemeral.
pub fn containers(pod: &Object) -> Vec<Container<'_>> {
    const ROLES: [(&str, &str, &str); 3] = [
        (
            "init container",
            "/spec/initContainers",
            "/status/initContainerStatuses",
        ),
        ("container", "/spec/containers", "/status/containerStatuses"),
        (
            "ephemeral container",
            "/spec/ephemeralContainers",
            "/status/ephemeralContainerStatuses",
        ),
    ];
    static NONE: Value = Value::Null;
    let mut found = Vec::new();
    for (role, spec, status) in ROLES {
        for container in pod.list(spec) {
            let name = text(container, "/name");
            let status = pod
                .list(status)
                .iter()
                .find(|status| text(status, "/name") == name)
                .unwrap_or(&NONE);
            found.push(Container {
                role,
                name,
                spec: container,
                status,
            });
        }
    }
    found
}

/// Whether a pod is as it should be: done, or each of its containers ready.
pub fn healthy(pod: &Object) -> bool {
    match pod.text("/status/phase") {
        "Succeeded" => true,
        "Running" => pod.is("Ready", "True"),
        _ => false,
    }
}
