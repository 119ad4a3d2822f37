//! What was asked of a provider, and what came of each request for an instance.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Record;

/// What was asked of a provider; enough for `teardown` to ask the right one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// `ec2`, `ssh` or `local`.
    pub provider: String,
    /// AWS region, for `ec2`.
    #[serde(default)]
    pub region: Option<String>,
    /// Part of the client token; used again only while the intent is open.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The instance, once there is one.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// The security group of this job, once there is one.
    #[serde(default)]
    pub security_group_id: Option<String>,
    /// After this nothing of the run may live.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Every request for an instance and what came of it, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

impl Record {
    /// Every request for an instance and what came of it, in order.
    pub fn attempts(&self) -> &[Attempt] {
        self.launch
            .as_ref()
            .map_or(&[], |launch| launch.attempts.as_slice())
    }

    /// Id or client token of each instance that was requested and is not known to have ended: by its id the one that
    /// was launched, by its token one whose request has no answer.
    pub fn requested_instances(&self) -> Vec<String> {
        let launched = self.launch.as_ref();
        let launched = launched.and_then(|launch| launch.instance_id.as_deref());
        let launched = launched.filter(|id| !self.end_is_accepted(id));
        let unanswered = self
            .steps
            .iter()
            .filter(|step| step.name == "RunInstances" && step.result.is_none())
            .filter_map(|step| step.intent["token"].as_str());
        launched
            .into_iter()
            .chain(unanswered)
            .map(str::to_owned)
            .collect()
    }

    /// Whether EC2 has accepted a request for the end of that instance.
    fn end_is_accepted(&self, id: &str) -> bool {
        self.steps
            .iter()
            .filter(|step| step.name == "TerminateInstances" && step.result.is_some())
            .filter_map(|step| step.intent["ids"].as_array())
            .any(|ids| ids.iter().any(|one| one == id))
    }
}

/// One request for an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The instance type.
    pub instance_type: String,
    /// The availability zone.
    pub zone: String,
    /// `on-demand` or `spot`.
    pub market: String,
    /// In which round over all candidates, from 1.
    pub round: u32,
    /// What was answered: `launched i-…`, or a code.
    pub answer: String,
    /// How long the answer took, in tenths of a second.
    pub seconds: f64,
}
