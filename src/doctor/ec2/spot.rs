//! The role by which EC2 buys spot instances for an account: asked of IAM, whose SDK would be large for one question.

use regex::Regex;

use super::signed::Question;
use crate::{
    doctor::Check,
    iam::{self, PolicyScope},
    inputs::Environment,
    limits::Deadline,
    provider::ec2::{access::Ec2Api, partition::Partition},
    stages::Stage,
};

/// The role that AWS makes with the first spot request of somebody who may make it.
const ROLE: &str = "AWSServiceRoleForEC2Spot";

/// Looks whether it is there.
pub(super) async fn role(
    api: &Ec2Api,
    region: &str,
    env: &Environment,
    deadline: Deadline,
) -> Check {
    let what = format!("role {ROLE}");
    let answer = ask(api, region, env, deadline).await;
    let make = "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com";
    match answer {
        Ok((200, _)) => Check::ok(what, "it is there"),
        Ok((_, code)) if code == "NoSuchEntity" => Check::warning(
            what,
            "it is not there: only who may make it (iam:CreateServiceLinkedRole) gets a first spot instance",
        )
        .remedy(format!("once for the account: {make}")),
        Ok((_, code)) if code.starts_with("AccessDenied") => {
            let policy = iam::of_stage(Stage::Doctor, &PolicyScope::default());
            let allow = policy.map(|policy| policy.allowing("iam:GetRole")).unwrap_or_default();
            Check::warning(what, "the credentials may not look at it")
                .remedy(format!("to be sure of it: {make}"))
                .allow(&allow)
        }
        Ok((status, code)) => Check::warning(what, format!("IAM says {status} {code}")),
        Err(reason) => Check::warning(what, format!("IAM did not answer: {reason}")),
    }
}

/// Status and error code of IAM's answer.
async fn ask(
    api: &Ec2Api,
    region: &str,
    env: &Environment,
    deadline: Deadline,
) -> Result<(u16, String), String> {
    let (endpoint, region) = Partition::of(region).iam();
    let question = Question {
        endpoint,
        variable: "AWS_ENDPOINT_URL_IAM",
        service: "iam",
        region,
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: format!("Action=GetRole&Version=2010-05-08&RoleName={ROLE}"),
    };
    let (status, text) = question.ask(api, env, deadline).await?;
    let code = Regex::new("<Code>([A-Za-z.]+)</Code>").expect("the pattern is fixed");
    let code = code.captures(&text).map(|found| found[1].to_owned());
    Ok((status, code.unwrap_or_default()))
}
