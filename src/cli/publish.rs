//! The inputs of `publish`, as typed.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::StageArgs;
use crate::{
    publish::{Places, State, is_commit},
    stages::Stage,
};

impl StageArgs for PublishArgs {
    const STAGE: Stage = Stage::Publish;
    const LIMIT: &'static str = "5m";
}

/// Inputs of `publish`.
#[derive(Clone, Debug, Args)]
pub struct PublishArgs {
    /// Where to tell it, separated by commas or line ends: `status` (the status of the commit, `statuses: write`), `check` (a
    /// check run, `checks: write`), `comment` (one on the pull request, `pull-requests: write`)
    #[arg(long, default_value = "status,check,comment", value_name = "LIST")]
    pub to: Places,
    /// How it stands [default: as the stages of this job ended, or those of `bundle`, and its other steps]
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// The cause in one line [default: as the stage that failed said it]
    #[arg(long, value_name = "TEXT")]
    pub cause: Option<String>,
    /// Name of what is told; there is one of each place for every name [default: workflow, job and matrix, such as
    /// `e2e / test (1.35)`]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Page that status and check lead to, such as that of a report [default: that of this attempt of the run]
    #[arg(long, value_parser = page)]
    pub url: Option<String>,
    /// Path of a bundle of gather-logs, whose diagnosis explains a failure [default: the one that gather-logs left in this job]
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Directory whose YAML files are looked through for the objects that failed, from the root of the repository: the check has
    /// an annotation at each [default: none]
    #[arg(long, value_name = "DIR")]
    pub sources: Option<PathBuf>,
    /// Commit that was tested, its whole SHA [default: by the event, of a pull request its head]
    #[arg(long, value_parser = commit)]
    pub sha: Option<String>,
    /// Number of the pull request that gets the comment [default: by the event]
    #[arg(long, value_name = "NUMBER")]
    pub pull: Option<u64>,
}

/// GitHub refuses other addresses, and longer ones.
fn page(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is {}, not http or https", url.scheme()));
    }
    if url.as_str().len() > 1024 {
        return Err("it is longer than 1024 characters".to_owned());
    }
    Ok(url.to_string())
}

fn commit(text: &str) -> Result<String, String> {
    let sha = text.trim().to_ascii_lowercase();
    if is_commit(&sha) {
        Ok(sha)
    } else {
        Err("that is not the whole SHA of a commit".to_owned())
    }
}
