//! `status`: tells of each object whether it is ready. A document for people or machines; no stage, since it belongs to no job.

mod live;

use crate::{
    cli::StatusArgs,
    inputs::Environment,
    ready::ReadyWhen,
    report::{Exit, Failure},
    stages::json,
    status::{self, ObjectStatus},
};

/// The answer, and whether all are ready.
///
/// # Errors
/// [`Failure`]: what cannot be read, a cluster that cannot be asked.
pub async fn answer(args: &StatusArgs, env: &Environment) -> Result<(String, Exit), Failure> {
    let none = ReadyWhen::default();
    let rules = args.ready_when.as_ref().unwrap_or(&none);
    let all = match &args.kubeconfig {
        Some(kubeconfig) => live::look(args, rules, kubeconfig, env).await?,
        None => status::judge(&status::read(&args.paths)?, rules),
    };
    let text = if args.json {
        json(&all)?
    } else {
        status::table(&all)
    };
    let is_ready = |it: &ObjectStatus| it.state.is_ready();
    let exit = if all.iter().all(is_ready) {
        Exit::Passed
    } else {
        Exit::TestFailed
    };
    Ok((text, exit))
}
