//! How many vCPUs an account may run: a new one has often fewer than one host needs, and `DryRun` does not see it. Asked of
//! Service Quotas.

use serde_json::{Value, json};

use super::signed::Question;
use crate::{
    doctor::Check,
    iam::{self, PolicyScope},
    inputs::Environment,
    limits::Deadline,
    provider::ec2::{access::Ec2Api, launch::LaunchSpec, partition::Partition, quota::Quota},
    report::Exit,
    stages::Stage,
};

/// Compares each quota of the markets and types that are asked for with the smallest of these types. What runs already counts
/// against a quota, and is not known here.
pub(super) async fn vcpus(
    api: &Ec2Api,
    spec: &LaunchSpec,
    env: &Environment,
    deadline: Deadline,
) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for (quota, code, need) in wanted(spec) {
        let what = format!("quota {code}, `{}`", quota.name);
        let answer = ask(api, &spec.region, code, env, deadline).await;
        let ask_for_more = quota.advice(&spec.region);
        checks.push(match answer {
            Ok(Answer::Value(value)) if value < f64::from(need) => {
                let found =
                    format!("{value} vCPUs; the smallest type that is asked for has {need}");
                Check::missing(Exit::Infrastructure, what, found).remedy(ask_for_more)
            }
            Ok(Answer::Value(value)) => {
                let hosts = (value / f64::from(need)).floor();
                let found = format!(
                    "{value} vCPUs: room for {hosts} of the smallest type, {need} vCPUs each"
                );
                Check::ok(what, found)
            }
            Ok(Answer::Denied) => {
                let policy = iam::of_stage(Stage::Doctor, &PolicyScope::default());
                let allow = policy.map(|policy| policy.allowing(CALL));
                let check = Check::warning(what, "the credentials may not look at it");
                check.allow(&allow.unwrap_or_default())
            }
            Ok(Answer::Other(said)) => Check::warning(what, format!("Service Quotas says {said}")),
            Err(reason) => Check::warning(what, format!("Service Quotas did not answer: {reason}")),
        });
        if checks.last().is_some_and(|check| !check.allow.is_empty()) {
            // The others would be refused, too.
            break;
        }
    }
    checks
}

const CALL: &str = "servicequotas:GetServiceQuota";

/// The quotas that the launch would count against, with the vCPUs of the smallest type that counts against it.
fn wanted(spec: &LaunchSpec) -> Vec<(Quota, &'static str, u32)> {
    let mut wanted: Vec<(Quota, &'static str, u32)> = Vec::new();
    for market in &spec.markets {
        for instance_type in &spec.types {
            let quota = Quota::of("VcpuLimitExceeded", *market, instance_type);
            let (Some((_, code)), Some(need)) = (quota.code, vcpus_of(instance_type)) else {
                continue;
            };
            match wanted.iter_mut().find(|(_, known, _)| *known == code) {
                Some((_, _, least)) => *least = need.min(*least),
                None => wanted.push((quota, code, need)),
            }
        }
    }
    wanted
}

/// The vCPUs that a size stands for: 4 for `xlarge`, 4 n for `nxlarge`. Bare metal and what is smaller than `large` has no
/// rule.
fn vcpus_of(instance_type: &str) -> Option<u32> {
    let (_, size) = instance_type.split_once('.')?;
    match size {
        "large" => Some(2),
        "xlarge" => Some(4),
        _ => size
            .strip_suffix("xlarge")?
            .parse::<u32>()
            .ok()?
            .checked_mul(4),
    }
}

enum Answer {
    Value(f64),
    Denied,
    Other(String),
}

async fn ask(
    api: &Ec2Api,
    region: &str,
    code: &str,
    env: &Environment,
    deadline: Deadline,
) -> Result<Answer, String> {
    let question = Question {
        endpoint: &Partition::of(region).endpoint("servicequotas", region),
        variable: "AWS_ENDPOINT_URL_SERVICE_QUOTAS",
        service: "servicequotas",
        region,
        headers: &[
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "ServiceQuotasV20190624.GetServiceQuota"),
        ],
        body: json!({"ServiceCode": "ec2", "QuotaCode": code}).to_string(),
    };
    let (status, text) = question.ask(api, env, deadline).await?;
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if let (200, Some(value)) = (status, answer["Quota"]["Value"].as_f64()) {
        return Ok(Answer::Value(value));
    }
    let code = answer["__type"].as_str().unwrap_or_default();
    Ok(match code.rsplit('#').next() {
        Some(code) if code.starts_with("AccessDenied") => Answer::Denied,
        code => Answer::Other(format!("{status} {}", code.unwrap_or_default())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_tells_its_vcpus() {
        for (instance_type, vcpus) in [
            ("m7i.2xlarge", Some(8)),
            ("c7i-flex.large", Some(2)),
            ("r6a.xlarge", Some(4)),
            ("m7i.metal-24xl", None),
            ("t3.micro", None),
            ("odd", None),
            ("m7i.9999999999xlarge", None),
        ] {
            assert_eq!(vcpus_of(instance_type), vcpus, "{instance_type}");
        }
    }
}
