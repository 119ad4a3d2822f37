//! `plan`: which jobs an event asks for. It runs nothing, and needs no cluster, no host and no credentials.

mod empty;
mod outputs;

use std::path::PathBuf;

use crate::{
    cli::PlanArgs,
    github::{
        api::{Api, is_repository},
        event::FORK_SHA,
    },
    inputs::Environment,
    limits::Deadline,
    plan::{
        self,
        changes::{self, Changes},
        config::{self, Config, ConfigError},
        select,
        source::{Sources, git::Git, remote::Remote},
        subject::{self, Beside, Payload, PayloadError, Subject},
        versions,
    },
    report::{self, Exit, Failure, Leftover},
    stages::{Context, Outputs, Stage},
};

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]; exit code 2 where nothing would run and that is not meant.
pub async fn run(args: &PlanArgs, context: &mut Context) -> Result<Outputs, Failure> {
    carry_out(args, context)
        .await
        .map_err(|failure| failure.leaving(Leftover::None))
}

async fn carry_out(args: &PlanArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let (subject, sources) = look(args, &context.env, deadline).await?;
    let (file, config) = configuration(args, &subject, &sources, deadline).await?;
    report::warn(Stage::Plan, &config.warnings, context.env.on_runner());
    let versions = versions_of(args, &subject, &sources, deadline).await?;
    let changes = match &args.changed_files {
        Some(files) => Some(Changes::Files(files.0.iter().cloned().collect())),
        None if select::needs_changes(&config, subject.job) => {
            Some(changes::find(&subject.range, &sources, deadline).await?)
        }
        None => None,
    };
    // Asked for by nobody, where there is none.
    let none = Changes::All("nobody asks what has changed".to_owned());
    let decisions = select::decide(&config, subject.job, changes.as_ref().unwrap_or(&none));
    let build = outputs::build(args, &subject, context);
    let planned = outputs::plan(args, &subject, &decisions, &versions, &build)?;
    let (jobs, changes) = (planned.jobs.len(), changes.as_ref());
    if args.explain {
        let words = plan::words(&subject, &file, changes, &decisions, jobs);
        report::show(&words, context.env.on_runner());
    }
    context.summarize(&plan::markdown(&subject, &file, changes, &decisions, jobs));
    let outputs = outputs::outputs(&config, &subject, &decisions, &planned, context)?;
    if jobs == 0 {
        empty::judge(args.empty, &file, &subject, &decisions)?;
        tracing::info!("no job: no changed file asks for one");
    } else {
        tracing::info!("{}", plan::counted(jobs, "job"));
    }
    Ok(outputs)
}

/// What the event is about, and what can be asked about it.
async fn look(
    args: &PlanArgs,
    env: &Environment,
    deadline: Deadline,
) -> Result<(Subject, Sources), Failure> {
    let own = args.event.is_none();
    let path = args
        .event
        .clone()
        .or_else(|| env.get("GITHUB_EVENT_PATH").map(PathBuf::from));
    let mut payload = Payload::read(&path.ok_or(PayloadError::None)?)?;
    let named = if own {
        env.get("GITHUB_EVENT_NAME")
    } else {
        args.event_name.as_deref()
    };
    let event = named.or_else(|| payload.event());
    let event = event.ok_or(PayloadError::Nameless)?.to_owned();
    // The runner's own words are about its own event alone.
    let of_runner = |name: &str| if own { env.get(name) } else { None };
    let beside = Beside {
        job: args.job_type,
        sha: of_runner("GITHUB_SHA"),
        repository: env.get("GITHUB_REPOSITORY"),
        branch: of_runner("GITHUB_REF_NAME"),
        allowed: env.get(FORK_SHA),
    };
    let repository = payload
        .repository()
        .or(beside.repository)
        .map(str::to_owned);
    let api = Api::new(env).map_err(Failure::from)?;
    let dir = args.checkout.clone().unwrap_or_else(|| PathBuf::from("."));
    let sources = Sources {
        git: Git::new(&dir, env),
        remote: match repository {
            Some(repository) if is_repository(&repository) => Ok(Remote::new(api, &repository)),
            _ => Err("GitHub's API: the event names no repository".to_owned()),
        },
        dir,
        on_runner: env.on_runner() && own,
    };
    if let Some(number) = payload.missing_pull() {
        let found = match &sources.remote {
            Ok(remote) => remote.pull(number, deadline).await,
            Err(reason) => Err(reason.clone()),
        };
        let pull = found.map_err(|reason| {
            let cause = format!("{event}: what pull request {number} is about cannot be told: {reason}");
            Failure::new(Exit::Infrastructure, cause)
                .hint("give the step `GITHUB_TOKEN: ${{ github.token }}` in its `env:`, and the job `pull-requests: read`")
        })?;
        payload.add_pull(pull);
    }
    Ok((subject::of(&event, &payload, beside)?, sources))
}

/// The configuration that counts, and its path.
async fn configuration(
    args: &PlanArgs,
    subject: &Subject,
    sources: &Sources,
    deadline: Deadline,
) -> Result<(String, Config), Failure> {
    let names: Vec<&str> = match &args.config {
        Some(name) => vec![name],
        None => config::NAMES.to_vec(),
    };
    for name in &names {
        if let Some(found) = sources.read(name, &subject.config, deadline).await? {
            let at = found.commit.map_or_else(
                || "as it is here".to_owned(),
                |commit| format!("as commit {commit} has it"),
            );
            tracing::info!("configuration: {name}, {at}");
            let config = config::read(name, &found.text)?;
            return Ok(((*name).to_owned(), config));
        }
    }
    let error = ConfigError {
        file: names.join(" or "),
        reason: "there is no such file in the repository".to_owned(),
    };
    Err(Failure::from(error).hint("name the configuration by `config`, from the root of the repository; docs/plan.md shows one"))
}

async fn versions_of(
    args: &PlanArgs,
    subject: &Subject,
    sources: &Sources,
    deadline: Deadline,
) -> Result<Vec<versions::Combination>, Failure> {
    let name = args.versions.as_deref().unwrap_or(versions::FILE);
    let found = sources.read(name, &subject.config, deadline).await?;
    if found.is_none() && args.versions.is_some() {
        let reason = "there is no such file in the repository".to_owned();
        return Err(ConfigError {
            file: name.to_owned(),
            reason,
        }
        .into());
    }
    let text = found.as_ref().map(|found| found.text.as_str());
    Ok(versions::combinations(name, text)?)
}
