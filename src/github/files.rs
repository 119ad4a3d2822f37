//! The command files of a step: its outputs and the job summary. Without a runner, outputs go to standard output.

use std::{fs::OpenOptions, io::Write as _, path::PathBuf};

use crate::inputs::Environment;

/// The job summary of one step may be 1 MiB; over it the runner drops all of it.
const SUMMARY_LIMIT: u64 = 1024 * 1024;

/// Where a step's outputs and summary go.
#[derive(Clone, Debug)]
pub struct Files {
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
}

impl Files {
    /// The files that the runner names.
    pub fn new(env: &Environment) -> Self {
        Self {
            output: env.get("GITHUB_OUTPUT").map(PathBuf::from),
            summary: env.get("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        }
    }

    /// Sets one output of the step. Off a runner it is printed as `name=value`.
    ///
    /// # Errors
    /// When the runner's file cannot be written.
    pub fn output(&self, name: &str, value: &str) -> std::io::Result<()> {
        debug_assert!(
            !name.contains(['\n', '\r', '=', '<']),
            "outputs are named by us"
        );
        if let Some(path) = &self.output {
            // The value cannot end its own block: the delimiter is random.
            let delimiter = format!(
                "end-{:016x}{:016x}",
                rand::random::<u64>(),
                rand::random::<u64>()
            );
            let text = format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
            append(path, &text)
        } else {
            #[expect(clippy::print_stdout, reason = "outputs are what a command prints")]
            if !value.is_empty() {
                println!("{name}={value}");
            }
            Ok(())
        }
    }

    /// Adds Markdown to the job summary, as long as it fits.
    ///
    /// # Errors
    /// When the runner's file cannot be written.
    pub fn summary(&self, markdown: &str) -> std::io::Result<()> {
        let Some(path) = &self.summary else {
            return Ok(());
        };
        let used = std::fs::metadata(path).map_or(0, |file| file.len());
        if used + markdown.len() as u64 >= SUMMARY_LIMIT {
            tracing::warn!(
                "the job summary is full; {} bytes are left out",
                markdown.len()
            );
            return Ok(());
        }
        append(path, markdown)
    }
}

fn append(path: &PathBuf, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_many_lines_stays_one_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output");
        let files = Files::new(&Environment::of([(
            "GITHUB_OUTPUT",
            path.to_str().unwrap(),
        )]));
        files.output("failure", "a\nfake=1").unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let delimiter = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("failure<<")
            .unwrap();
        assert_eq!(
            text,
            format!("failure<<{delimiter}\na\nfake=1\n{delimiter}\n")
        );
    }
}
