//! Roles of people: admin, editor, viewer, in AWS and in a cluster that lives on.
//!
//! The viewer looks, the editor does what the actions do, the admin also says who else may. None of them can give more
//! than the chain has: what an admin makes carries the chain's policy as its boundary.

use std::fmt::Write as _;

use serde_json::json;

use super::{Policy, PolicyScope, Statement, actions, components};
use crate::{cli::Role, report::BadInput, stages::Stage};

/// Path of the roles that an admin may make, and name of the policy that bounds them.
const PATH: &str = "manifests-e2e";

/// What a role may do in AWS.
///
/// # Errors
/// [`BadInput`] where an admin's account is not named.
pub(crate) fn policy(role: Role, scope: &PolicyScope) -> Result<Policy, BadInput> {
    let mut statements = view(scope);
    if role != Role::Viewer {
        statements.extend(
            Stage::ALL
                .into_iter()
                .flat_map(|stage| actions::of(stage, scope)),
        );
    }
    if role == Role::Admin {
        statements.extend(administer(scope)?);
    }
    Ok(Policy::of(statements))
}

fn view(scope: &PolicyScope) -> Vec<Statement> {
    let mut all: Vec<Statement> = actions::of(Stage::Reap, scope)
        .into_iter()
        .take(1)
        .collect();
    all.push(
        Statement::allow(
            "ReadConsoles",
            &["ec2:GetConsoleOutput"],
            scope.ec2(&["instance"]),
        )
        .when(scope.tagged("ResourceTag")),
    );
    if let Some(target) = &scope.s3 {
        let objects = scope.arn("s3", &format!("{target}/*"));
        all.push(Statement::allow(
            "ReadBundles",
            &["s3:GetObject"],
            vec![objects],
        ));
        let list = actions::list(scope, target);
        all.push(match target.prefix() {
            "" => list,
            prefix => {
                list.when(json!({"StringLike": {"s3:prefix": [prefix, format!("{prefix}/*")]}}))
            }
        });
    }
    all.extend(
        scope
            .cluster
            .as_deref()
            .map(|cluster| components::reach(scope, cluster)),
    );
    all
}

fn administer(scope: &PolicyScope) -> Result<[Statement; 4], BadInput> {
    PolicyScope::need("an admin", "account", scope.account.as_deref())?;
    let roles = || vec![scope.arn("iam", &format!("role/{PATH}/*"))];
    let boundary = scope
        .arn("iam", &format!("policy/{PATH}/boundary"))
        .replacen("arn:*:", "arn:aws:", 1);
    let spot = "role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot";
    Ok([
        Statement::allow(
            "SayWhoMay",
            &[
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:PutRolePolicy",
            ],
            roles(),
        )
        .when(json!({"StringEquals": {"iam:PermissionsBoundary": boundary}})),
        Statement::allow(
            "ReviewWhoMay",
            &[
                "iam:DeleteRole",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListRolePolicies",
                "iam:TagRole",
                "iam:UpdateAssumeRolePolicy",
            ],
            roles(),
        ),
        Statement::allow(
            "TrustGitHub",
            &[
                "iam:CreateOpenIDConnectProvider",
                "iam:GetOpenIDConnectProvider",
            ],
            vec![scope.arn("iam", "oidc-provider/token.actions.githubusercontent.com")],
        ),
        Statement::allow(
            "AllowSpot",
            &["iam:CreateServiceLinkedRole", "iam:GetRole"],
            vec![scope.arn("iam", spot)],
        ),
    ])
}

/// What a role may do in a cluster that lives on: a manifest for its group.
///
/// The admin is the cluster's. Editor and viewer have these namespaces, the editor with workflows in them.
pub(crate) fn kubernetes(role: Role, namespaces: &[String]) -> String {
    let name = format!("{PATH}-{}", role.name());
    let subject = format!(
        "- apiGroup: rbac.authorization.k8s.io\n  kind: Group\n  name: {PATH}:{}\n",
        role.name()
    );
    let bind = |kind: &str, role_kind: &str, to: &str, at: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n{at}\
             roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {role_kind}\n  name: {to}\nsubjects:\n{subject}"
        )
    };
    if role == Role::Admin {
        return bind(
            "ClusterRoleBinding",
            "ClusterRole",
            "cluster-admin",
            &format!("  name: {name}\n"),
        );
    }
    let (built_in, verbs) = match role {
        Role::Viewer => ("view", "[get, list, watch]"),
        _ => ("edit", "[create, delete, get, list, patch, update, watch]"),
    };
    let mut text = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: {name}-workflows\nrules:\n\
         - apiGroups: [argoproj.io]\n  resources: [workflows, workflowtemplates, cronworkflows]\n  verbs: {verbs}\n\
         - apiGroups: [tekton.dev]\n  resources: [pipelineruns, taskruns, pipelines, tasks]\n  verbs: {verbs}\n"
    );
    for namespace in namespaces {
        for (to, suffix) in [
            (built_in.to_owned(), ""),
            (format!("{name}-workflows"), "-workflows"),
        ] {
            let at = format!("  name: {name}{suffix}\n  namespace: {namespace}\n");
            let binding = bind("RoleBinding", "ClusterRole", &to, &at);
            write!(text, "---\n{binding}").expect("a String takes everything");
        }
    }
    text
}
