//! Who may assume the role: workflows of one repository by GitHub's OIDC token, in both formats of its `sub`.
//!
//! Repositories that were made or renamed since 15 July 2026 have ids in it (`repo:o@1/r@2:…`), so that nobody who takes
//! over an abandoned name gets in. Both are listed in full: a `*` in a `sub` also means pull requests from forks.

use serde_json::json;

use super::{Policy, PolicyScope, Statement};
use crate::{cli::IamArgs, inputs::Environment, report::BadInput};

const ISSUER: &str = "token.actions.githubusercontent.com";

/// The trust policy of a role for one repository's workflows.
pub(super) fn policy(
    args: &IamArgs,
    scope: &PolicyScope,
    env: &Environment,
) -> Result<Policy, BadInput> {
    let bad = |input, reason: &str, remedy: &str| BadInput {
        input,
        reason: reason.to_owned(),
        remedy: Some(remedy.to_owned()),
    };
    let ids = "`gh api repos/OWNER/NAME --jq '.owner.id, .id'` tells both";
    let repository =
        given(args.repository.as_deref(), env, "GITHUB_REPOSITORY").ok_or_else(|| {
            bad(
                "repository",
                "a trust policy is for one repository",
                "write owner/name",
            )
        })?;
    let id =
        given(args.repository_id.as_deref(), env, "GITHUB_REPOSITORY_ID").ok_or_else(|| {
            bad(
                "repository-id",
                "a name can be taken over, an id cannot",
                ids,
            )
        })?;
    let owner_id =
        given(args.owner_id.as_deref(), env, "GITHUB_REPOSITORY_OWNER_ID").ok_or_else(|| {
            bad(
                "owner-id",
                "newer repositories have it in their tokens",
                ids,
            )
        })?;
    let account = PolicyScope::need("a trust policy", "account", scope.account.as_deref())?;
    let (owner, name) = repository.split_once('/').ok_or_else(|| {
        bad(
            "repository",
            "that is no repository of GitHub",
            "write owner/name",
        )
    })?;
    let context = match (&args.environment, &args.git_ref) {
        (Some(environment), None) => format!("environment:{environment}"),
        (None, Some(git_ref)) if git_ref.starts_with("refs/") => format!("ref:{git_ref}"),
        (None, Some(_)) => {
            return Err(bad(
                "ref",
                "that is no full name of a ref",
                "write refs/heads/main",
            ));
        }
        _ => {
            return Err(bad(
                "environment",
                "a trust policy is for the jobs of one environment, or of one ref",
                "name one of them: --environment e2e, with reviewers of its own, or --ref refs/heads/main",
            ));
        }
    };
    let subjects = [
        format!("repo:{owner}/{name}:{context}"),
        format!("repo:{owner}@{owner_id}/{name}@{id}:{context}"),
    ];
    let partition = match scope.partition() {
        "*" => "aws",
        named => named,
    };
    // As `provision-ec2` asks for the token.
    let audience = match partition {
        "aws-cn" => "sts.amazonaws.com.cn",
        _ => "sts.amazonaws.com",
    };
    let mut statement = Statement::allow(
        "WorkflowsOfOneRepository",
        &["sts:AssumeRoleWithWebIdentity"],
        Vec::new(),
    )
    .when(json!({"StringEquals": {
        format!("{ISSUER}:aud"): audience,
        format!("{ISSUER}:repository_id"): id,
        format!("{ISSUER}:sub"): subjects,
    }}));
    statement.principal = Some(json!({
        "Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{ISSUER}"),
    }));
    Ok(Policy::of([statement]))
}

/// As typed, else as a workflow's environment says.
fn given<'a>(typed: Option<&'a str>, env: &'a Environment, variable: &str) -> Option<&'a str> {
    typed.or_else(|| env.get(variable))
}
