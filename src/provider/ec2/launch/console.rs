//! What an instance writes to its serial console: the one thing that is left of a host that does not answer.

use aws_sdk_ec2::Client;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    inputs::Environment,
    limits::{Deadline, Limit},
    provider::ec2::{
        access::{Access, Ec2Api},
        errors::{Ec2Error, ask},
    },
    record::Record,
    report::Failure,
};

/// How many lines of it a failure shows.
const LAST: usize = 20;
/// What they may take: the deadline of the stage may have passed, and they are worth some seconds more.
const LAST_LIMIT: Limit = Limit::secs(2);

/// All that EC2 has of the console of this record's instance, some 64 KiB; `None` where the record has no instance.
pub(crate) async fn console(
    record: &Record,
    env: &Environment,
    deadline: Deadline,
) -> Option<Result<String, String>> {
    let launch = record.launch.as_ref()?;
    let (id, region) = (launch.instance_id.as_deref()?, launch.region.as_deref()?);
    let asked = async {
        let access = Access::new(env, record.role_arn.as_deref())?.in_region(region);
        let ec2 = Ec2Api::open(&access, deadline).await?.region(region);
        Ok::<_, Failure>(output(&ec2, region, id, deadline).await?)
    };
    Some(match Box::pin(asked).await {
        Ok(text) if text.trim().is_empty() => Err("EC2 has nothing of it yet".to_owned()),
        Ok(text) => Ok(text),
        Err(failure) => Err(failure.line()),
    })
}

/// Its last lines, for a host that does not answer; none where EC2 has none yet.
pub(super) async fn last_lines(ec2: &Client, region: &str, id: &str) -> Vec<String> {
    let output = match output(ec2, region, id, Deadline::after(LAST_LIMIT)).await {
        Ok(output) => output,
        Err(error) => {
            tracing::debug!("no console output of {id} in {region}: {error}");
            return Vec::new();
        }
    };
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(LAST)..]
        .iter()
        .map(|line| format!("console: {line}"))
        .collect()
}

async fn output(
    ec2: &Client,
    region: &str,
    id: &str,
    deadline: Deadline,
) -> Result<String, Ec2Error> {
    let request = ec2.get_console_output().instance_id(id).latest(true);
    let answer = ask("GetConsoleOutput", region, deadline, request.send()).await?;
    let output = answer
        .output()
        .and_then(|text| BASE64_STANDARD.decode(text).ok());
    Ok(String::from_utf8_lossy(&output.unwrap_or_default()).into_owned())
}
