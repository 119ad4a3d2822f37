//! The inputs that are one of a few names.

use clap::ValueEnum;

use crate::deploy::prune::Reach;

/// Where the host comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderKind {
    /// A new EC2 instance
    Ec2,
    /// A host that you have, reached over SSH
    Ssh,
    /// This machine
    Local,
}

impl ProviderKind {
    /// The name as typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Ssh => "ssh",
            Self::Local => "local",
        }
    }
}

/// Where `reap` looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReapProvider {
    /// Hosts and what belongs to them, in an AWS account
    #[default]
    Ec2,
    /// `KinD` clusters on this machine
    Local,
}

/// Whether the host gets a public address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PublicIp {
    /// As its subnet has it
    #[default]
    Subnet,
    /// One, whatever the subnet has
    Yes,
    /// None: this machine reaches the VPC's own addresses
    No,
}

/// What kind of capacity to buy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Market {
    /// On-demand only
    #[default]
    OnDemand,
    /// Spot only
    Spot,
    /// Spot where there is any, else on-demand
    SpotThenOnDemand,
}

/// Processor architecture of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    /// x86-64
    #[default]
    Amd64,
    /// 64-bit ARM
    Arm64,
}

/// In which order objects are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// By what each object needs, webhooks proven first
    #[default]
    Gated,
    /// By kind, as kustomize sorts them
    Legacy,
}

/// What is deleted of that which an earlier deploy sent and the set no longer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Prune {
    /// Nothing
    #[default]
    False,
    /// What holds nothing but itself
    True,
    /// Also Namespaces, `CustomResourceDefinitions` and volumes, with all they hold
    All,
}

impl Prune {
    /// How far it reaches, if anything is to be deleted.
    pub const fn reach(self) -> Option<Reach> {
        match self {
            Self::False => None,
            Self::True => Some(Reach::Plain),
            Self::All => Some(Reach::All),
        }
    }
}

/// Which pods a deployment waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Pods {
    /// Those of the set's workloads; what else is broken in its namespaces is reported
    #[default]
    Set,
    /// All pods of the set's namespaces that are there once the set is ready, whoever made them
    Namespaces,
}

/// Where in a bucket the results of a job lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Bundle and report right below the prefix
    #[default]
    Flat,
    /// A directory for each build, as Prow has it: for Deck, Gubernator and `TestGrid`
    Prow,
    /// As `prow`, and postsubmits below their repository, as `kubeflow/testing` has them
    Kubeflow,
}

/// How far teardown reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// What this job made
    #[default]
    Job,
    /// What any job and attempt of the run made, but for jobs that GitHub says are in progress
    Run,
}
