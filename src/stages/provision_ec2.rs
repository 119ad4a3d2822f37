//! `provision-ec2`: inputs → provider → a host that answers, in the record and the outputs.

use std::time::Duration;

use crate::{
    cli::{Layout, ProviderKind, ProvisionArgs, ResultsArgs, Whereabouts},
    limits::{Deadline, Limit, humane},
    logs::{prow, s3},
    provider::{
        self, ProvisionedHost,
        ec2::{
            self,
            price::{AS_OF, dollars},
        },
    },
    report::{Exit, Failure, Leftover, escape_markdown},
    stages::{Context, Outputs, Stage},
};

/// What a launch that failed or was cancelled may still take: a cancelled step lives for 7.5 s.
const UNWIND: Limit = Limit::secs(5);
/// What it may take to say that the job has begun.
const ANNOUNCE: Duration = Duration::from_secs(10);

/// Carries the stage out, in a run that may take `whole` with all its stages.
///
/// # Errors
/// [`Failure`]; exit code 2 before anything is made.
pub async fn run(
    args: &ProvisionArgs,
    results: &ResultsArgs,
    whole: Duration,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let target = results.target()?;
    let provider = provider::for_launch(args, whole, &context.env)?;
    refuse_another(args, context)?;
    context
        .store
        .update(|record| record.role_arn.clone_from(&args.role_arn))?;
    let deadline = context.deadline;
    if let Some(target) = target {
        announce(&target, args, results, context).await;
    }
    let launched = match provider.launch(&mut context.store, deadline).await {
        Ok(launched) => launched,
        Err(failure) => {
            // What was tried is of most use where it came to nothing.
            context.summarize(&attempts(context));
            return Err(failure);
        }
    };
    context
        .store
        .update(|record| record.host = Some(launched.host.clone()))?;
    let text = summary(&launched, deadline.elapsed());
    context.summarize(&format!("{text}{}", attempts(context)));
    let mut outputs = Outputs(launched.outputs);
    if let Some(expires_at) = launched.expires_at {
        tracing::info!("it ends by itself at {expires_at}");
        outputs = outputs.with("expires-at", expires_at.to_string());
    }
    Ok(outputs.with("run-id", context.run().id.clone()))
}

/// Says in the bucket that the job has begun, in the layouts that have a place for that. A job does not fail for want of it.
async fn announce(
    target: &s3::Target,
    args: &ProvisionArgs,
    results: &ResultsArgs,
    context: &Context,
) {
    if results.layout == Layout::Flat {
        return;
    }
    let record = context.store.record();
    let build = prow::Build::of(&context.env, record, results.prow_job.as_deref());
    let uploads = build.announcement(results.layout, record);
    let deadline = context.deadline.within(ANNOUNCE);
    let access = match ec2::Access::new(&context.env, args.role_arn.as_deref()) {
        Ok(access) => match &args.region {
            Some(region) => access.in_region(region),
            None => access,
        },
        Err(error) => return tracing::warn!("{error}"),
    };
    if let Err(error) = Box::pin(target.upload(&uploads, &access, deadline)).await {
        tracing::warn!("{error}");
    }
}

/// A launch on EC2 that a host from elsewhere displaced in the record would be forgotten.
fn refuse_another(args: &ProvisionArgs, context: &Context) -> Result<(), Failure> {
    let other = args.provider.is_some_and(|kind| kind != ProviderKind::Ec2);
    let open = context.store.open_step("RunInstances").is_some();
    let launch = context.store.record().launch.as_ref();
    match launch.filter(|launch| other && launch.provider == "ec2") {
        Some(launch) if launch.instance_id.is_some() || open => {
            let what = launch
                .instance_id
                .as_deref()
                .unwrap_or("one that is being launched");
            Err(Failure::new(
                Exit::BadInput,
                format!("this job has an EC2 instance already: {what}"),
            )
            .hint("run `teardown` first")
            .leaving(Leftover::Tagged))
        }
        _ => Ok(()),
    }
}

/// Asks for the end of what a failed or cancelled launch has made, within seconds; `teardown` does the rest.
pub async fn unwind(context: &mut Context) {
    let record = context.store.record();
    // A host that an earlier run of this stage launched is none of this failure's business.
    let mut stages = record.stages.iter().rev();
    let begun = stages
        .find(|stage| stage.stage == Stage::ProvisionEc2.name())
        .map(|stage| stage.started);
    if !record.steps.iter().any(|step| Some(step.at) >= begun) {
        return;
    }
    let asked = match provider::for_end(&Whereabouts::default(), record, &context.env) {
        Ok(provider) => {
            provider
                .let_go(&mut context.store, Deadline::after(UNWIND))
                .await
        }
        Err(error) => Err(error.into()),
    };
    if let Err(failure) = asked {
        tracing::warn!(
            "could not ask for its end: {}; run `teardown`",
            failure.line()
        );
    }
}

/// Every request for an instance, in a table.
fn attempts(context: &Context) -> String {
    ec2::attempts::table(context.store.record().attempts())
}

fn summary(launched: &ProvisionedHost, took: Duration) -> String {
    let expires = launched.expires_at.map(|at| ("expires-at", at.to_string()));
    let cost = launched.hourly.map(|hourly| {
        let hour = dollars(hourly);
        let text = format!(
            "at most {hour} an hour: the on-demand price of {AS_OF}, without disk and traffic"
        );
        ("cost (estimate)", text)
    });
    let rows = launched.outputs.iter().cloned().chain(expires).chain(cost);
    let rows = rows.map(|(name, value)| format!("| {name} | {} |\n", escape_markdown(&value)));
    format!(
        "### provision-ec2: a host in {}\n\n| | |\n|---|---|\n{}\n",
        humane(took),
        rows.collect::<String>()
    )
}
