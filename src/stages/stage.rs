//! The stages by name, and what each sets.

/// The six stages of the chain and what stands beside it; each is an action, a subcommand and a file of this folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `provision-ec2`
    ProvisionEc2,
    /// `install-kind`
    InstallKind,
    /// `deploy-manifests`
    DeployManifests,
    /// `run-mnist-notebook-job`
    RunMnistNotebookJob,
    /// `gather-logs`
    GatherLogs,
    /// `teardown`
    Teardown,
    /// `extend`, beside the chain
    Extend,
    /// `reap`, beside the chain
    Reap,
    /// `doctor`, before the chain
    Doctor,
}

impl Stage {
    /// All of them: those of the chain in its order, then the others.
    pub const ALL: [Self; 9] = [
        Self::ProvisionEc2,
        Self::InstallKind,
        Self::DeployManifests,
        Self::RunMnistNotebookJob,
        Self::GatherLogs,
        Self::Teardown,
        Self::Extend,
        Self::Reap,
        Self::Doctor,
    ];

    /// Whether it is one of the chain.
    pub const fn in_chain(self) -> bool {
        !matches!(self, Self::Extend | Self::Reap | Self::Doctor)
    }

    /// Whether it collects, ends or tells what there is: no full disk may keep it from that.
    pub(super) const fn must_run(self) -> bool {
        matches!(
            self,
            Self::GatherLogs | Self::Teardown | Self::Reap | Self::Doctor
        )
    }

    /// The one name of action, subcommand and stage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProvisionEc2 => "provision-ec2",
            Self::InstallKind => "install-kind",
            Self::DeployManifests => "deploy-manifests",
            Self::RunMnistNotebookJob => "run-mnist-notebook-job",
            Self::GatherLogs => "gather-logs",
            Self::Teardown => "teardown",
            Self::Extend => "extend",
            Self::Reap => "reap",
            Self::Doctor => "doctor",
        }
    }

    /// The outputs of its action, beside `failure`.
    pub const fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::ProvisionEc2 => &[
                "instance-id",
                "public-ip",
                "region",
                "availability-zone",
                "instance-type",
                "market",
                "ami",
                "expires-at",
                "run-id",
            ],
            Self::InstallKind => &[
                "kubeconfig",
                "context",
                "kubernetes-version",
                "kind-version",
                "node-image",
            ],
            Self::DeployManifests => &["objects", "report", "diff"],
            Self::RunMnistNotebookJob => &["verdict", "junit", "executed-notebook"],
            Self::GatherLogs => &["bundle", "report", "cause", "s3-url"],
            Self::Teardown => &["terminated", "leftovers", "kept-until"],
            Self::Extend => &["expires-at"],
            Self::Reap => &["terminated", "leftovers"],
            Self::Doctor => &["missing", "warnings"],
        }
    }
}
