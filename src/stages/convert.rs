//! `convert`: writes a bundle in the layout of another tool. No stage, since it belongs to no job.

use crate::{
    cli::{ConvertArgs, Target},
    convert,
    diagnose::read,
    report::{Exit, Failure},
};

/// What was written, in words.
///
/// # Errors
/// [`Failure`]: what cannot be read or written.
pub fn answer(args: &ConvertArgs) -> Result<(String, Exit), Failure> {
    let read = read(&args.paths)?;
    let written = match args.to {
        Target::MustGather => convert::must_gather(&read, &args.output)?,
    };
    let text = format!(
        "{}: {} objects, {} logs\n",
        args.output.display(),
        written.objects,
        written.logs
    );
    Ok((text, Exit::Passed))
}
