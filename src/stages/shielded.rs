//! What a signal does not stop: the stages that come at the end, also after a cancel, each in words of its own.

use super::Stage;
use crate::cancel::Shielded;

/// The end of a chain, of which each stage is shielded alike.
pub(super) const END_OF_CHAIN: Shielded = Shielded {
    goes_on: "logs are gathered and the host is torn down",
    at_stake: "then that is left undone",
};

impl Stage {
    /// Of a stage that a workflow runs at the end, also after a cancel: what a signal to it does not stop.
    pub const fn shielded(self) -> Option<Shielded> {
        match self {
            Self::GatherLogs => Some(Shielded {
                goes_on: "the logs are gathered all the same",
                at_stake: "then there is no bundle",
            }),
            Self::Teardown => Some(Shielded {
                goes_on: "the teardown goes on",
                at_stake: "then something may be left for another `teardown`",
            }),
            _ => None,
        }
    }
}
