//! How long each thing that is wrong with a pod lasts before it counts as what it stays.
//!
//! The kubelet tries a pull again after 10, 20, 40, 80, 160 and 300 s, and starts a container that ended after the same
//! pauses; a controller that may not make a pod tries again after ever longer ones, up to a quarter of an hour.

use std::time::Duration;

use super::Why;

/// How long some things have to last.
#[derive(Debug)]
pub struct Patience {
    /// What they are.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the table of the docs is made of it")
    )]
    pub what: &'static str,
    whys: &'static [Why],
    /// How long; none where nobody can say that it will not pass.
    pub time: Option<Duration>,
    /// Whether it stays so whatever becomes of other objects: it ends a deployment though others are still coming up.
    pub alone: bool,
}

const fn alone(what: &'static str, whys: &'static [Why], seconds: u64) -> Patience {
    Patience {
        what,
        whys,
        time: Some(Duration::from_secs(seconds)),
        alone: true,
    }
}

const fn together(what: &'static str, whys: &'static [Why], minutes: u64) -> Patience {
    Patience {
        what,
        whys,
        time: Some(Duration::from_mins(minutes)),
        alone: false,
    }
}

/// Every reason has one row.
#[rustfmt::skip]
pub static TABLE: [Patience; 20] = [
    alone("the name of an image is not valid", &[Why::ImageName], 30),
    alone("an image would run as root where its pod forbids that", &[Why::RunsAsRoot], 30),
    alone("the Pod Security Standard of the namespace forbids a pod", &[Why::PodSecurity], 30),
    alone("a probe calls a port by a name that its container does not have", &[Why::ProbePort], 30),
    alone("an image is not on the node, and is never pulled", &[Why::ImageNever], 60),
    alone("the registry does not have an image, or none for this architecture", &[Why::ImageGone, Why::ImagePlatform], 120),
    together("a pod was evicted", &[Why::Evicted], 1),
    together("a container cannot be made: a Secret, a ConfigMap, a key or a command is not there", &[Why::Configuration], 2),
    together("a claim of a pod is not bound", &[Why::Claim], 2),
    together("the registry refuses access to an image", &[Why::RegistryDenies], 3),
    together("a registry is out of reach, or a pull fails for a reason of its own", &[Why::RegistryUnknown, Why::RegistryUnreachable, Why::ImagePull], 5),
    together("what a volume is made of is not there: a Secret, a ConfigMap, a key, a directory", &[Why::Mount], 3),
    together("what a pod names is not there: a service account, a priority class, a runtime class", &[Why::Absent], 3),
    together("no node has room, or none is as a pod wants it", &[Why::NoRoom, Why::NoNode], 5),
    together("a container runs, and answers its probe with 400, 401, 403, 404 or 405", &[Why::Probe], 5),
    together("no scheduler looks at a pod, somebody has to lift its scheduling gates, or a container waits for a reason of its own", &[Why::Unscheduled, Why::Gated, Why::Waits], 5),
    together("a container, or a pod of a Job, ended 5 times, and ends once more after all else has come up, or does not start again", &[Why::Crash, Why::OutOfMemory], 6),
    together("a quota, a limit range or a policy refuses pods", &[Why::Quota, Why::Refused], 3),
    together("the registry limits the rate of pulls; a webhook refuses pods", &[Why::RegistryLimits, Why::Webhook], 8),
    Patience { what: "a container runs and is not ready, a volume is not mounted, an image is being pulled, whatever its size", whys: &[Why::NotReady, Why::Volume], time: None, alone: false },
];

impl Why {
    /// How long it has to last.
    ///
    /// # Panics
    /// Never: a test holds that every reason has its row.
    pub fn patience(self) -> &'static Patience {
        let mut rows = TABLE.iter();
        rows.find(|row| row.whys.contains(&self))
            .expect("every reason has its row")
    }

    /// Whether two reasons are one to somebody who waits: what is said of a pull changes from try to try.
    pub fn goes_on_as(self, other: Self) -> bool {
        self == other || self.is_pull() && other.is_pull()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_row() {
        for why in [
            Why::Evicted,
            Why::NoRoom,
            Why::NoNode,
            Why::Unscheduled,
            Why::Claim,
            Why::Gated,
            Why::ImageName,
            Why::ImageGone,
            Why::ImagePlatform,
            Why::RegistryDenies,
            Why::RegistryLimits,
            Why::RegistryUnknown,
            Why::RegistryUnreachable,
            Why::ImagePull,
            Why::ImageNever,
            Why::Configuration,
            Why::RunsAsRoot,
            Why::OutOfMemory,
            Why::Crash,
            Why::Waits,
            Why::Volume,
            Why::Mount,
            Why::NotReady,
            Why::Probe,
            Why::ProbePort,
            Why::Webhook,
            Why::PodSecurity,
            Why::Absent,
            Why::Quota,
            Why::Refused,
        ] {
            let rows = TABLE.iter().filter(|row| row.whys.contains(&why)).count();
            assert_eq!(rows, 1, "{why:?}");
        }
    }
}
