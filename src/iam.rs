//! What AWS has to allow: least-privilege policies, made of the calls that each action sends.
//!
//! Given what they are narrowed to; gives JSON and sends nothing. A call that the code sends and these do not allow,
//! and one that they allow and it does not send, fail a test.

mod actions;
pub(crate) mod components;
pub(crate) mod roles;
mod trust;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    cli::IamArgs,
    inputs::Environment,
    logs::s3::Target,
    report::{BadInput, Exit, Failure},
    run::{TAG_REPOSITORY, TAG_RUN},
    stages::Stage,
};

/// A policy document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    /// What is allowed; all else is not.
    pub(crate) statement: Vec<Statement>,
}

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// What it is for.
    pub(crate) sid: &'static str,
    effect: &'static str,
    /// Who, in a trust policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<Value>,
    /// Calls, sorted.
    pub(crate) action: Vec<String>,
    /// On what; nothing in a trust policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) resource: Vec<String>,
    /// Under which conditions.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) condition: Map<String, Value>,
}

impl Statement {
    fn allow(sid: &'static str, calls: &[&str], resource: Vec<String>) -> Self {
        let mut action: Vec<String> = calls.iter().map(|&call| call.to_owned()).collect();
        action.sort();
        Self {
            sid,
            effect: "Allow",
            principal: None,
            action,
            resource,
            condition: Map::new(),
        }
    }

    /// Adds conditions to those that it has.
    fn when(mut self, conditions: Value) -> Self {
        let Value::Object(conditions) = conditions else {
            return self;
        };
        for (operator, keys) in conditions {
            let have = self.condition.entry(operator).or_insert_with(|| json!({}));
            if let (Value::Object(have), Value::Object(keys)) = (have, keys) {
                have.extend(keys);
            }
        }
        self
    }
}

impl Policy {
    /// Statements in this order; those that differ only by their calls are one.
    fn of(statements: impl IntoIterator<Item = Statement>) -> Self {
        let mut all: Vec<Statement> = Vec::new();
        for statement in statements {
            let same = all.iter_mut().find(|other| {
                (&other.resource, &other.condition, &other.principal)
                    == (
                        &statement.resource,
                        &statement.condition,
                        &statement.principal,
                    )
            });
            match same {
                Some(same) => {
                    same.action.extend(statement.action);
                    same.action.sort();
                    same.action.dedup();
                }
                None => all.push(statement),
            }
        }
        Self {
            version: "2012-10-17",
            statement: all,
        }
    }

    /// The statement that allows a call, narrowed to it.
    pub(crate) fn allowing(&self, call: &str) -> Vec<Statement> {
        let of_call = |one: &&Statement| one.action.iter().any(|action| action == call);
        let narrowed = |one: &Statement| Statement {
            action: vec![call.to_owned()],
            ..one.clone()
        };
        self.statement
            .iter()
            .filter(of_call)
            .map(narrowed)
            .collect()
    }

    /// As JSON that people read.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a policy is made of texts")
    }
}

/// What policies are narrowed to; what is not set is any.
#[derive(Clone, Debug, Default)]
pub struct PolicyScope {
    /// The only region.
    pub region: Option<String>,
    /// The account, twelve digits.
    pub account: Option<String>,
    /// Instance types that may be launched.
    pub instance_types: Vec<String>,
    /// A security group of one's own, which carries no tag of ours.
    pub security_group: Option<String>,
    /// Only things of this repository, by their tag.
    pub repository: Option<String>,
    /// Where `gather-logs` puts bundles.
    pub s3: Option<Target>,
    /// An EKS cluster.
    pub cluster: Option<String>,
    /// A repository of ECR, `*` allowed in its name.
    pub ecr: Option<String>,
}

impl PolicyScope {
    fn of(args: &IamArgs) -> Result<Self, Failure> {
        Ok(Self {
            region: args.region.clone(),
            account: args.account.clone(),
            instance_types: args.instance_types.clone().unwrap_or_default().0,
            security_group: args.security_group_id.clone(),
            repository: args.repository.clone(),
            s3: args.s3_uri.as_deref().map(Target::parse).transpose()?,
            cluster: args.eks_cluster.clone(),
            ecr: args.ecr_repository.clone(),
        })
    }

    /// The partition that the region is of.
    fn partition(&self) -> &'static str {
        match self.region.as_deref() {
            None => "*",
            Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
            Some(region) if region.starts_with("cn-") => "aws-cn",
            Some(region) if region.starts_with("eusc-") => "aws-eusc",
            Some(_) => "aws",
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let (region, account) = match service {
            "s3" => ("", ""),
            "iam" => ("", self.account.as_deref().unwrap_or("*")),
            _ => (
                self.region.as_deref().unwrap_or("*"),
                self.account.as_deref().unwrap_or("*"),
            ),
        };
        let partition = self.partition();
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    fn ec2(&self, kinds: &[&str]) -> Vec<String> {
        let all = kinds
            .iter()
            .map(|kind| self.arn("ec2", &format!("{kind}/*")));
        all.collect()
    }

    /// What carries our tags, or a request that gives them: `RequestTag` or `ResourceTag`.
    fn tagged(&self, which: &str) -> Value {
        let mut conditions = json!({"Null": {format!("aws:{which}/{TAG_RUN}"): "false"}});
        if let Some(repository) = &self.repository {
            conditions["StringEquals"] =
                json!({format!("aws:{which}/{TAG_REPOSITORY}"): repository});
        }
        conditions
    }

    /// What an input is to say, where a policy cannot do without it.
    fn need<'a>(
        what: &str,
        input: &'static str,
        value: Option<&'a str>,
    ) -> Result<&'a str, BadInput> {
        value.ok_or_else(|| BadInput {
            input,
            reason: format!("the policy of {what} is for one and needs to know which"),
            remedy: Some(format!("name it by --{input}")),
        })
    }
}

/// The policy of one action; `None` for one that asks nothing of AWS.
pub fn of_stage(stage: Stage, scope: &PolicyScope) -> Option<Policy> {
    let policy = Policy::of(actions::of(stage, scope));
    (!policy.statement.is_empty()).then_some(policy)
}

/// The policy of the whole chain in one job.
pub fn of_chain(scope: &PolicyScope) -> Policy {
    let chain = Stage::ALL.into_iter().filter(|stage| stage.in_chain());
    Policy::of(chain.flat_map(|stage| actions::of(stage, scope)))
}

/// What was asked for, as text; nothing where nothing has to be allowed.
///
/// # Errors
/// [`Failure`] naming the input that is wrong or missing.
pub fn print(args: &IamArgs, env: &Environment) -> Result<Option<String>, Failure> {
    let scope = PolicyScope::of(args)?;
    if args.trust {
        return Ok(Some(trust::policy(args, &scope, env)?.text()));
    }
    if args.components {
        return Ok(Some(components::table()));
    }
    if let Some(role) = args.role {
        return Ok(Some(if args.kubernetes {
            roles::kubernetes(role, &args.namespaces.0)
        } else {
            roles::policy(role, &scope)?.text()
        }));
    }
    if let Some(component) = args.component {
        return Ok(components::policy(component, &scope)?.map(|policy| policy.text()));
    }
    let Some(stage) = args.action.stage() else {
        return Ok(Some(of_chain(&scope).text()));
    };
    Ok(of_stage(stage, &scope).map(|policy| policy.text()))
}

/// Policies by the name of their file in `e2e/iam`, each for any region and account.
pub fn files() -> BTreeMap<String, String> {
    let scope = PolicyScope::default();
    let each = Stage::ALL.into_iter().filter_map(|stage| {
        let policy = of_stage(stage, &scope)?;
        Some((format!("{}.json", stage.name()), policy.text() + "\n"))
    });
    each.chain([
        ("chain.json".to_owned(), of_chain(&scope).text() + "\n"),
        ("README.md".to_owned(), components::page()),
    ])
    .collect()
}

/// That there is nothing to allow.
pub fn nothing(args: &IamArgs) -> Failure {
    let what = args.component.map_or_else(
        || args.action.name().to_owned(),
        |component| component.name().to_owned(),
    );
    Failure::new(
        Exit::BadInput,
        format!("{what} asks nothing of AWS, so there is no policy for it"),
    )
    .hint("`iam-policy --components` says what each part needs")
}
