//! The inputs of an action, made of the options of its subcommand: name, default and help.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use manifests_e2e::{cli::Cli, stages::Stage};

/// Options that every stage has; they come last.
const COMMON: [&str; 3] = ["timeout", "log", "job-key"];
/// An input of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    pub(super) default: String,
    pub(super) required: bool,
    pub(super) description: String,
}

/// The options of a subcommand as clap knows them.
pub(super) fn options(command: &str) -> Vec<Arg> {
    let cli = Cli::command();
    let command = subcommand(&cli, command);
    let options = command.get_arguments();
    let options = options.filter(|option| option.get_long().is_some() && !option.is_hide_set());
    options.cloned().collect()
}

pub(super) fn subcommand<'a>(cli: &'a Command, name: &str) -> &'a Command {
    let found = cli.find_subcommand(name);
    found.unwrap_or_else(|| panic!("no subcommand {name}"))
}

pub(super) fn name(option: &Arg) -> String {
    option.get_long().expect("options() has seen it").to_owned()
}

/// The inputs that the options of a subcommand are: its own, then the limits, then those that all have.
pub(super) fn inputs(command: &str, without: &[&str]) -> Vec<(String, Input)> {
    let mut inputs: Vec<(String, Input)> = options(command)
        .iter()
        .filter(|option| !without.contains(&name(option).as_str()))
        .map(|option| (name(option), input(command, option)))
        .collect();
    inputs.sort_by_key(|(name, _)| {
        let common = COMMON.iter().position(|common| common == name);
        common.map_or(usize::from(name.ends_with("timeout")), |at| at + 2)
    });
    inputs
}

fn input(command: &str, option: &Arg) -> Input {
    let given = option.get_default_values().first();
    let default = match name(option).as_str() {
        // On a laptop `run` takes the laptop, where an action launches an instance.
        "provider" if command != Stage::Teardown.name() => "ec2".to_owned(),
        _ => given.map_or_else(String::new, |value| value.to_string_lossy().into_owned()),
    };
    Input {
        required: name(option) == "manifests",
        description: described(option, default.is_empty()),
        default,
    }
}

/// The help of an option as sentences: what it is, what it can be, what it is by default.
fn described(option: &Arg, with_default: bool) -> String {
    let help = option
        .get_help()
        .expect("every option has help")
        .to_string();
    let told = help
        .strip_suffix(']')
        .and_then(|help| help.split_once(" [default: "));
    let (what, default) = told.map_or((help.as_str(), None), |(what, default)| {
        (what, Some(default))
    });
    let mut text = format!("{what}{}.", choices(option));
    if let Some(default) = default.filter(|_| with_default) {
        write!(text, " By default {default}.").expect("a String takes everything");
    }
    text
}

fn choices(option: &Arg) -> String {
    let values = option.get_possible_values();
    let is_boolean = values.len() == 2 && values.iter().any(|value| value.get_name() == "true");
    let mut values: Vec<String> = values
        .iter()
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({})", value.get_name(), continued(&help.to_string())),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    let Some(last) = values.pop() else {
        return String::new();
    };
    let lead = if is_boolean { ". " } else { ": " };
    format!("{lead}{} or {last}", values.join(", "))
}

/// A text in the middle of a sentence.
fn continued(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

#[test]
fn an_input_is_described_in_sentences() {
    let said = |command: &str, wanted: &str| {
        let found = options(command)
            .into_iter()
            .find(|option| name(option) == wanted);
        input(command, &found.unwrap()).description
    };
    assert_eq!(
        said("provision-ec2", "provider"),
        "Where the host comes from: `ec2` (a new EC2 instance), `ssh` (a host that you have, reached over SSH) or `local` \
         (this machine)."
    );
    assert_eq!(
        said("teardown", "provider").split(". ").last(),
        Some("By default as recorded, else `ec2`.")
    );
    assert!(said("deploy-manifests", "wait").ends_with(". `true` or `false`."));
    assert_eq!(
        said("provision-ec2", "region"),
        "AWS region. By default `$AWS_REGION`, else `us-east-1`."
    );
}
