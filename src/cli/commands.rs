//! The inputs of `commands`, as typed.

use clap::Args;

use super::StageArgs;
use crate::{commands::is_name, inputs::List, stages::Stage};

impl StageArgs for CommandsArgs {
    const STAGE: Stage = Stage::Commands;
    const LIMIT: &'static str = "2m";
}

/// Inputs of `commands`.
#[derive(Clone, Debug, Args)]
pub struct CommandsArgs {
    /// Names of the jobs that `/test` and `/retest` can run, separated by commas or line ends; `/retest` knows that a job is red by
    /// the status that `publish` gives it under the same name
    #[arg(long, default_value = "e2e", value_name = "LIST", value_parser = names)]
    pub jobs: List,
    /// Label that `/hold` puts on the pull request, and `/hold cancel` takes off
    #[arg(long, default_value = "do-not-merge/hold", value_name = "NAME")]
    pub hold_label: String,
    /// Name of the status that fails while the pull request is held; a ruleset can require it
    #[arg(long, default_value = "hold", value_name = "NAME")]
    pub hold_status: String,
}

/// They are words of a comment.
fn names(text: &str) -> Result<List, String> {
    let List(names) = text.parse().unwrap_or_default();
    match names.iter().find(|name| !is_name(name) || *name == "all") {
        Some(name) => Err(format!(
            "`{name}` cannot be named in a comment: a name is made of at most 100 letters, digits, `.`, `_`, `-` and `/`, and is not `all`"
        )),
        None if names.is_empty() => Err("it names no job".to_owned()),
        None => Ok(List(names)),
    }
}
