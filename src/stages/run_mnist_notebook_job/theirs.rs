//! The inputs of kubeflow/testing's `run-notebook`, which this stage carries out under `--papermill`.

use std::{borrow::Cow, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    cli::{NotebookArgs, TheirNotebook},
    inputs::{Lines, Pairs},
    notebook::{NotebookError, verdict::TestVerdict},
    report::{BadInput, Failure, with_causes},
};

/// What runs a notebook. Theirs installs papermill, which runs on nbclient, too.
const RUNS: [&str; 2] = ["nbclient", "ipykernel"];

/// Our inputs, made of theirs where they are theirs.
///
/// # Errors
/// [`BadInput`] naming the input that the workflow has.
pub(super) fn translated(args: &NotebookArgs) -> Result<Cow<'_, NotebookArgs>, BadInput> {
    let theirs = &args.theirs;
    if !theirs.papermill {
        return Ok(Cow::Borrowed(args));
    }
    if args.notebook.is_none() {
        return Err(BadInput {
            input: "notebook",
            reason: "it is required, and empty".to_owned(),
            remedy: Some("an expression such as `matrix.NAME` may be misspelt".to_owned()),
        });
    }
    let words = theirs.papermill_parameters.as_deref().unwrap_or_default();
    let mut requirements: Vec<String> = RUNS.map(str::to_owned).into();
    if let Some(file) = &theirs.papermill_requirements {
        requirements.push(included(file)?);
    }
    Ok(Cow::Owned(NotebookArgs {
        parameters: Some(parameters(words)?),
        requirements: Some(Lines(requirements)),
        ..args.clone()
    }))
}

/// Writes the executed notebook where the workflow wants it.
///
/// # Errors
/// [`NotebookError::Machine`].
pub(super) fn put(theirs: &TheirNotebook, verdict: &TestVerdict) -> Result<(), Failure> {
    let (Some(path), Some(notebook)) = (&theirs.papermill_output, &verdict.notebook) else {
        return Ok(());
    };
    let text = serde_json::to_vec_pretty(notebook).expect("a notebook is plain data");
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let made = parent.map_or(Ok(()), fs::create_dir_all);
    let written = made.and_then(|()| fs::write(path, text));
    let failed = NotebookError::machine(format!("write {}", path.display()));
    written.map_err(|error| {
        let error = failed(error);
        tracing::warn!("{}", with_causes(&error));
        error.into()
    })
}

/// The line of a requirements file that includes another one; what that names is looked for beside it.
fn included(file: &Path) -> Result<String, BadInput> {
    let refuse = |reason: String| BadInput {
        input: "requirements",
        reason,
        remedy: Some("name a requirements file of this checkout".to_owned()),
    };
    let shown = file.display();
    let path = fs::canonicalize(file).map_err(|error| refuse(format!("{shown}: {error}")))?;
    if !path.is_file() {
        return Err(refuse(format!("{shown} is no file")));
    }
    let path = path.to_str();
    let path = path.ok_or_else(|| refuse(format!("{shown} is no text in UTF-8")))?;
    // pip reads it as a shell does.
    let path = path.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("-r \"{path}\""))
}

/// The options of papermill that set parameters; words are what white space is between, as in theirs.
fn parameters(text: &str) -> Result<Pairs, BadInput> {
    let refuse = |reason: String| BadInput {
        input: "parameters",
        reason,
        remedy: Some("write `-p name value`, or `-r name value` for a text".to_owned()),
    };
    let mut words = text.split_whitespace();
    let mut pairs: Vec<(String, String)> = Vec::new();
    while let Some(option) = words.next() {
        let is_text = match option {
            "-p" | "--parameters" => false,
            "-r" | "--parameters_raw" => true,
            other => return Err(refuse(format!("`{other}` is not known here"))),
        };
        let (Some(name), Some(value)) = (words.next(), words.next()) else {
            return Err(refuse(format!(
                "`{option}` at the end lacks a name or a value"
            )));
        };
        let value = if is_text {
            text_of(value)
        } else {
            typed(value)
        };
        // The later one counts.
        pairs.retain(|(known, _)| known != name);
        pairs.push((name.to_owned(), value));
    }
    Ok(Pairs(pairs))
}

/// A text, however it looks.
fn text_of(value: &str) -> String {
    json!(value).to_string()
}

/// A value as papermill understands it: Python's words and numbers, all else a text.
fn typed(value: &str) -> String {
    if matches!(value, "True" | "False" | "None") {
        return value.to_owned();
    }
    let (sign, digits) = match value.strip_prefix(['-', '+']) {
        Some(digits) => (if value.starts_with('-') { "-" } else { "" }, digits),
        None => ("", value),
    };
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = digits.trim_start_matches('0');
        return if digits.is_empty() {
            "0".to_owned()
        } else {
            format!("{sign}{digits}")
        };
    }
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let number = value
        .parse::<f64>()
        .ok()
        .filter(|it| begins && it.is_finite());
    number.map_or_else(|| text_of(value), |number| Value::from(number).to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn translate(words: &[&str]) -> Result<NotebookArgs, BadInput> {
        let head = ["manifests-e2e", "run-mnist-notebook-job"];
        let cli = Cli::try_parse_from(head.iter().chain(words)).unwrap();
        let Command::RunMnistNotebookJob(staged) = cli.command else {
            panic!("another command");
        };
        translated(&staged.args.args).map(Cow::into_owned)
    }

    #[test]
    fn parameters_are_what_papermill_makes_of_them() {
        let given = "-p a 3 --parameters b Hello\n -p c True -p d 1e3 -p e 007 -p f [1] -p g .5 -p h true -r i 5 -p a -4 -p j nan";
        let found = parameters(given).unwrap().0;
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let wanted = [
            ("b", "\"Hello\""),
            ("c", "True"),
            ("d", "1000.0"),
            ("e", "7"),
            ("f", "\"[1]\""),
            ("g", "0.5"),
            ("h", "\"true\""),
            ("i", "\"5\""),
            ("a", "-4"),
            ("j", "\"nan\""),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_refusal_names_the_input_that_the_workflow_has() {
        let dir = tempfile::tempdir().unwrap();
        let none = format!("--papermill-requirements={}/none.txt", dir.path().display());
        let notebook = "--notebook=n.ipynb";
        for (words, input) in [
            (vec![], "notebook"),
            (vec![notebook, none.as_str()], "requirements"),
            (
                vec![notebook, "--papermill-parameters=-f x.yaml"],
                "parameters",
            ),
            (vec![notebook, "--papermill-parameters=-p a"], "parameters"),
        ] {
            let words = [&["--papermill"], &words[..]].concat();
            assert_eq!(translate(&words).unwrap_err().input, input, "{words:?}");
        }
    }

    #[test]
    fn what_runs_notebooks_is_installed_and_then_their_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("with \"quotes\".txt");
        fs::write(&file, "kfp\n").unwrap();
        let given = format!("--papermill-requirements={}", file.display());
        let args = translate(&["--papermill", "--notebook=n.ipynb", &given]).unwrap();
        let lines = args.requirements.unwrap().0;
        assert_eq!(lines[..2], RUNS);
        assert!(
            lines[2].ends_with("/with \\\"quotes\\\".txt\""),
            "{lines:?}"
        );
    }

    #[test]
    fn our_own_inputs_are_left_as_they_are() {
        let args = translate(&["--parameters=a=1"]).unwrap();
        assert_eq!(
            args.parameters.unwrap().0,
            [("a".to_owned(), "1".to_owned())]
        );
        assert_eq!(args.requirements, None);
    }
}
