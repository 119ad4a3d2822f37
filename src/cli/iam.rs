//! The options of `iam-policy`, as typed.

use clap::{
    Args, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};

use crate::{inputs::List, stages::Stage};

/// Whose calls a policy allows: those of a stage, or of the whole chain in one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(Option<Stage>);

const CHAIN: &str = "chain";

impl Action {
    /// The stage; `None` for the chain.
    pub const fn stage(self) -> Option<Stage> {
        self.0
    }

    /// The name as typed.
    pub fn name(self) -> &'static str {
        self.0.map_or(CHAIN, Stage::name)
    }
}

fn action() -> impl TypedValueParser<Value = Action> {
    let names = Stage::ALL.into_iter().map(|stage| match stage {
        Stage::GatherLogs => PossibleValue::new(stage.name()).help("with a copy in S3"),
        _ => PossibleValue::new(stage.name()),
    });
    let chain = PossibleValue::new(CHAIN).help("The whole chain in one job");
    PossibleValuesParser::new(std::iter::once(chain).chain(names)).map(|name| {
        let mut stages = Stage::ALL.into_iter();
        Action(stages.find(|stage| stage.name() == name))
    })
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// What the editor may, and to say who else may
    Admin,
    /// What the actions do
    Editor,
    /// To look
    Viewer,
}

impl Role {
    /// The name as typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

/// A part of a fleet that tests manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// What reacts to events and keeps results
    Prow,
    /// What starts tests in a cluster that lives on
    ProwJob,
    /// What runs the steps of a test
    Argo,
    /// What builds images
    Kaniko,
    /// What makes the cluster under test
    CreateCluster,
    /// What deploys and tests
    TestSteps,
    /// What publishes images
    Cd,
    /// What tells results over time
    History,
}

impl Component {
    /// The name as typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prow => "prow",
            Self::ProwJob => "prow-job",
            Self::Argo => "argo",
            Self::Kaniko => "kaniko",
            Self::CreateCluster => "create-cluster",
            Self::TestSteps => "test-steps",
            Self::Cd => "cd",
            Self::History => "history",
        }
    }
}

/// Options of `iam-policy`.
#[derive(Clone, Debug, Args)]
pub struct IamArgs {
    /// Whose calls to allow
    #[arg(long, default_value = CHAIN, value_parser = action())]
    pub action: Action,
    /// Who may assume the role: the trust policy for GitHub's OIDC tokens of one repository
    #[arg(long, conflicts_with_all = ["action", "role", "component", "components"])]
    pub trust: bool,
    /// What a person may do
    #[arg(long, value_enum, conflicts_with_all = ["action", "component", "components"])]
    pub role: Option<Role>,
    /// With --role: the manifest of a cluster that lives on, for the group manifests-e2e:<role>
    #[arg(long, requires = "role")]
    pub kubernetes: bool,
    /// With --kubernetes: the namespaces of editor and viewer
    #[arg(
        long,
        value_name = "LIST",
        default_value = "test-pods,kubeflow-test-infra"
    )]
    pub namespaces: List,
    /// What a part of a fleet may do
    #[arg(long, value_enum, conflicts_with_all = ["action", "components"])]
    pub component: Option<Component>,
    /// What each part of a fleet needs: a table
    #[arg(long, conflicts_with = "action")]
    pub components: bool,
    /// The only region [default: any]
    #[arg(long, value_parser = region)]
    pub region: Option<String>,
    /// The account, twelve digits [default: any]
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
    /// The only instance types that may be launched [default: any]
    #[arg(long, value_name = "LIST")]
    pub instance_types: Option<List>,
    /// A security group of your own that provision-ec2 is given
    #[arg(long, value_name = "ID")]
    pub security_group_id: Option<String>,
    /// Only what belongs to this repository, `owner/name` [default: any; laptops have none]
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<String>,
    /// Where gather-logs puts bundles: `s3://bucket/prefix`
    #[arg(long, value_name = "URI")]
    pub s3_uri: Option<String>,
    /// With --trust: GitHub's id of the repository
    #[arg(long, value_name = "ID", value_parser = number)]
    pub repository_id: Option<String>,
    /// With --trust: GitHub's id of its owner
    #[arg(long, value_name = "ID", value_parser = number)]
    pub owner_id: Option<String>,
    /// With --trust: the jobs of this environment
    #[arg(long, value_name = "NAME", conflicts_with = "git_ref")]
    pub environment: Option<String>,
    /// With --trust: the jobs of this ref, in full: refs/heads/main
    #[arg(long = "ref", value_name = "REF")]
    pub git_ref: Option<String>,
    /// A cluster of EKS, for a component that reaches it
    #[arg(long, value_name = "NAME")]
    pub eks_cluster: Option<String>,
    /// A repository of ECR, for a component that pushes to it; `team/*` for all below
    #[arg(long, value_name = "NAME")]
    pub ecr_repository: Option<String>,
}

fn region(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let good = text.split('-').count() >= 3 && text.split('-').all(part);
    good.then(|| text.to_owned())
        .ok_or_else(|| "a region is written as AWS does: us-east-1".to_owned())
}

fn account(text: &str) -> Result<String, String> {
    let good = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.to_owned())
        .ok_or_else(|| "an account has twelve digits".to_owned())
}

fn number(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.to_owned())
        .ok_or_else(|| "an id of GitHub is a number".to_owned())
}
