use clap::{Arg, CommandFactory as _, error::ErrorKind};

use super::*;
use crate::tools::versions;

/// The options of a subcommand that may be typed without a value: `--wait` is `--wait=true`.
fn optional_values(command: &clap::Command) -> Vec<&Arg> {
    let options = command.get_arguments().filter(|option| {
        let values = option.get_num_args();
        values.is_some_and(|values| values.takes_values() && values.min_values() == 0)
    });
    options.collect()
}

/// Each subcommand with the names of those options.
fn switches() -> Vec<(String, Vec<String>)> {
    let mut root = Cli::command();
    root.build();
    let subcommands = root.get_subcommands().map(|command| {
        let names = optional_values(command).into_iter();
        let names = names.filter_map(Arg::get_long).map(str::to_owned);
        (command.get_name().to_owned(), names.collect())
    });
    subcommands.collect()
}

#[test]
fn a_boolean_is_typed_in_three_ways_and_is_nothing_but_true_or_false() {
    let mut seen = 0;
    for (command, names) in switches() {
        for name in names {
            let parse = |words: &[&str]| {
                let start = ["manifests-e2e", command.as_str()];
                Cli::try_parse_from(start.iter().chain(words))
            };
            let flag = format!("--{name}");
            for words in [
                vec![flag.as_str()],
                vec![&flag, "--log=warn"],
                vec![&flag, "true"],
                vec![&flag, "false"],
                vec![&format!("{flag}=true")],
                vec![&format!("{flag}=false")],
            ] {
                let parsed = parse(&words);
                assert!(parsed.is_ok(), "{command} {words:?}: {parsed:?}");
            }
            for bad in ["yes", "1", "True", ""] {
                for words in [
                    vec![flag.clone(), bad.to_owned()],
                    vec![format!("{flag}={bad}")],
                ] {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    let refused = parse(&words).unwrap_err();
                    assert_eq!(
                        refused.kind(),
                        ErrorKind::InvalidValue,
                        "{command} {words:?}"
                    );
                }
            }
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
}

#[test]
fn what_was_typed_after_a_boolean_is_its_value() {
    let words = [
        "manifests-e2e",
        "deploy-manifests",
        "--wait",
        "false",
        "--prune",
        "all",
    ];
    let Command::DeployManifests(staged) = Cli::try_parse_from(words).unwrap().command else {
        panic!("another command");
    };
    let args = staged.args.args;
    assert!(!args.wait);
    assert_eq!(args.prune, Prune::All);
    assert!(!args.dry_run);
}

/// `--wait PATH` would take the path for the value.
#[test]
fn a_command_with_positional_arguments_has_only_plain_flags() {
    let mut root = Cli::command();
    root.build();
    for command in root.get_subcommands() {
        let switches = optional_values(command);
        assert!(
            command.get_positionals().next().is_none() || switches.is_empty(),
            "{}: {switches:?}",
            command.get_name()
        );
    }
}

#[test]
fn the_limit_of_the_chain_is_the_sum_of_its_stages() {
    let stages = [
        ProvisionArgs::LIMIT,
        InstallArgs::LIMIT,
        DeployArgs::LIMIT,
        NotebookArgs::LIMIT,
    ];
    let sum: Duration = stages.into_iter().map(default_limit).sum();
    assert_eq!(default_limit(RunArgs::LIMIT), sum);
    let provision = ProvisionArgs::LIMIT.parse().unwrap();
    let Command::Run(args) = Cli::try_parse_from(["manifests-e2e", "run"])
        .unwrap()
        .command
    else {
        panic!("another command");
    };
    assert_eq!(args.whole(), usual_run(provision));
}

#[test]
fn the_limit_of_the_chain_leaves_the_ending_its_minutes() {
    let words = [
        "manifests-e2e",
        "run",
        "--timeout=30m",
        "--gather-timeout=2m",
    ];
    let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else {
        panic!("another command");
    };
    assert_eq!(args.whole(), Duration::from_mins(30 + 2 + 10));
}

#[test]
fn a_default_that_help_tells_is_that_of_the_code() {
    let root = Cli::command();
    let install = root.find_subcommand("install-kind").unwrap();
    for (name, default) in [
        ("kind-version", versions::KIND),
        ("kubernetes-version", versions::KUBERNETES),
    ] {
        let mut options = install.get_arguments();
        let option = options.find(|one| one.get_long() == Some(name)).unwrap();
        let help = option.get_help().unwrap().to_string();
        assert!(help.ends_with(&format!("[default: `{default}`]")), "{help}");
    }
}
