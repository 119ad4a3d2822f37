//! `teardown`.

use crate::{
    cli::TeardownArgs,
    report::{Exit, Failure},
    stages::{Context, Outputs},
};

/// Carries the stage out.
///
/// # Errors
/// [`Failure`].
pub async fn run(_args: &TeardownArgs, _context: &mut Context) -> Result<Outputs, Failure> {
    std::future::ready(()).await;
    Err(Failure::new(Exit::Infrastructure, "not part of this build"))
}
