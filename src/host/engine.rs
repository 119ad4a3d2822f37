//! Docker on a host, as the user where it answers to them, else as root.

use std::{sync::Arc, time::Duration};

use super::{Command, Host, HostError, check};
use crate::{
    limits::Deadline,
    report::{Exit, Explain, one_line},
};

/// How long Docker may take to say its version.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A Docker that answered.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// Where it runs.
    pub(crate) host: Arc<dyn Host>,
    /// Whether it answers to root alone.
    pub(crate) root: bool,
}

/// Why there is no Docker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Its program is not there.
    #[error("there is no docker on {host}")]
    Absent {
        /// Which host.
        host: String,
    },
    /// It does not answer.
    #[error("docker on {host} does not answer: {reason}")]
    Silent {
        /// Which host.
        host: String,
        /// What the program said.
        reason: String,
    },
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Explain for EngineError {
    fn exit(&self) -> Exit {
        match self {
            Self::Absent { .. } | Self::Silent { .. } => Exit::Infrastructure,
            Self::Host(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } => {
                Some("install Docker (https://docs.docker.com/engine/install), or use provider ec2".to_owned())
            }
            Self::Silent { .. } => Some(
                "start it (`sudo systemctl start docker`) and let this user use it (`sudo usermod -aG docker $USER`, then log in again); `docker info` should answer"
                    .to_owned(),
            ),
            Self::Host(error) => error.hint(),
        }
    }
}

impl Engine {
    /// Asks Docker for an answer.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(crate) async fn find(host: Arc<dyn Host>, deadline: Deadline) -> Result<Self, EngineError> {
        let ask = Command::new(
            "command -v docker >/dev/null || exit 127; exec docker version -f '{{.Server.Version}}'",
        )
        .repeatable();
        let deadline = deadline.within(ANSWER_LIMIT);
        let asked = host.run(&ask, deadline).await?;
        if asked.status == 0 {
            return Ok(Self { host, root: false });
        }
        if asked.status != 127 && host.run(&ask.root(), deadline).await?.status == 0 {
            return Ok(Self { host, root: true });
        }
        let name = host.describe();
        Err(if asked.status == 127 {
            EngineError::Absent { host: name }
        } else {
            EngineError::Silent {
                host: name,
                reason: one_line(&asked.stderr),
            }
        })
    }

    /// A script that uses Docker.
    pub(crate) fn command(&self, script: impl Into<String>) -> Command {
        let command = Command::new(script);
        if self.root { command.root() } else { command }
    }

    /// Runs a script that uses Docker and has to succeed; gives what it printed. It may run twice.
    ///
    /// # Errors
    /// As [`check`].
    pub(crate) async fn ask(
        &self,
        what: &str,
        script: impl Into<String>,
        deadline: Deadline,
    ) -> Result<String, HostError> {
        let command = self.command(script).repeatable();
        Ok(check(&*self.host, what, &command, deadline).await?.stdout)
    }
}
