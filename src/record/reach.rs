//! How a later step reaches the host and the cluster of the job.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How to reach the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostRecord {
    /// `ssh` or `local`.
    pub kind: HostKind,
    /// Name or address; empty for `local`.
    #[serde(default)]
    pub address: String,
    /// Port of sshd.
    #[serde(default)]
    pub port: u16,
    /// Whom to log in as.
    #[serde(default)]
    pub user: String,
    /// File with the private key, 0600; absent where the user's own agent or default keys are meant.
    #[serde(default)]
    pub private_key: Option<PathBuf>,
    /// The host key known beforehand, as in a `.pub` file: `ssh-ed25519 AAAA…`.
    #[serde(default)]
    pub host_key: Option<String>,
}

impl HostRecord {
    /// The port of sshd; 22 where none is recorded.
    pub const fn ssh_port(&self) -> u16 {
        if self.port == 0 { 22 } else { self.port }
    }
}

/// The two ways to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// Over SSH.
    Ssh,
    /// This machine.
    Local,
}

/// The cluster of this job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Name as `kind get clusters` prints it.
    pub name: String,
    /// Kubeconfig that works on this runner, 0600.
    pub kubeconfig: PathBuf,
    /// Its context.
    pub context: String,
    /// The tunnel to its API server, where it is on another machine.
    #[serde(default)]
    pub tunnel: Option<TunnelRecord>,
    /// The registry mirrors of its nodes, a line each as the input has them.
    #[serde(default)]
    pub mirrors: Vec<String>,
}

/// A tunnel from a port of this runner to a port of the host's loopback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TunnelRecord {
    /// Port on 127.0.0.1 of the runner.
    pub local_port: u16,
    /// Port on 127.0.0.1 of the host.
    pub remote_port: u16,
}
