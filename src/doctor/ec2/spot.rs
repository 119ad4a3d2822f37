//! The role by which EC2 buys spot instances for an account: asked of IAM, whose SDK would be large for one question.

use std::time::{Duration, SystemTime};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use regex::Regex;

use crate::{
    doctor::Check,
    http_client,
    iam::{self, PolicyScope},
    inputs::Environment,
    limits::Deadline,
    provider::ec2::access::Ec2Api,
    stages::Stage,
};

/// The role that AWS makes with the first spot request of somebody who may make it.
const ROLE: &str = "AWSServiceRoleForEC2Spot";
/// Limit for the request.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// Looks whether it is there.
pub(super) async fn role(api: &Ec2Api, env: &Environment, deadline: Deadline) -> Check {
    let what = format!("role {ROLE}");
    let asked = deadline
        .within(ANSWER_LIMIT)
        .bound(Box::pin(ask(api, env)))
        .await;
    let answer = asked.unwrap_or_else(|passed| Err(passed.to_string()));
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
async fn ask(api: &Ec2Api, env: &Environment) -> Result<(u16, String), String> {
    let endpoint = ["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| env.get(name));
    let endpoint = endpoint.unwrap_or("https://iam.amazonaws.com/");
    let body = format!("Action=GetRole&Version=2010-05-08&RoleName={ROLE}");
    let identity = api
        .credentials()
        .await
        .ok_or("there are no credentials")?
        .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        // IAM is one for all regions of a partition.
        .region("us-east-1")
        .name("iam")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let form = "application/x-www-form-urlencoded";
    let client = http_client::client().map_err(|error| error.to_string())?;
    let request = client
        .post(endpoint)
        .header("content-type", form)
        .body(body.clone())
        .build()
        .map_err(|error| error.to_string())?;
    let url = request.url().to_string();
    let headers = std::iter::once(("content-type", form));
    let signable =
        SignableRequest::new("POST", &url, headers, SignableBody::Bytes(body.as_bytes()))
            .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| error.to_string())?
        .into_parts();
    let mut request = request;
    for (name, value) in instructions.headers() {
        let value = value
            .parse()
            .map_err(|_| "the signature is no header".to_owned())?;
        let name: http::HeaderName = name
            .parse()
            .map_err(|_| "the signature is no header".to_owned())?;
        request.headers_mut().insert(name, value);
    }
    let answer = client
        .execute(request)
        .await
        .map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    let code = Regex::new("<Code>([A-Za-z.]+)</Code>").expect("the pattern is fixed");
    let code = code.captures(&text).map(|found| found[1].to_owned());
    Ok((status, code.unwrap_or_default()))
}
