//! What stages have in common: whether they may run at all, and, for those that visit the host of an earlier one, a door
//! that opens and a word when nobody is home.

use crate::{
    github::event,
    host::{HostError, presence::with_presence},
    inputs::Environment,
    provider::ec2,
    report::{Exit, Failure, Leftover},
    stages::{Context, Stage},
};

const fn visits(stage: Stage) -> bool {
    matches!(
        stage,
        Stage::InstallKind
            | Stage::DeployManifests
            | Stage::RunMnistNotebookJob
            | Stage::GatherLogs
    )
}

/// Refuses to bring a fork's code to our credentials; what collects and ends things runs all the same.
///
/// # Errors
/// [`Failure`] with exit code 2.
pub(super) fn allowed(stage: Stage, env: &Environment) -> Result<(), Failure> {
    if stage.in_chain() && !stage.must_run() {
        event::refuse_fork(env)?;
    }
    Ok(())
}

/// Has this machine let in where its address has changed since the last stage.
pub(super) async fn before(stage: Stage, context: &mut Context) {
    let (cancelled, deadline) = (context.cancelled.clone(), context.deadline);
    if visits(stage) {
        tokio::select! {
            () = ec2::reauthorize(&mut context.store, &context.env, deadline) => {}
            () = cancelled.cancelled() => {}
        }
    }
}

/// Says what a failed stage leaves that needs no more than a kubeconfig.
///
/// `teardown` finds what this job has made: its host, its cluster. A cluster that somebody else made keeps what was
/// applied to it.
pub(super) fn leaving(stage: Stage, context: &Context, mut failure: Failure) -> Failure {
    let needs_only_a_cluster = matches!(
        stage,
        Stage::DeployManifests | Stage::RunMnistNotebookJob | Stage::GatherLogs
    );
    if needs_only_a_cluster && failure.leftover != Leftover::None {
        let record = context.store.record();
        let made_here =
            record.launch.is_some() || record.host.is_some() || record.cluster.is_some();
        failure.leftover = if made_here {
            Leftover::Tagged
        } else if context.writes {
            Leftover::Applied
        } else {
            Leftover::None
        };
    }
    failure
}

const fn may_be_the_host(exit: Exit) -> bool {
    matches!(
        exit,
        Exit::Infrastructure | Exit::TestFailed | Exit::TimeLimit
    )
}

/// Says why EC2 has ended the host, where it is lost: AWS may have taken spot capacity back.
async fn with_reason_of_loss(mut failure: Failure, context: &Context) -> Failure {
    let record = context.store.record();
    let Some(host) = record.host.as_ref() else {
        return failure;
    };
    let lost = HostError::lost(host);
    let line = failure.line();
    if !failure
        .details
        .iter()
        .chain([&line])
        .any(|text| text.contains(&lost))
    {
        return failure;
    }
    if let Some((reason, hint)) = ec2::reason_of_loss(record, &context.env).await {
        failure.details.insert(0, reason);
        failure.hint = hint.or(failure.hint);
    }
    failure
}

/// Says that the host is lost or was rebooted, where it is so, beside what failed for want of it.
pub(super) async fn after<T>(
    stage: Stage,
    context: &Context,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    match result {
        Err(failure) if may_be_the_host(failure.exit) && visits(stage) => {
            let (host, elapsed) = (
                context.store.record().host.as_ref(),
                context.deadline.elapsed(),
            );
            let failure = with_presence(failure, host, &context.env, elapsed).await;
            Err(with_reason_of_loss(failure, context).await)
        }
        result => result,
    }
}
