//! What a plan sets: the matrix, and what its jobs need to know.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    cli::PlanArgs,
    plan::{
        config::{self, Config},
        matrix::{self, Common, MatrixError},
        names,
        prow::{Build, Variables},
        select::Decision,
        subject::Subject,
        versions::Combination,
    },
    record::write_private,
    report::Failure,
    run::short_hash,
    stages::{Context, Outputs},
};

/// The jobs, and the variables that they share.
pub(super) struct Planned {
    pub(super) jobs: Vec<Value>,
    variables: Variables,
    build: Build,
    namespace: String,
}

/// The run of the workflow.
pub(super) fn build(args: &PlanArgs, subject: &Subject, context: &Context) -> Build {
    let env = &context.env;
    let run = env.get("GITHUB_RUN_ID");
    let attempt = env.get("GITHUB_RUN_ATTEMPT").unwrap_or("1");
    let own = || format!("{}-{}-{}", subject.owner, subject.name, subject.job);
    Build {
        id: run.map(|run| format!("{run}-{attempt}")),
        number: env.get("GITHUB_RUN_NUMBER").map(str::to_owned),
        prow_job: run.map(|_| format!("{}-{attempt}", context.run().id)),
        artifacts: context.store.path("artifacts").display().to_string(),
        job_name: args.job_name.clone().unwrap_or_else(own),
    }
}

/// Makes the jobs.
///
/// # Errors
/// [`MatrixError`].
pub(super) fn plan(
    args: &PlanArgs,
    subject: &Subject,
    decisions: &[Decision<'_>],
    versions: &[Combination],
    build: &Build,
) -> Result<Planned, MatrixError> {
    let mut variables = Variables::of(subject, build);
    // On a laptop every plan is one of its own.
    let run = build
        .prow_job
        .clone()
        .unwrap_or_else(|| format!("{:016x}", rand::random::<u64>()));
    if args.release {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        variables.release(subject.commit.as_deref(), today, &short_hash(&run)[..4]);
    }
    let usual = if args.release {
        "kubeflow-releasing"
    } else {
        "kubeflow-test-infra"
    };
    let namespace = args.namespace.clone().unwrap_or_else(|| usual.to_owned());
    let labels = names::labels(&variables);
    let common = Common {
        subject,
        job_name: &build.job_name,
        build: variables.get("BUILD_NUMBER"),
        run: &run,
        namespace: &namespace,
        labels: &labels,
    };
    let jobs = matrix::jobs(decisions, versions, common)?;
    Ok(Planned {
        jobs,
        build: build.clone(),
        namespace,
        variables,
    })
}

/// The outputs of the stage, none of which GitHub would cut.
///
/// # Errors
/// [`Failure`].
pub(super) fn outputs(
    config: &Config,
    subject: &Subject,
    decisions: &[Decision<'_>],
    planned: &Planned,
    context: &Context,
) -> Result<Outputs, Failure> {
    let (owner, name) = (subject.owner.as_str(), subject.name.as_str());
    let skipped = decisions.iter().filter(|one| !one.why.runs());
    let skipped = skipped.map(|one| json!({"name": one.workflow.name, "why": one.why.words()}));
    let labels = names::labels(&planned.variables);
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let file = context.store.path("prow-env.json");
    let outputs = Outputs::default()
        .with("matrix", matrix::text(&planned.jobs))
        .with("any", (!planned.jobs.is_empty()).to_string())
        .with("skipped", skipped.collect::<Value>().to_string())
        .with("job-type", subject.job.name())
        .with("job-name", planned.build.job_name.as_str())
        .with("namespace", planned.namespace.as_str())
        .with("sha", subject.commit.clone().unwrap_or_default())
        .with("prow", json!(planned.variables.with_defaults()).to_string())
        .with("prow-env", planned.variables.passed())
        .with("labels", labels.join("\n"))
        .with(
            "version-tag",
            planned.variables.get("VERSION_TAG").unwrap_or_default(),
        )
        .with("python-path", config::python_path(config, owner, name))
        .with(
            "repositories",
            config::repositories(config, owner, name).join("\n"),
        )
        .with("env-file", file.display().to_string());
    matrix::fits(
        outputs
            .0
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    )?;
    write_env(&file, &planned.variables)?;
    Ok(outputs)
}

/// What a step gets in its environment, as a file: titles and branches are anybody's text, and no file is run.
fn write_env(file: &Path, variables: &Variables) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(variables.environment()).expect("texts are JSON");
    Ok(write_private(file, &text)?)
}
