//! `install-kind`.

use crate::{
    cli::InstallArgs,
    report::{Exit, Failure},
    stages::{Context, Outputs},
};

/// Carries the stage out.
///
/// # Errors
/// [`Failure`].
pub async fn run(_args: &InstallArgs, _context: &mut Context) -> Result<Outputs, Failure> {
    std::future::ready(()).await;
    Err(Failure::new(Exit::Infrastructure, "not part of this build"))
}
