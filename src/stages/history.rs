//! `history`: tells how builds went over time. A document for people or machines, and pages; no stage, since it belongs to no job.

use std::fmt::Write as _;

use crate::{
    cli::HistoryArgs,
    github::commands::harmless,
    history::{self, Source},
    inputs::Environment,
    limits::Deadline,
    provider::ec2::Access,
    report::{Exit, Failure},
};

/// The answer; what the builds came to is no failure of it.
///
/// # Errors
/// [`Failure`]: what cannot be read, published or written.
pub async fn answer(args: &HistoryArgs, env: &Environment) -> Result<(String, Exit), Failure> {
    let deadline = Deadline::after(args.timeout);
    let access = Access::new(env, args.role_arn.as_deref())?;
    let source = Source::open(&args.source, &access, deadline).await?;
    if args.publish {
        source.publishable()?;
    }
    let told = history::read(&source, &args.source, &args.job, args.builds.get()).await?;
    let mut text = if args.json {
        told.json()
    } else {
        history::table(&told)
    };
    if let Some(directory) = &args.output {
        history::write(&told, directory)?;
    }
    if args.publish {
        let pages = history::publish(&told, &source, &access, deadline).await?;
        for page in pages.iter().filter(|_| !args.json) {
            write!(text, "\npublished {page}").expect("a String takes everything");
        }
    }
    // Tests and causes are called as strangers like.
    let text = if env.on_runner() && !args.json {
        harmless(&text)
    } else {
        text
    };
    Ok((text, Exit::Passed))
}
