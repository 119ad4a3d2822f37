//! `publish`: tells GitHub how this job ended. What GitHub refuses is a warning: it decides nothing.

use serde_json::Value;

use crate::{
    cli::PublishArgs,
    github::api::Api,
    inputs::Environment,
    logs::redact::{Marker, Redactor, harvest::Secrets, names::is_secret_name},
    publish::{self, Gathered, Message, Outcome, Place, Target, Turn, Verdict, Wanted, clipped},
    report::{self, Exit, Failure, Leftover},
    run::short_hash,
    stages::{Context, Outputs, Stage},
};

/// Characters of a name. GitHub takes 255.
const MAX_NAME: usize = 120;
/// A shorter value of our own environment is a setting rather than a secret.
const SHORTEST_OF_OURS: usize = 12;

/// Carries the stage out.
///
/// # Errors
/// [`Failure`] with exit code 2 for bad input alone.
pub async fn run(args: &PublishArgs, context: &mut Context) -> Result<Outputs, Failure> {
    carry_out(args, context)
        .await
        .map_err(|failure| failure.leaving(Leftover::None))
}

async fn carry_out(args: &PublishArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let env = &context.env;
    let wanted = Wanted {
        sha: args.sha.clone(),
        pull: args.pull,
    };
    let target = Target::of(env, &wanted)?;
    let api = Api::new(env)?;
    let gathered = gathered(args, context)?;
    let verdict = verdict(args, context, &gathered)?;
    let redactor = redactor(env);
    let turn = turn(env);
    let page = context.run().url.as_ref();
    let page = page.map(|_| format!("{}{}", server(env), turn.page()));
    let message = Message {
        name: name(args, env),
        verdict: Verdict::new(verdict.state, redactor.text(&verdict.cause)),
        diagnosis: gathered.diagnosis.reworded(|text| redactor.text(text)),
        url: args.url.clone().or(page),
        turn,
        sources: args.sources.clone(),
    };
    let description = publish::description(&message.verdict);
    tracing::info!("{}: {description}", message.verdict.state.name());
    let (told, warnings) = tell(&args.to.0, &api, &target, &message, context).await;
    report::warn(Stage::Publish, &warnings, env.on_runner());
    Ok(Outputs::default()
        .with("state", message.verdict.state.name())
        .with("description", description)
        .with("told", told.join(",")))
}

/// Tells it everywhere: where it is shown now, and what could not be told.
async fn tell(
    places: &[Place],
    api: &Api,
    target: &Target,
    message: &Message,
    context: &Context,
) -> (Vec<&'static str>, Vec<String>) {
    let (mut told, mut warnings) = (Vec::new(), Vec::new());
    if context.env.get("GITHUB_TOKEN").is_none() {
        let warning = "nothing is told to GitHub: the step has no GITHUB_TOKEN; give it `GITHUB_TOKEN: ${{ github.token }}` in its `env:`";
        return (told, vec![warning.to_owned()]);
    }
    // One after another: GitHub asks for that.
    for (at, place) in places.iter().enumerate() {
        // None of them takes the time of the others.
        let share = context.deadline.remaining() / u32::try_from(places.len() - at).unwrap_or(1);
        let deadline = context.deadline.within(share);
        match publish::tell(*place, api, target, message, deadline).await {
            Outcome::Told(page) => {
                let page = page.map_or_else(String::new, |page| format!(", {page}"));
                tracing::info!("{place}: told{page}");
                told.push(place.name());
            }
            Outcome::Nothing => tracing::info!("{place}: nothing to tell"),
            Outcome::Newer => {
                tracing::info!("{place}: a newer run has told its result, which stays");
            }
            Outcome::Untold(reason) => warnings.push(warning(*place, &reason)),
        }
    }
    (told, warnings)
}

fn warning(place: Place, reason: &str) -> String {
    let remedy = if reason.contains("not accessible by") {
        format!(
            "; the job needs `{}`, and under `pull_request` the token of a fork can only read (docs/publish.md)",
            place.permission()
        )
    } else {
        String::new()
    };
    format!("{place}: GitHub could not be told: {reason}{remedy}")
}

/// What gather-logs left.
fn gathered(args: &PublishArgs, context: &Context) -> Result<Gathered, Failure> {
    if let Some(file) = &args.bundle {
        return Ok(publish::gathered(file)?);
    }
    let Some(file) = publish::newest(&context.store.path("gathered")) else {
        return Ok(Gathered::default());
    };
    // Nobody has named it.
    Ok(publish::gathered(&file).unwrap_or_else(|error| {
        tracing::warn!("no diagnosis: {error}");
        Gathered::default()
    }))
}

fn verdict(args: &PublishArgs, context: &Context, gathered: &Gathered) -> Result<Verdict, Failure> {
    let found = found(args, context, gathered);
    let verdict = match (args.state, found) {
        // What the user says counts; the cause may be known.
        (Some(state), Some(found)) if found.state == state => found,
        (Some(state), _) => Verdict::new(state, ""),
        (None, Some(found)) => found,
        (None, None) => {
            let cause = "nothing says how this job stands: no stage of it ran, there is no bundle, and none of its steps failed";
            return Err(Failure::new(Exit::BadInput, cause).hint("set `state`, such as `pending` in the first step or `${{ needs.e2e.result }}` in a later job"));
        }
    };
    Ok(match &args.cause {
        Some(cause) => Verdict::new(verdict.state, cause.as_str()),
        None => verdict,
    })
}

fn found(args: &PublishArgs, context: &Context, gathered: &Gathered) -> Option<Verdict> {
    let record = &context.store.record().stages;
    let own = publish::of_stages(record, context.job_cancelled(), &gathered.diagnosis);
    let status = context.env.get("JOB_STATUS");
    if own.is_none() && !gathered.stages.is_empty() {
        // Another job's bundle: how this one stands says nothing of it.
        let of_bundle =
            publish::of_stages(&gathered.stages, gathered.cancelled, &gathered.diagnosis);
        let status = status.filter(|_| args.bundle.is_none());
        return publish::of_job(of_bundle, status);
    }
    publish::of_job(own, status)
}

fn turn(env: &Environment) -> Turn {
    let number = |name: &str| env.get(name).and_then(|text| text.parse().ok());
    Turn {
        run: number("GITHUB_RUN_ID").unwrap_or(0),
        attempt: env
            .get("GITHUB_RUN_ATTEMPT")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1),
    }
}

/// The page of the repository.
fn server(env: &Environment) -> String {
    let server = env.get("GITHUB_SERVER_URL").unwrap_or("https://github.com");
    format!(
        "{server}/{}",
        env.get("GITHUB_REPOSITORY").unwrap_or_default()
    )
}

/// Workflow, job and matrix, as GitHub names a job.
fn name(args: &PublishArgs, env: &Environment) -> String {
    let own = || {
        let parts = ["GITHUB_WORKFLOW", "GITHUB_JOB"].map(|name| env.get(name));
        let mut name = parts.into_iter().flatten().collect::<Vec<_>>().join(" / ");
        if name.is_empty() {
            "manifests-e2e".clone_into(&mut name);
        }
        let matrix = env
            .get("MATRIX")
            .and_then(|text| serde_json::from_str(text).ok());
        match matrix {
            Some(Value::Object(matrix)) if !matrix.is_empty() => {
                let values = matrix.values().map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                format!("{name} ({})", values.collect::<Vec<_>>().join(", "))
            }
            _ => name,
        }
    };
    let whole = args.name.clone().unwrap_or_else(own);
    let clean = clipped(&whole, usize::MAX);
    if clean.chars().count() <= MAX_NAME {
        return clean;
    }
    format!("{} {}", clipped(&clean, MAX_NAME - 9), short_hash(&clean))
}

/// What must not be shown: no log masks what is sent to an API.
fn redactor(env: &Environment) -> Redactor {
    let mut secrets = Secrets::default();
    for (name, value) in env.iter() {
        if value.len() >= SHORTEST_OF_OURS && is_secret_name(name) {
            secrets.add(value.as_bytes());
        }
    }
    Redactor::new(
        Marker::random(),
        &secrets,
        std::collections::BTreeSet::new(),
    )
}
