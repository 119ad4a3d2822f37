//! The command files of a step: its outputs and the job summary. Without a runner, outputs go to standard output.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

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
    pub fn output(&self, name: &str, value: &str) -> io::Result<()> {
        if name.is_empty() || name.contains(['\n', '\r', '=', '<']) {
            return Err(io::Error::other("that is no name of an output"));
        }
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
    pub fn summary(&self, markdown: &str) -> io::Result<()> {
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

fn append(path: &Path, text: &str) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// What a runner makes of the file, by its own rules.
    fn understood(text: &str) -> Vec<(String, String)> {
        let mut lines = text.split('\n');
        let mut outputs = Vec::new();
        while let Some(line) = lines.next() {
            if let Some((name, delimiter)) = line.split_once("<<") {
                let value: Vec<&str> = lines
                    .by_ref()
                    .take_while(|line| *line != delimiter)
                    .collect();
                outputs.push((name.to_owned(), value.join("\n")));
            } else if let Some((name, value)) = line.split_once('=') {
                outputs.push((name.to_owned(), value.to_owned()));
            }
        }
        outputs
    }

    proptest! {
        #[test]
        fn no_value_makes_an_output_of_its_own(values in prop::collection::vec(hostile(), 1..5)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("output");
            let files = Files::new(&Environment::of([("GITHUB_OUTPUT", path.to_str().unwrap())]));
            for value in &values {
                files.output("cause", value).unwrap();
            }
            let text = std::fs::read_to_string(path).unwrap();
            let expected: Vec<_> = values.into_iter().map(|value| ("cause".to_owned(), value)).collect();
            prop_assert_eq!(understood(&text), expected);
        }

        #[test]
        fn a_name_that_could_end_its_line_is_refused(before in "[a-z]{0,4}", odd in "[\n\r=<]", after in ".{0,9}") {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("output");
            let files = Files::new(&Environment::of([("GITHUB_OUTPUT", path.to_str().unwrap())]));
            let name = before + &odd + &after;
            prop_assert!(files.output(&name, "x").is_err());
            prop_assert!(!path.exists());
        }
    }

    /// Text that somebody would write who knows the format.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            ".{0,12}",
            Just("\n".to_owned()),
            Just("x=1".to_owned()),
            Just("x<<end-".to_owned()),
            Just("end-0000000000000000".to_owned()),
            Just("cause<<EOF\nEOF\nx=1".to_owned()),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }
}
