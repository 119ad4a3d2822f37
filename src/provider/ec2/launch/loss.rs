//! Why a host that was up is gone: by EC2's word, else by the market that it was bought on.

use super::ready;
use crate::{
    inputs::Environment,
    limits::{Deadline, Limit},
    provider::ec2::{
        access::{Access, Ec2Api},
        errors::{Ec2Error, death},
        quota::PurchaseOption,
    },
    record::{Launch, Record},
    report::Failure,
};

/// What it may take to ask: the stage has failed already.
const ANSWER_LIMIT: Limit = Limit::secs(8);

/// Why the instance of this record is gone, and what to do about it; `None` where that is not known.
///
/// A stage that holds no credentials says what the record tells.
pub(crate) async fn reason_of_loss(
    record: &Record,
    env: &Environment,
) -> Option<(String, Option<String>)> {
    let launch = record.launch.as_ref()?;
    let id = launch.instance_id.as_deref()?;
    let region = launch.region.as_deref()?;
    let soon = Deadline::after(ANSWER_LIMIT);
    let asked = Box::pin(asked(id, region, record.role_arn.as_deref(), env, soon));
    match soon.bound(asked).await {
        Ok(Ok(Some(Ec2Error::Died { code, reason, .. }))) => {
            return Some((format!("EC2 ended {id}: {reason}"), death(&code, region)));
        }
        Ok(Ok(_)) => return None,
        Ok(Err(failure)) => tracing::debug!("why {id} is gone: {}", failure.line()),
        Err(passed) => tracing::debug!("why {id} is gone: {passed}"),
    }
    is_spot(launch, id).then(|| {
        let reason = format!("{id} was bought on the spot market: AWS may have taken it back");
        (reason, death("Server.SpotInstanceTermination", region))
    })
}

async fn asked(
    id: &str,
    region: &str,
    role: Option<&str>,
    env: &Environment,
    deadline: Deadline,
) -> Result<Option<Ec2Error>, Failure> {
    let access = Access::new(env, role)?.in_region(region);
    let ec2 = Ec2Api::open(&access, deadline).await?.region(region);
    let instance = ready::describe(&ec2, region, id, deadline).await?;
    Ok(ready::reason_of_end(region, &instance))
}

/// Whether the answer to a request for spot was this instance.
fn is_spot(launch: &Launch, id: &str) -> bool {
    let mut attempts = launch.attempts.iter();
    attempts.any(|one| one.market == PurchaseOption::Spot.name() && one.answer.ends_with(id))
}
