//! Inputs as they are meant: the environment taken once, `INPUT_*` and a file turned into arguments, lists and pairs.
//!
//! An empty string is an absent input: that is how a runner passes an input that nobody set.

mod environment;

use std::{
    ffi::{OsStr, OsString},
    str::FromStr,
};

use clap::{Arg, Command};

use crate::yaml;

pub use environment::Environment;

/// Why inputs could not be taken together.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file of inputs cannot be read.
    #[error("cannot read the inputs in {file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file of inputs is no mapping of names to values.
    #[error("the inputs in {file} are not understood: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// The file of inputs names one that does not exist.
    #[error("{file} sets `{name}`, which `{command}` does not know; known are {known}")]
    Unknown {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// The subcommand.
        command: String,
        /// Every name it knows.
        known: String,
    },
}

/// Adds what `INPUT_*` and `--file` set to the arguments as typed, which win.
///
/// Only names that the subcommand knows are taken, so that the inputs of another action do no harm.
///
/// # Errors
/// [`InputError`] when a file of inputs is named and cannot be used.
pub fn gather(
    typed: Vec<OsString>,
    command: &Command,
    env: &Environment,
) -> Result<Vec<OsString>, InputError> {
    let Some((position, subcommand)) = typed.iter().enumerate().skip(1).find_map(|(at, word)| {
        let found = command.find_subcommand(word.to_str()?)?;
        Some((at, found))
    }) else {
        return Ok(typed);
    };
    let options: Vec<(&str, &Arg)> = subcommand
        .get_arguments()
        .filter_map(|option| Some((option.get_long()?, option)))
        .collect();
    let is_typed = |name: &str| {
        typed[position + 1..]
            .iter()
            .filter_map(|word| word.to_str())
            .any(|word| {
                word.strip_prefix("--").is_some_and(|word| {
                    word == name
                        || word
                            .strip_prefix(name)
                            .is_some_and(|rest| rest.starts_with('='))
                })
            })
    };
    let mut added = Vec::new();
    for (name, option) in options.iter().filter(|(name, _)| !is_typed(name)) {
        if let Some(value) = env.get(&variable(name)) {
            added.push((*name, trimmed(option, value)));
        }
    }
    if options.iter().any(|(name, _)| *name == "file") {
        let file = typed_value(&typed[position + 1..], "file").or_else(|| {
            added
                .iter()
                .find(|(name, _)| *name == "file")
                .map(|(_, value)| value.clone())
        });
        for (name, value) in file
            .map(|file| read(&file, subcommand))
            .transpose()?
            .unwrap_or_default()
        {
            let (known, option) = options
                .iter()
                .find(|(known, _)| *known == name)
                .expect("read() checks names");
            if !is_typed(&name) && !added.iter().any(|(other, _)| *other == name) {
                added.push((known, trimmed(option, &value)));
            }
        }
    }
    let mut arguments = typed;
    for (name, value) in added.into_iter().rev() {
        arguments.insert(position + 1, format!("--{name}={value}").into());
    }
    Ok(arguments)
}

/// The environment variable of an option: `INPUT_INSTANCE_TYPES` of `instance-types`.
pub fn variable(option: &str) -> String {
    format!("INPUT_{}", option.to_uppercase().replace('-', "_"))
}

/// A value without the white space that YAML has put around it: at the end of any, and on both sides of one of a few.
fn trimmed(option: &Arg, value: &str) -> String {
    let value = if option.get_possible_values().is_empty() {
        value.trim_end_matches(['\n', '\r'])
    } else {
        value.trim()
    };
    value.to_owned()
}

fn typed_value(words: &[OsString], name: &str) -> Option<String> {
    let flag = format!("--{name}");
    words.iter().enumerate().find_map(|(at, word)| {
        if word == OsStr::new(&flag) {
            return words.get(at + 1)?.to_str().map(str::to_owned);
        }
        word.to_str()?
            .strip_prefix(&flag)?
            .strip_prefix('=')
            .map(str::to_owned)
    })
}

fn read(file: &str, command: &Command) -> Result<Vec<(String, String)>, InputError> {
    let bytes = std::fs::read(file).map_err(|source| InputError::File {
        file: file.to_owned(),
        source,
    })?;
    let malformed = |reason: String| InputError::Malformed {
        file: file.to_owned(),
        reason,
    };
    let read = yaml::decode(bytes).and_then(|text| yaml::one(&text));
    let values = read.map_err(|fault| malformed(fault.to_string()))?;
    let values = match values {
        serde_json::Value::Object(values) => values,
        serde_json::Value::Null => serde_json::Map::new(),
        _ => return Err(malformed("it has to be a mapping of inputs".to_owned())),
    };
    let known: Vec<&str> = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|name| !matches!(*name, "file" | "help"))
        .collect();
    values
        .into_iter()
        .map(|(name, value)| {
            if !known.contains(&name.as_str()) {
                return Err(InputError::Unknown {
                    file: file.to_owned(),
                    name,
                    command: command.get_name().to_owned(),
                    known: known.join(", "),
                });
            }
            let value = flat(&value).ok_or_else(|| {
                malformed(format!(
                    "`{name}` must be text, a list or a mapping of texts"
                ))
            })?;
            Ok((name, value))
        })
        .filter(|pair| !matches!(pair, Ok((_, value)) if value.is_empty()))
        .collect()
}

/// A value of a file as an action would pass it: lists and mappings one entry a line.
fn flat(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => Some(
            items
                .iter()
                .map(flat)
                .collect::<Option<Vec<_>>>()?
                .join("\n"),
        ),
        Value::Object(map) => {
            let lines = map
                .iter()
                .map(|(key, value)| Some(format!("{key}={}", flat(value)?)));
            Some(lines.collect::<Option<Vec<_>>>()?.join("\n"))
        }
    }
}

/// Names separated by commas, spaces or line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl FromStr for List {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let items = text.split(|c: char| c == ',' || c.is_whitespace());
        Ok(Self(
            items
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        ))
    }
}

/// One entry a line; blank lines and lines that begin with `#` do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(pub Vec<String>);

impl FromStr for Lines {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lines = text.lines().map(str::trim);
        Ok(Self(
            lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
                .collect(),
        ))
    }
}

/// `key=value`, one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl FromStr for Pairs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Lines(lines) = text.parse().unwrap_or_default();
        let pairs = lines.iter().map(|line| match line.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok((key.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(format!("`{line}` is not `key=value`")),
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(Into::into).collect()
    }

    fn command() -> Command {
        Command::new("x").subcommand(
            Command::new("deploy")
                .arg(Arg::new("timeout").long("timeout"))
                .arg(Arg::new("image-overrides").long("image-overrides"))
                .arg(Arg::new("file").long("file"))
                .arg(
                    Arg::new("wait")
                        .long("wait")
                        .value_parser(clap::value_parser!(bool)),
                ),
        )
    }

    #[test]
    fn an_input_becomes_an_argument_unless_it_was_typed_or_is_empty() {
        let env = Environment::of([
            ("INPUT_TIMEOUT", "45m"),
            ("INPUT_IMAGE_OVERRIDES", ""),
            ("INPUT_OTHER", "x"),
        ]);
        let gathered = gather(words(&["x", "deploy"]), &command(), &env).unwrap();
        assert_eq!(gathered, words(&["x", "deploy", "--timeout=45m"]));
        let gathered =
            gather(words(&["x", "deploy", "--timeout", "1m"]), &command(), &env).unwrap();
        assert_eq!(gathered, words(&["x", "deploy", "--timeout", "1m"]));
    }

    #[test]
    fn white_space_around_one_of_a_few_values_means_nothing() {
        for value in ["true\n", " true ", "\ttrue\r\n"] {
            let env = Environment::of([("INPUT_WAIT", value), ("INPUT_IMAGE_OVERRIDES", " a \n")]);
            let gathered = gather(words(&["x", "deploy"]), &command(), &env).unwrap();
            let expected = ["x", "deploy", "--image-overrides= a ", "--wait=true"];
            assert_eq!(gathered, words(&expected), "{value:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("run.yaml");
        std::fs::write(&file, "wait: |\n  false\n").unwrap();
        let flag = format!("--file={}", file.display());
        let typed = words(&["x", "deploy", &flag]);
        let gathered = gather(typed, &command(), &Environment::default()).unwrap();
        assert_eq!(gathered, words(&["x", "deploy", "--wait=false", &flag]));
    }

    #[test]
    fn a_file_gives_what_neither_was_typed_nor_set() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("run.yaml");
        std::fs::write(&file, "timeout: 5m\nimage-overrides:\n  a: b\n").unwrap();
        let flag = format!("--file={}", file.display());
        let env = Environment::of([("INPUT_TIMEOUT", "45m")]);
        let gathered = gather(words(&["x", "deploy", &flag]), &command(), &env).unwrap();
        assert_eq!(
            gathered,
            words(&[
                "x",
                "deploy",
                "--timeout=45m",
                "--image-overrides=a=b",
                &flag
            ])
        );
        std::fs::write(&file, "wait: off\ntimeout: 5m\n").unwrap();
        let env = Environment::default();
        let gathered = gather(words(&["x", "deploy", &flag]), &command(), &env).unwrap();
        let expected = ["x", "deploy", "--timeout=5m", "--wait=false", &flag];
        assert_eq!(gathered, words(&expected));
        std::fs::write(&file, "timeout: 5m\n\ntimeout: 6m\n").unwrap();
        let error = gather(words(&["x", "deploy", &flag]), &command(), &env).unwrap_err();
        let twice = "line 3: the key `timeout` is there already, in line 1";
        assert!(error.to_string().contains(twice), "{error}");
        std::fs::write(&file, "time-out: 5m\n").unwrap();
        let error = gather(words(&["x", "deploy", &flag]), &command(), &env).unwrap_err();
        assert!(error.to_string().contains("sets `time-out`"), "{error}");
    }

    #[test]
    fn lists_lines_and_pairs() {
        assert_eq!("a, b\nc".parse::<List>().unwrap().0, ["a", "b", "c"]);
        assert_eq!(" a b \n\n# no\nc".parse::<Lines>().unwrap().0, ["a b", "c"]);
        assert_eq!(
            "a=b=c".parse::<Pairs>().unwrap().0,
            [("a".to_owned(), "b=c".to_owned())]
        );
        assert!("a".parse::<Pairs>().is_err());
    }
}
