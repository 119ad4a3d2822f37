//! Whose things a teardown ends: those of one job, or of a whole run.

use super::account::describe;
use crate::{
    cli::{Scope, TeardownArgs},
    provider::{OtherJobs, Owner, Provider, Resource},
    report::{Exit, Failure, Leftover},
    run::{Execution, Run, TAG_JOB},
    stages::{Context, Stage},
};

/// Whether `provision-ec2` ran here, in this job: then the record says which job this is.
pub(super) fn launched_here(context: &Context) -> bool {
    let provision = Stage::ProvisionEc2.name();
    let stages = &context.store.record().stages;
    stages.iter().any(|stage| stage.stage == provision)
}

/// Whose things are meant.
pub(super) fn owner(args: &TeardownArgs, context: &Context, known: bool) -> Result<Owner, Failure> {
    let workflow = Run::workflow_id(&context.env);
    // An unset variable of a shell is typed as an empty text.
    let asked = args
        .run_id
        .as_deref()
        .map(str::trim)
        .filter(|id| !id.is_empty());
    if asked.is_none() && workflow.is_none() && !known {
        return Err(Failure::new(Exit::BadInput, "nothing says which run to tear down")
            .hint("name it by `run-id`, as provision-ec2 printed it, or run this where provision-ec2 ran"));
    }
    let run = match (asked, &workflow) {
        (None, _) => context.run().id.clone(),
        // The bare number of a workflow run, as `github.run_id` has it.
        (Some(id), Some(run)) if id.bytes().all(|b| b.is_ascii_digit()) => {
            let repository = run
                .rsplit_once('-')
                .map_or("", |(repository, _)| repository);
            format!("{repository}-{id}")
        }
        (Some(id), _) => id.to_owned(),
    };
    let job = match of_another_run(&run, context) {
        Some(shown) if shown.key.is_some() => shown.job_name(),
        _ => context.run().job.clone(),
    };
    if args.scope == Scope::Job {
        return Ok(Owner {
            run,
            job: Some(job),
            others: None,
        });
    }
    // What cannot be asked must not keep a teardown from its work.
    let others = OtherJobs::of(&context.env, context.run()).unwrap_or_else(|error| {
        tracing::warn!("{error}: whether other jobs are in progress is not known");
        None
    });
    Ok(Owner {
        others,
        ..Owner::run(run)
    })
}

/// What this step shows of its job, where the record is of another run than the one that is meant.
fn of_another_run(run: &str, context: &Context) -> Option<Execution> {
    let key = context.job_key.as_deref();
    (run != context.run().id).then(|| Execution::of(&context.env, key))
}

/// A clean report about the wrong job would be worse than none.
///
/// A job that is named by its key is the one that is meant. Other jobs are only mentioned then: in a matrix they still run.
pub(super) async fn refuse_wrong_job(
    provider: &dyn Provider,
    owner: &Owner,
    context: &Context,
) -> Result<(), Failure> {
    let others = provider
        .find(&Owner::run(&owner.run), context.deadline)
        .await?;
    if others.is_empty() {
        return Ok(());
    }
    let cause = format!(
        "nothing of {} is there, but other jobs of the run have resources",
        describe(owner)
    );
    let details: Vec<String> = others.iter().map(with_job).collect();
    let another = of_another_run(&owner.run, context);
    let execution = another.as_ref().unwrap_or(&context.run().execution);
    let hint = match &owner.job {
        Some(job) if execution.key.is_some() => {
            if !others.iter().any(|other| is_leg(other, job)) {
                tracing::warn!("{cause}: {}", details.join(", "));
                return Ok(());
            }
            "jobs with this `job-key` run in a matrix: give this job the same matrix, or set `scope: run`"
        }
        _ => {
            "set `job-key` here and in the job that created them, to tear down that job alone, or `scope: run` to tear down \
             every job of the run"
        }
    };
    let mut failure = Failure::new(Exit::Leftovers, cause)
        .hint(hint)
        .leaving(Leftover::Tagged);
    failure.details = details;
    context.tell("leftovers", others.iter().map(|one| &one.id));
    Err(failure)
}

/// Whether a resource is of a leg of a matrix, each leg with the key that names `job`: its name has one hash more.
fn is_leg(resource: &Resource, job: &str) -> bool {
    let tag = resource.tags.get(TAG_JOB);
    let more = tag.and_then(|other| other.strip_prefix(job)?.strip_prefix('-'));
    more.is_some_and(|more| more.len() == 8 && more.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A resource, and the job that it is tagged with.
fn with_job(resource: &Resource) -> String {
    match resource.tags.get(TAG_JOB) {
        Some(job) => format!("{resource} of job {job}"),
        None => resource.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inputs::Environment, stages};

    #[tokio::test]
    async fn a_key_names_the_job_of_another_run_whatever_the_record_says() {
        let dir = tempfile::tempdir().unwrap();
        let context = Context {
            job_key: Some("k8s-1-34".to_owned()),
            ..stages::tests::context(dir.path())
        };
        let of = |run: &str| {
            let args = TeardownArgs {
                run_id: Some(run.to_owned()),
                ..TeardownArgs::default()
            };
            owner(&args, &context, true).unwrap().job
        };
        assert_eq!(of("7-42").as_deref(), Some("k8s-1-34"));
        let own = context.run();
        assert_eq!(of(&own.id), Some(own.job.clone()));
    }

    #[test]
    fn a_leg_of_a_matrix_is_told_from_a_job_of_another_key() {
        let of = |job: &str| Resource {
            tags: [(TAG_JOB.to_owned(), job.to_owned())].into(),
            ..Resource::default()
        };
        let env = Environment::of([("MATRIX", r#"{"k8s":"1.34"}"#)]);
        let leg = Execution::of(&env, Some("chain")).job_name();
        assert!(is_leg(&of(&leg), "chain"), "{leg}");
        for other in ["chain", "chain-2", "other-1f2e3d4c", "chains-1f2e3d4c"] {
            assert!(!is_leg(&of(other), "chain"), "{other}");
        }
        assert!(!is_leg(&Resource::default(), "chain"));
    }
}
