//! `keep-on-failure`: the host of a failed job ends itself a little later, and how to get to it is said.
//!
//! Never after its ttl, and only where its timer was really moved: a host that cannot be asked is torn down instead.

use jiff::Timestamp;

use crate::{
    host::login::Login,
    limits::Limit,
    provider::{self, Owner, Provider, Resource},
    report::{Exit, Failure, escape_markdown},
    stages::{Context, Outputs},
};

/// Keeps the host for `span`. `None`, and why in the log: there is nothing to keep, so tear down.
pub(super) async fn host(
    span: Limit,
    provider: &dyn Provider,
    context: &mut Context,
) -> Option<Outputs> {
    match keep(span, provider, context).await {
        Ok(outputs) => Some(outputs),
        Err(failure) => {
            tracing::warn!("the host is not kept: {}", failure.line());
            None
        }
    }
}

async fn keep(
    span: Limit,
    provider: &dyn Provider,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let found = provider.find(&Owner::job(context.run()), deadline).await?;
    let none = || {
        Failure::new(
            Exit::BadInput,
            "there is no instance that would end by itself",
        )
    };
    let instance = provider::instance(&found).ok_or_else(none)?;
    let until = until(Timestamp::now(), span, instance.expires_at())
        .ok_or_else(|| Failure::new(Exit::BadInput, "its ttl is over"))?;
    provider
        .end_at(&mut context.store, &found, until, true, deadline)
        .await?;
    tell(context, instance, until)?;
    let ids: Vec<&str> = found.iter().map(|one| one.id.as_str()).collect();
    Ok(Outputs::default()
        .with("terminated", "")
        .with("leftovers", ids.join("\n"))
        .with("kept-until", until.to_string()))
}

/// `span` from now, but never after `expires`; in whole seconds. `None` where nothing is left of it.
fn until(now: Timestamp, span: Limit, expires: Option<Timestamp>) -> Option<Timestamp> {
    let seconds = i64::try_from(span.duration().as_secs()).ok()?;
    let wanted = Timestamp::new(now.as_second().checked_add(seconds)?, 0).ok()?;
    Some(wanted.min(expires?)).filter(|until| *until > now)
}

/// Lines that are ready to be pasted: in the log and in the job summary.
fn tell(context: &Context, instance: &Resource, until: Timestamp) -> Result<(), Failure> {
    let store = &context.store;
    let Some(host) = &store.record().host else {
        return Ok(());
    };
    let login = Login::to(host, &store.path("known_hosts"))?;
    let region = instance.region.as_deref().unwrap_or_default();
    let mut lines = Vec::new();
    if let Some(here) = login.here {
        lines.push("# on this machine, as long as it keeps the key:".to_owned());
        lines.push(here);
    }
    lines.push("# elsewhere, with a key of `ssh-public-keys`:".to_owned());
    lines.push(login.elsewhere);
    let launch = store.record().launch.as_ref();
    if let Some(group) = launch.and_then(|launch| launch.security_group_id.as_ref()) {
        lines.push("# port 22 is open to `ssh-cidr` alone; to let another address in:".to_owned());
        lines.push(format!(
            "aws ec2 authorize-security-group-ingress --region {region} --group-id {group} --protocol tcp --port 22 --cidr ADDRESS/32"
        ));
    }
    lines.push("# to end it before its time:".to_owned());
    lines.push(format!(
        "manifests-e2e teardown --run-id {} --job-key {} --region {region}",
        context.run().id,
        context.run().job
    ));
    for line in &lines {
        tracing::info!("{line}");
    }
    let id = escape_markdown(&instance.id);
    let text = format!(
        "### teardown: {id} is kept until {until}\n\n```bash\n{}\n```\n\n",
        lines.join("\n")
    );
    context.summarize(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_kept_for_a_while_but_never_after_its_ttl() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-21T12:00:00.5Z");
        let half = Limit::secs(1800);
        let (soon, late) = (at("2026-11-21T12:10:00Z"), at("2026-11-21T14:00:00Z"));
        assert_eq!(
            until(now, half, Some(late)),
            Some(at("2026-11-21T12:30:00Z"))
        );
        assert_eq!(until(now, half, Some(soon)), Some(soon));
        assert_eq!(until(now, half, Some(at("2026-11-21T12:00:00Z"))), None);
        assert_eq!(until(now, half, None), None);
    }
}
