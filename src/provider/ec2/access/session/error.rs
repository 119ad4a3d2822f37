//! Why there is no session, or one that is too short.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    limits::humane,
    report::{Exit, Explain},
};

/// Why credentials will not do.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The workflow's token made no session.
    #[error("{role} could not be assumed with the workflow's OIDC token")]
    None {
        /// The role.
        role: String,
        /// Who said what.
        reason: String,
        /// Whether the same will be said again.
        for_good: bool,
    },
    /// They end before a host could be launched and ended.
    #[error(
        "the AWS credentials end in {} ({until}); to launch a host and to end it again may take {}",
        humane(*left),
        humane(*least)
    )]
    EndsTooEarly {
        /// When they end.
        until: Timestamp,
        /// What is left of them.
        left: Duration,
        /// What is needed.
        least: Duration,
    },
}

impl Explain for SessionError {
    fn exit(&self) -> Exit {
        match self {
            Self::None {
                for_good: false, ..
            } => Exit::Infrastructure,
            Self::None { .. } | Self::EndsTooEarly { .. } => Exit::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::None { for_good: true, .. } => {
                "the role's trust policy has to name token.actions.githubusercontent.com, the audience \
                 sts.amazonaws.com and the `sub` of this workflow (`manifests-e2e iam-policy --trust` prints one), and the \
                 job needs `id-token: write`"
            }
            Self::None { .. } => {
                "GitHub or AWS may be in trouble: run it again; what was launched ends by itself at its ttl"
            }
            Self::EndsTooEarly { .. } => {
                "give `role-arn` and the permission `id-token: write`, so that they are renewed, or ask for a longer \
                 session (role-duration-seconds of aws-actions/configure-aws-credentials)"
            }
        };
        Some(hint.to_owned())
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::None { reason, .. } => vec![reason.clone()],
            Self::EndsTooEarly { .. } => Vec::new(),
        }
    }
}
