//! What each component of a fleet needs, and which part of this project takes its place.

use std::fmt::Write as _;

use super::{Policy, PolicyScope, Statement, actions};
use crate::{cli::Component, logs::s3::Target, report::BadInput, stages::Stage};

/// What a component needs beside AWS.
struct Needs {
    component: Component,
    /// What does it here.
    here: &'static str,
    /// What it may do in AWS, in words.
    aws: &'static str,
    /// Permissions of `GITHUB_TOKEN`.
    github: &'static str,
    /// Secrets that no role replaces.
    secrets: &'static str,
}

const ALL: [Needs; 8] = [
    Needs {
        component: Component::Prow,
        here: "GitHub's runner, `gather-logs`",
        aws: "put objects below one prefix of a bucket (`--s3-uri`)",
        github: "`contents: read`, `statuses: write`",
        secrets: "none: GitHub itself delivers events, so there is no HMAC token",
    },
    Needs {
        component: Component::ProwJob,
        here: "a step with `kubectl` or an Argo client",
        aws: "describe one cluster (`--eks-cluster`); the rest is the role of its group in the cluster: `--role editor --kubernetes`",
        github: "`contents: read`, `id-token: write`",
        secrets: "none: OIDC",
    },
    Needs {
        component: Component::Argo,
        here: "Argo Workflows in a cluster of yours",
        aws: "put and get objects below one prefix of a bucket (`--s3-uri`)",
        github: "none",
        secrets: "none: the role of its service account",
    },
    Needs {
        component: Component::Kaniko,
        here: "a step that builds images",
        aws: "push to existing repositories of ECR (`--ecr-repository`); it makes and deletes none",
        github: "`contents: read`, `id-token: write`",
        secrets: "none: OIDC",
    },
    Needs {
        component: Component::CreateCluster,
        here: "`provision-ec2`, `install-kind`, `teardown`",
        aws: "launch, change and end what carries our tags",
        github: "`contents: read`, `id-token: write` for OIDC",
        secrets: "none with OIDC, else an access key",
    },
    Needs {
        component: Component::TestSteps,
        here: "`deploy-manifests`, `run-mnist-notebook-job`",
        aws: "nothing on KinD; on EKS describe one cluster (`--eks-cluster`)",
        github: "`contents: read`",
        secrets: "none: a kubeconfig",
    },
    Needs {
        component: Component::Cd,
        here: "a workflow of its own, with an environment and reviewers of its own",
        aws: "nothing: what tests builds is never published from there",
        github: "`contents: read`, `pull-requests: write` where it proposes new tags",
        secrets: "a token of the registry's robot, in that environment alone",
    },
    Needs {
        component: Component::History,
        here: "`history`, `history --publish`",
        aws: "list and get builds below one prefix of a bucket, and put pages beside them (`--s3-uri`)",
        github: "`contents: read`, `id-token: write`",
        secrets: "none: OIDC; of a public bucket it reads without",
    },
];

/// What a component may do in AWS; `None` for nothing.
///
/// # Errors
/// [`BadInput`] naming what the policy is to be narrowed to.
pub(crate) fn policy(
    component: Component,
    scope: &PolicyScope,
) -> Result<Option<Policy>, BadInput> {
    let name = component.name();
    let objects = || {
        let target = scope.s3.as_ref().map(ToString::to_string);
        let target = PolicyScope::need(name, "s3-uri", target.as_deref())?.to_owned();
        Ok(vec![scope.arn("s3", &format!("{target}/*"))])
    };
    let statements = match component {
        Component::Prow => vec![Statement::allow(
            "PutBundles",
            &["s3:PutObject"],
            objects()?,
        )],
        Component::Argo => {
            vec![Statement::allow(
                "KeepLogs",
                &["s3:GetObject", "s3:PutObject"],
                objects()?,
            )]
        }
        Component::ProwJob | Component::TestSteps => {
            let cluster = PolicyScope::need(name, "eks-cluster", scope.cluster.as_deref())?;
            vec![reach(scope, cluster)]
        }
        Component::Kaniko => {
            let repository = PolicyScope::need(name, "ecr-repository", scope.ecr.as_deref())?;
            push(scope, repository).into()
        }
        Component::CreateCluster => [Stage::ProvisionEc2, Stage::Teardown]
            .into_iter()
            .flat_map(|stage| actions::of(stage, scope))
            .collect(),
        Component::History => {
            PolicyScope::need(name, "s3-uri", scope.s3.as_ref().map(Target::bucket))?;
            actions::of_history(scope)
        }
        Component::Cd => return Ok(None),
    };
    Ok(Some(Policy::of(statements)))
}

/// How to reach one cluster of EKS; what may be done in it is the cluster's to say.
pub(super) fn reach(scope: &PolicyScope, cluster: &str) -> Statement {
    let cluster = scope.arn("eks", &format!("cluster/{cluster}"));
    Statement::allow("ReachTheCluster", &["eks:DescribeCluster"], vec![cluster])
}

fn push(scope: &PolicyScope, repository: &str) -> [Statement; 2] {
    [
        Statement::allow(
            "LogInToTheRegistry",
            &["ecr:GetAuthorizationToken"],
            vec!["*".to_owned()],
        ),
        Statement::allow(
            "PushImages",
            &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            vec![scope.arn("ecr", &format!("repository/{repository}"))],
        ),
    ]
}

/// All of them as a table in Markdown.
pub(crate) fn table() -> String {
    let mut text =
        "| component | what does it here | in AWS | `GITHUB_TOKEN` | secrets |\n|---|---|---|---|---|\n".to_owned();
    for Needs {
        component,
        here,
        aws,
        github,
        secrets,
    } in &ALL
    {
        let name = component.name();
        writeln!(text, "| `{name}` | {here} | {aws} | {github} | {secrets} |")
            .expect("a String takes everything");
    }
    text
}

/// The page beside the files of policies.
pub(super) fn page() -> String {
    format!(
        "# What AWS has to allow\n\n\
         One policy an action, for any region and account; `chain.json` is that of the root action. They are printed by\n\
         `manifests-e2e iam-policy`, which narrows them too: `--region`, `--account`, `--repository`, `--instance-types`,\n\
         `--s3-uri`. `UPDATE=1 cargo test --test it iam` writes these files anew.\n\n\
         Only looks are allowed on everything. What is made has to carry our tags from its first moment, what is changed or\n\
         ended has to carry them already, and nothing that is there can be given them. No role can be passed on.\n\n\
         ## Who may assume the role\n\n\
         ```bash\n\
         manifests-e2e iam-policy --trust --account 123456789012 --repository OWNER/NAME \\\n  \
         --owner-id ID --repository-id ID --environment e2e\n\
         ```\n\n\
         It names the one repository in both formats of the token's `sub` (repositories made or renamed since 15 July 2026\n\
         have ids in it) and by `repository_id`, and the audience `sts.amazonaws.com`. Review it before you apply it; nothing\n\
         here applies one.\n\n\
         ## People\n\n\
         `--role viewer` looks, `--role editor` does what the actions do, `--role admin` also makes roles below the path\n\
         `manifests-e2e/`, each bounded by the policy `manifests-e2e/boundary` (make it of `chain.json`). With `--kubernetes` each\n\
         prints the manifest for the group `manifests-e2e:<role>` of a cluster that lives on, for `--namespaces`.\n\n\
         ## Components\n\n\
         `--component NAME` prints the policy of one.\n\n{}",
        table()
    )
}
