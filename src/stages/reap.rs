//! `reap`: what carries our tags and was left behind is marked by one pass and ended by a later one.
//!
//! It needs no record, and no word of the run that left it. A dry run changes nothing at all.

use crate::{
    cli::{ReapArgs, ReapProvider},
    github::api::Api,
    provider::{clusters, ec2},
    reap::{self, Fate, Janitor, Pass, Repositories, Rules},
    report::{Exit, Failure, Leftover},
    stages::{Context, Outputs},
};

/// Carries the stage out.
///
/// # Errors
/// [`Failure`]; exit code 4 while anything is left, 3 when it cannot be told.
pub async fn run(args: &ReapArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let deadline = context.deadline;
    let repositories = repositories(args, context)?;
    let github = Api::new(&context.env)?;
    let janitor = janitor(args, context).await?;
    let seen = janitor.look(deadline).await?;
    let rules = Rules {
        now: seen.now,
        grace: args.grace,
        repositories,
    };
    let answers = reap::ask(&github, &seen.resources, &rules, deadline).await;
    let verdicts = reap::judge(&seen.resources, &answers, &rules);
    let pass = Pass {
        janitor: &janitor,
        resources: &seen.resources,
        verdicts: &verdicts,
    };
    for (_, line) in pass.lines(|_, verdict| verdict.fate != Fate::Foreign) {
        tracing::info!("{line}");
    }
    let (gone, trouble) = if args.dry_run {
        (Vec::new(), Vec::new())
    } else {
        pass.carry_out(&rules, deadline).await
    };
    let text = reap::table(&seen.resources, &verdicts, &gone, args.dry_run);
    context.summarize(&text);
    let left = pass.lines(|resource, verdict| verdict.is_left() && !gone.contains(&resource.id));
    let unknown = pass.lines(|_, verdict| verdict.fate == Fate::Unknown);
    context.tell("terminated", &gone);
    context.tell("leftovers", left.iter().map(|(id, _)| id));
    conclude(&left, &unknown, trouble, args.dry_run)?;
    tracing::info!("nothing was left behind");
    Ok(Outputs::default())
}

/// Where to look.
async fn janitor(args: &ReapArgs, context: &Context) -> Result<Janitor, Failure> {
    let (env, deadline) = (&context.env, context.deadline);
    Ok(match args.provider {
        ReapProvider::Ec2 => {
            let regions = args.regions.clone().unwrap_or_default().0;
            let access = ec2::Access::new(env, args.role_arn.as_deref())?;
            let ec2 = ec2::Janitor::open(&regions, &access, deadline).await?;
            Janitor::Ec2(Box::new(ec2))
        }
        ReapProvider::Local => Janitor::Local(clusters::Janitor::open(env, deadline).await?),
    })
}

/// Whose resources: those that are named, else those of the repository that this runs in.
fn repositories(args: &ReapArgs, context: &Context) -> Result<Repositories, Failure> {
    let named = args.repositories.clone().unwrap_or_default().0;
    let own = context.env.get("GITHUB_REPOSITORY").map(str::to_owned);
    match (named.is_empty(), own) {
        (false, _) => Ok(Repositories(named)),
        (true, Some(own)) => Ok(Repositories(vec![own])),
        (true, None) => Err(
            Failure::new(Exit::BadInput, "nothing says whose remains to reap")
                .hint("name them by `repositories`: owner/name, owner/*, or * for all and those of laptops"),
        ),
    }
}

fn conclude(
    left: &[(String, String)],
    unknown: &[(String, String)],
    trouble: Vec<Failure>,
    dry_run: bool,
) -> Result<(), Failure> {
    let (exit, cause, hint) = if !left.is_empty() {
        let hint = if dry_run {
            "this was a dry run: with `dry-run: false` one pass marks these, and a later one ends them"
        } else {
            "the next pass ends what is marked and still left behind then"
        };
        let cause = format!("{} things were left behind and are there", left.len());
        (Exit::Leftovers, cause, hint)
    } else if !unknown.is_empty() {
        let hint = "give GITHUB_TOKEN `actions: read`; what has no expires-at is removed by hand";
        let cause = format!(
            "of {} things it cannot be told whether they were left behind",
            unknown.len()
        );
        (Exit::Infrastructure, cause, hint)
    } else {
        return trouble.into_iter().next().map_or(Ok(()), Err);
    };
    let mut failure = Failure::new(exit, cause)
        .hint(hint)
        .leaving(Leftover::Tagged);
    let lines = left.iter().chain(unknown).map(|(_, line)| line.clone());
    failure.details = lines.collect();
    for stood in trouble {
        failure.details.push(stood.line());
        failure.details.extend(stood.details);
    }
    Err(failure)
}
