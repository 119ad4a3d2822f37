//! `e2e/iam/role.yaml`, the roles as a CloudFormation file: their policies and their trust are those that `iam-policy` prints.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::printed;
use crate::it::support::root;

const PATH: &str = "e2e/iam/role.yaml";
/// Each role: the parameter that names its environment, and its policies. What ends things waits for no reviewer, and can
/// launch nothing.
const ROLES: [(&str, &str, &[&str]); 2] = [
    ("Role", "Environment", &["chain", "doctor"]),
    ("EndRole", "EndEnvironment", &["teardown", "reap"]),
];
/// What stands for each parameter where `iam-policy` is given a value of it.
const PARAMETERS: [(&str, &str); 8] = [
    ("AWS::Partition", "aws"),
    ("AWS::AccountId", "123456789012"),
    ("Owner", "octo-owner"),
    ("OwnerId", "7001"),
    ("Repository", "octo-name"),
    ("RepositoryId", "7002"),
    ("Environment", "octo-environment"),
    ("EndEnvironment", "octo-end"),
];

const HEAD: &str = "\
# The roles that GitHub's workflows assume, as a CloudFormation file: docs/aws.md says how to use it.
# Generated from what `manifests-e2e iam-policy` prints: UPDATE=1 cargo test --test it iam
AWSTemplateFormatVersion: '2010-09-09'
Description: manifests-e2e - roles for two environments of one GitHub repository
Parameters:
  Owner:
    Type: String
    Description: Owner of the repository, such as kubeflow
  OwnerId:
    Type: String
    Description: Its id; gh api repos/OWNER/NAME --jq .owner.id
    AllowedPattern: '[0-9]+'
  Repository:
    Type: String
    Description: Name of the repository, without its owner
  RepositoryId:
    Type: String
    Description: Its id; gh api repos/OWNER/NAME --jq .id
    AllowedPattern: '[0-9]+'
  Environment:
    Type: String
    Description: Environment of the jobs that launch, with reviewers of its own
    Default: e2e
  EndEnvironment:
    Type: String
    Description: Environment of the jobs that only end things, without reviewers
    Default: e2e-end
  RoleName:
    Type: String
    Default: manifests-e2e
  CreateProvider:
    Type: String
    Description: Whether to create the identity provider; an account has at most one for GitHub
    AllowedValues: ['true', 'false']
    Default: 'true'
Conditions:
  CreatesProvider:
    Fn::Equals: [{Ref: CreateProvider}, 'true']
Resources:
  Provider:
    Type: AWS::IAM::OIDCProvider
    Condition: CreatesProvider
    Properties:
      Url: https://token.actions.githubusercontent.com
      ClientIdList: [sts.amazonaws.com]
      # AWS trusts GitHub's certificate by its own list of authorities; this one is only a formality.
      ThumbprintList: [6938fd4d98bab03faadb97b34396831e3780aea1]
";

const TAIL: &str = "\
Outputs:
  RoleArn:
    Description: The input role-arn of what launches
    Value: {'Fn::GetAtt': [Role, Arn]}
  EndRoleArn:
    Description: The input role-arn of teardown in a job of its own, and of reap
    Value: {'Fn::GetAtt': [EndRole, Arn]}
";

/// The trust policy for the values above, and one of the environments.
fn trust(environment: &str) -> Value {
    let value = |name: &str| {
        PARAMETERS
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
    };
    let repository = format!("{}/{}", value("Owner"), value("Repository"));
    let text = printed(&[
        "--trust",
        "--account",
        value("AWS::AccountId"),
        "--repository",
        &repository,
        "--owner-id",
        value("OwnerId"),
        "--repository-id",
        value("RepositoryId"),
        "--environment",
        value(environment),
    ]);
    serde_json::from_str(&text.unwrap()).unwrap()
}

fn policy(action: &str) -> Value {
    serde_json::from_str(&printed(&["--action", action]).unwrap()).unwrap()
}

/// With parameters in the place of their values.
fn parametrised(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut made = text.clone();
            for (name, value) in PARAMETERS {
                let in_arn = text.starts_with("arn:");
                // `aws` is a part of other words, too.
                let (from, to) = match name {
                    "AWS::Partition" => ("arn:aws:".to_owned(), format!("arn:${{{name}}}:")),
                    _ => (value.to_owned(), format!("${{{name}}}")),
                };
                if in_arn || name != "AWS::Partition" {
                    made = made.replace(&from, &to);
                }
            }
            // A reference to the provider that is created here makes CloudFormation create it first.
            if made == text {
                Value::String(text)
            } else if made.contains(":oidc-provider/") {
                json!({"Fn::If": ["CreatesProvider", {"Ref": "Provider"}, {"Fn::Sub": made}]})
            } else {
                json!({ "Fn::Sub": made })
            }
        }
        Value::Array(all) => all.into_iter().map(parametrised).collect(),
        Value::Object(all) => all
            .into_iter()
            .map(|(name, one)| (name, parametrised(one)))
            .collect(),
        other => other,
    }
}

/// As CloudFormation resolves it.
fn resolved(value: &Value, parameters: &BTreeMap<&str, &str>) -> Value {
    match value {
        Value::Object(all) if all.contains_key("Fn::If") => {
            // The one that is created has the same ARN: it is made of its URL.
            assert_eq!(all["Fn::If"][1], json!({"Ref": "Provider"}));
            resolved(&all["Fn::If"][2], parameters)
        }
        Value::Object(all) if all.len() == 1 && all.contains_key("Fn::Sub") => {
            let mut text = all["Fn::Sub"].as_str().unwrap().to_owned();
            for (name, value) in parameters {
                text = text.replace(&format!("${{{name}}}"), value);
            }
            Value::String(text)
        }
        Value::Object(all) => all
            .iter()
            .map(|(name, one)| (name.clone(), resolved(one, parameters)))
            .collect(),
        Value::Array(all) => all.iter().map(|one| resolved(one, parameters)).collect(),
        other => other.clone(),
    }
}

/// JSON is YAML, too, if it is indented.
fn indented(value: &Value, by: usize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap();
    let lines = text.lines().map(|line| format!("{:by$}{line}\n", ""));
    lines.collect()
}

#[test]
fn the_roles_of_the_template_have_the_policies_that_are_printed() {
    let path = root().join(PATH);
    if std::env::var("UPDATE").is_ok() {
        let mut text = HEAD.to_owned();
        for (role, environment, policies) in ROLES {
            let suffix = if role == "Role" { "" } else { "-end" };
            text += "  ";
            text += role;
            text += ":\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: {'Fn::Sub': '${RoleName}";
            text += suffix;
            text += "'}\n      AssumeRolePolicyDocument:\n";
            text += &indented(&parametrised(trust(environment)), 8);
            text += "      Policies:\n";
            for action in policies {
                text += "        - PolicyName: ";
                text += action;
                text += "\n          PolicyDocument:\n";
                text += &indented(&policy(action), 12);
            }
        }
        fs::write(&path, text + TAIL).unwrap();
    }
    let template: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let parameters = BTreeMap::from(PARAMETERS);
    let stale = "UPDATE=1 cargo test --test it iam";
    for (name, environment, policies) in ROLES {
        let role = &template["Resources"][name]["Properties"];
        let trusted = resolved(&role["AssumeRolePolicyDocument"], &parameters);
        assert_eq!(trusted, trust(environment), "{stale}");
        let there = role["Policies"].as_array().unwrap();
        let mut whole = 0;
        for (one, action) in there.iter().zip(policies) {
            assert_eq!(one["PolicyName"], **action);
            assert_eq!(one["PolicyDocument"], policy(action), "{stale}");
            whole += one["PolicyDocument"].to_string().len();
        }
        assert_eq!(there.len(), policies.len());
        assert!(
            whole <= 10_240,
            "{whole} characters are too many for a role"
        );
    }
    // Every parameter that is asked for is used, and none is used that is not asked for.
    let text = template.to_string();
    for name in template["Parameters"].as_object().unwrap().keys() {
        let used = [format!("${{{name}}}"), format!("{{\"Ref\":\"{name}\"}}")];
        assert!(used.iter().any(|used| text.contains(used)), "{name}");
    }
    for (name, value) in PARAMETERS {
        let known = name.starts_with("AWS::") || template["Parameters"].get(name).is_some();
        assert!(known && !text.contains(&format!("\"{value}\"")), "{name}");
    }
}
