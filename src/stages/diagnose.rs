//! `diagnose`: tells the causes of what is broken in files. A document for people or machines; no stage, since it belongs to
//! no job.

use crate::{
    cli::DiagnoseArgs,
    diagnose::{Diagnosis, read},
    report::{Exit, Failure},
    stages::json,
};

/// The answer, and whether nothing is wrong.
///
/// # Errors
/// [`Failure`]: what cannot be read.
pub fn answer(args: &DiagnoseArgs) -> Result<(String, Exit), Failure> {
    let diagnosis = Diagnosis::of(&read(&args.paths)?);
    let text = if args.json {
        json(&diagnosis)?
    } else {
        diagnosis.text()
    };
    let exit = if diagnosis.is_healthy() {
        Exit::Passed
    } else {
        Exit::TestFailed
    };
    Ok((text, exit))
}
