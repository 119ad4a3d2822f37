//! What is there to paste: examples, README and the pages under `docs` name our actions, their inputs and values that they take.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod roles;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser as _;
use manifests_e2e::{
    cli::{Cli, Command},
    stages::Stage,
};
use serde_yaml::Value;

use super::{
    actions::{Action, BINARY, translated::option_of},
    inputs::Input,
    root, text,
};

const REPOSITORY: &str = "kubeflow/manifests-e2e";

/// A step that uses an action, and where it is written.
#[derive(Debug)]
struct Use {
    at: String,
    action: String,
    reference: String,
    with: Vec<(String, String)>,
}

/// Files below a folder whose names end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no {ending}");
    paths
}

pub(in super::super) fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs", ".md");
    pages.extend(["README.md", "examples/README.md"].map(|page| root().join(page)));
    pages
}

/// What a page says that is wrong once there is a release.
pub(in super::super) fn stale_after_a_release(page: &str) -> Vec<&str> {
    const STALE: [&str; 7] = [
        "not released",
        "nothing is released",
        "no release yet",
        "not out yet",
        "there is none yet",
        "before the first release",
        "until the first release",
    ];
    let is_stale = |line: &&str| {
        STALE
            .iter()
            .any(|stale| line.to_lowercase().contains(stale))
    };
    page.lines().filter(is_stale).collect()
}

/// The blocks of a page that are YAML.
fn blocks(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("```yaml\n") {
        let (block, more) = after.split_once("```").expect("a block ends");
        found.push(block.to_owned());
        rest = more;
    }
    found
}

/// Everything to paste as YAML, each with its place.
fn documents() -> Vec<(String, Value)> {
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    let mut texts: Vec<(String, String)> = Vec::new();
    for path in files("examples", ".yml") {
        texts.push((name(&path), fs::read_to_string(&path).unwrap()));
    }
    for path in pages() {
        let blocks = blocks(&fs::read_to_string(&path).unwrap());
        texts.extend(blocks.into_iter().map(|block| (name(&path), block)));
    }
    texts
        .into_iter()
        .map(|(place, text)| {
            let yaml = serde_yaml::from_str(&text);
            let yaml = yaml.unwrap_or_else(|error| panic!("{place}: {error}\n{text}"));
            (place, yaml)
        })
        .collect()
}

/// A scalar as GitHub hands it on.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap().trim().to_owned(),
    }
}

fn collect(place: &str, value: &Value, found: &mut Vec<Use>) {
    if let Some(map) = value.as_mapping() {
        if let Some((action, reference)) = text(value, "uses").split_once('@') {
            let with = map.get("with").and_then(Value::as_mapping);
            let with = with.into_iter().flatten();
            found.push(Use {
                at: place.to_owned(),
                action: action.to_owned(),
                reference: reference.to_owned(),
                with: with
                    .map(|(name, one)| (scalar(name), scalar(one)))
                    .collect(),
            });
        }
        for one in map.values() {
            collect(place, one, found);
        }
    } else if let Some(sequence) = value.as_sequence() {
        for one in sequence {
            collect(place, one, found);
        }
    }
}

fn uses() -> Vec<Use> {
    let mut found = Vec::new();
    for (place, yaml) in documents() {
        collect(&place, &yaml, &mut found);
    }
    found
}

/// The words of the command line that a step of ours becomes, without what only a run knows.
fn words(action: &str, with: &[(String, String)]) -> Vec<String> {
    let folder = action
        .trim_start_matches(REPOSITORY)
        .trim_start_matches('/');
    let command = match folder {
        "" => "run",
        "actions/create-cluster" => Stage::InstallKind.name(),
        "actions/run-notebook" => Stage::RunMnistNotebookJob.name(),
        folder => folder.trim_start_matches("actions/"),
    };
    let option = |name: &str| option_of(folder, name);
    // What only a run knows is left out, and what `run.sh` reads itself.
    let known = with
        .iter()
        .filter(|(name, value)| !value.contains("${{") && !value.is_empty() && name != BINARY);
    let options = known.filter_map(|(name, value)| Some(format!("--{}={value}", option(name)?)));
    let head = ["manifests-e2e", command].map(str::to_owned);
    head.into_iter().chain(options).collect()
}

#[test]
fn what_is_to_paste_names_actions_inputs_and_values_that_are_there() {
    let actions = Action::all();
    let ours = uses();
    let ours: Vec<&Use> = ours
        .iter()
        .filter(|one| one.action.starts_with(REPOSITORY))
        .collect();
    let mut seen = BTreeSet::new();
    for one in &ours {
        let folder = one
            .action
            .trim_start_matches(REPOSITORY)
            .trim_start_matches('/');
        // The step that fetches or builds the binary takes no option of the command line.
        if folder == "actions/setup" && root().join(folder).join("action.yml").exists() {
            continue;
        }
        let action = actions.iter().find(|action| action.folder() == folder);
        let action = action.unwrap_or_else(|| panic!("{}: no action {folder}", one.at));
        seen.insert(folder.to_owned());
        for (name, _) in &one.with {
            let known = action.inputs.iter().any(|(known, _)| known == name);
            assert!(known, "{}: {folder} has no input {name}", one.at);
        }
        let needs = |(name, input): &(String, Input)| {
            input.required && !one.with.iter().any(|(given, _)| given == name)
        };
        let missing = action.inputs.iter().find(|input| needs(input));
        assert!(missing.is_none(), "{}: {folder} needs {missing:?}", one.at);
        let words = words(&one.action, &one.with);
        if let Err(error) = Cli::try_parse_from(&words) {
            panic!("{}: {words:?}\n{error}", one.at);
        }
    }
    let never: Vec<&str> = actions
        .iter()
        .map(Action::folder)
        .filter(|folder| !seen.contains(*folder))
        .collect();
    assert_eq!(never, ["actions/extend"], "actions that nothing shows");
}

#[test]
fn what_is_to_paste_is_pinned_and_ours_to_one_commit() {
    let mut references = BTreeSet::new();
    for one in uses() {
        let is_hash =
            one.reference.len() == 40 && one.reference.chars().all(|c| c.is_ascii_hexdigit());
        assert!(is_hash, "{}: {}@{}", one.at, one.action, one.reference);
        if one.action.starts_with(REPOSITORY) {
            references.insert(one.reference);
        }
    }
    assert_eq!(references.len(), 1, "{references:?}");
}

/// Each job that runs the whole chain, with the minutes that it has.
fn chains(value: &Value, found: &mut Vec<(u64, Vec<(String, String)>)>) {
    if let Some(minutes) = value.get("timeout-minutes").and_then(Value::as_u64) {
        let mut steps = Vec::new();
        collect("", &value["steps"], &mut steps);
        let chain = steps.into_iter().find(|step| step.action == REPOSITORY);
        found.extend(chain.map(|chain| (minutes, chain.with)));
    }
    let children: Vec<&Value> = match value {
        Value::Mapping(map) => map.values().collect(),
        Value::Sequence(sequence) => sequence.iter().collect(),
        _ => Vec::new(),
    };
    for one in children {
        chains(one, found);
    }
}

#[test]
fn a_job_to_paste_outlives_the_limits_of_the_chain() {
    let mut counted = 0;
    for (place, yaml) in documents() {
        let mut found = Vec::new();
        chains(&yaml, &mut found);
        counted += found.len();
        for (minutes, with) in found {
            let words = words(REPOSITORY, &with);
            let Command::Run(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("another command");
            };
            // The checkout, and the binary where it has to be built.
            let needed = args.whole().as_secs() + 15 * 60;
            assert!(
                minutes * 60 >= needed,
                "{place}: {minutes} of {}",
                needed / 60
            );
        }
    }
    assert!(counted > 5, "{counted}");
}

#[test]
fn an_example_says_whether_it_is_run_here_and_is_listed() {
    let script = fs::read_to_string(root().join("e2e/examples")).unwrap();
    let list = fs::read_to_string(root().join("examples/README.md")).unwrap();
    for path in files("examples", ".yml") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let example = fs::read_to_string(&path).unwrap();
        let head: Vec<&str> = example
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        let marks = |mark: &str| head.iter().filter(|line| line.starts_with(mark)).count();
        let (run, not) = (marks("# Run here: "), marks("# Not run here: "));
        assert_eq!(
            run + not,
            1,
            "{name}: one of the two lines, with how or why"
        );
        let stem = name.trim_end_matches(".yml");
        let function = format!("example_{}()", stem.replace('-', "_"));
        let called = "release-leg";
        assert_eq!(
            script.contains(&function),
            run == 1 && stem != called,
            "{name}: {function}"
        );
        assert!(
            list.contains(&format!("({name})")),
            "examples/README.md lacks {name}"
        );
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let kept = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let all = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "RELEASING.md",
    ];
    for page in pages().into_iter().chain(all.map(|page| root().join(page))) {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            assert!(file.exists(), "{}: {target} is not there", page.display());
            if !fragment.is_empty() {
                let other = fs::read_to_string(&file).unwrap();
                let headings = other.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#')));
                assert!(
                    anchors.any(|one| one == fragment),
                    "{}: no {target}",
                    page.display()
                );
            }
        }
    }
}

#[test]
fn what_a_page_says_only_before_a_release_goes_with_it() {
    let script = fs::read_to_string(root().join("actions/run.sh")).unwrap();
    let released = !script.contains("\nlast_release=''\n");
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        // A comment that begins a paragraph makes its first line HTML, in which no Markdown is read.
        let begins = |line: &str| {
            line.trim_start_matches(['-', ' '])
                .starts_with("<!-- unreleased")
        };
        assert!(!text.lines().any(begins), "{}", page.display());
        let parts: Vec<&str> = text.split("<!-- unreleased -->").collect();
        assert!(!released || parts.len() == 1, "{}", page.display());
        let ends = parts
            .iter()
            .skip(1)
            .map(|part| part.split_once("<!-- end unreleased -->"));
        let after: Vec<&str> = ends.map(|pair| pair.expect("a mark ends").1).collect();
        let stays = [&parts[..1], &after[..]].concat().concat();
        assert_eq!(
            stale_after_a_release(&stays),
            Vec::<&str>::new(),
            "{}",
            page.display()
        );
    }
}

#[test]
fn readme_is_one_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "{}", readme.lines().count());
}

#[test]
fn advisories_are_checked_each_day_by_the_version_that_checks_the_rest() {
    let workflow = fs::read_to_string(root().join(".github/workflows/advisories.yml")).unwrap();
    let yaml: Value = serde_yaml::from_str(&workflow).unwrap();
    let cron = yaml["on"]["schedule"][0]["cron"].as_str().unwrap();
    assert!(cron.ends_with("* * *"), "{cron}");
    assert!(workflow.contains("cargo deny check advisories"));
    let script = fs::read_to_string(root().join(".ci/run")).unwrap();
    let (_, version) = script.split_once("cargo_deny=").unwrap();
    let version = version.split_whitespace().next().unwrap();
    assert!(
        workflow.contains(&format!("cargo-deny@{version}\n")),
        "{version}"
    );
}
