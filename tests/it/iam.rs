//! The generated policies against the requests that the code sends, and against those that it must not.
//!
//! `UPDATE=1 cargo test --test it iam` writes `e2e/iam` anew.

mod evaluate;
mod people;
mod sent;
mod template;

use std::{collections::BTreeSet, fs};

use clap::Parser as _;
use manifests_e2e::{
    cli::{Cli, Command},
    iam::{self, PolicyScope},
    inputs::Environment,
    report::Failure,
    stages::Stage,
};
use serde_json::Value;

use self::{
    evaluate::{Request, allows, texts},
    sent::{BESIDE, OF_HISTORY, RUN, SENT, calls, ec2, foreign, sent, sent_by_history, tagged},
};
use crate::it::support::root;

/// What the subcommand prints.
fn printed(words: &[&str]) -> Result<String, Failure> {
    let words = ["manifests-e2e", "iam-policy"].iter().chain(words);
    let Command::IamPolicy(args) = Cli::try_parse_from(words).expect("these are known").command
    else {
        panic!("that is what was typed")
    };
    iam::print(&args, &Environment::default()).map(Option::unwrap_or_default)
}

fn policy(words: &[&str]) -> Value {
    let text = printed(words).expect("there is a policy");
    let policy: Value = serde_json::from_str(&text).expect("a policy is JSON");
    let compact = policy.to_string();
    assert!(
        compact.len() <= 6144,
        "{words:?}: {} characters are too many for IAM",
        compact.len()
    );
    let sids = policy["Statement"]
        .as_array()
        .expect("it has statements")
        .iter();
    let sids: Vec<String> = sids.map(|one| one["Sid"].to_string()).collect();
    assert_eq!(
        sids.iter().collect::<BTreeSet<_>>().len(),
        sids.len(),
        "{sids:?}"
    );
    policy
}

fn of(stage: Stage) -> Value {
    let s3: &[&str] = if matches!(
        stage,
        Stage::ProvisionEc2 | Stage::GatherLogs | Stage::Doctor
    ) {
        &["--s3-uri=s3://logs/e2e"]
    } else {
        &[]
    };
    policy(&[&["--action", stage.name()], s3].concat())
}

#[test]
fn each_action_may_send_its_calls_and_no_others() {
    let code = calls();
    let listed: BTreeSet<&str> = SENT
        .iter()
        .flat_map(|(_, files)| files.iter().copied())
        .chain(OF_HISTORY)
        .collect();
    let missing: Vec<_> = code
        .iter()
        .filter(|(file, _)| !listed.contains(file.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "which action sends these? add them to SENT: {missing:?}"
    );
    for (stage, files) in SENT {
        let mut sends: BTreeSet<String> =
            files.iter().flat_map(|file| code[*file].clone()).collect();
        match stage {
            Stage::ProvisionEc2 => sends.extend(BESIDE.map(str::to_owned)),
            // Signed and sent without an SDK; the launch is provision-ec2's own request.
            Stage::Doctor => sends.extend(
                [
                    "iam:GetRole",
                    "ec2:RunInstances",
                    "servicequotas:GetServiceQuota",
                ]
                .map(str::to_owned),
            ),
            _ => {}
        }
        let policy = of(stage);
        let statements = policy["Statement"]
            .as_array()
            .expect("it has statements")
            .iter();
        let allowed: BTreeSet<String> = statements.flat_map(|one| texts(&one["Action"])).collect();
        assert_eq!(
            allowed,
            sends,
            "{}: src/iam/actions.rs, and what the code sends",
            stage.name()
        );
        for call in &sends {
            for request in sent(stage, call) {
                assert!(allows(&policy, &request), "{}: {request:?}", stage.name());
            }
        }
    }
    for stage in [
        Stage::InstallKind,
        Stage::DeployManifests,
        Stage::RunMnistNotebookJob,
    ] {
        assert!(
            iam::of_stage(stage, &PolicyScope::default()).is_none(),
            "{}",
            stage.name()
        );
    }
}

#[test]
fn history_may_send_its_calls_on_its_trees_and_no_others() {
    let code = calls();
    let sends: BTreeSet<String> = OF_HISTORY
        .iter()
        .flat_map(|file| code[*file].clone())
        .collect();
    for (uri, prefix) in [("s3://logs/e2e", "e2e/"), ("s3://logs", "")] {
        let policy = policy(&["--component=history", "--s3-uri", uri]);
        let statements = policy["Statement"]
            .as_array()
            .expect("it has statements")
            .iter();
        let allowed: BTreeSet<String> = statements.flat_map(|one| texts(&one["Action"])).collect();
        assert_eq!(
            allowed, sends,
            "src/iam/actions.rs, and what the code sends"
        );
        let there = |mut request: Request| {
            request.resource = request
                .resource
                .replace("logs/e2e/", &format!("logs/{prefix}"));
            for value in request.context.values_mut().flatten() {
                *value = value.replace("e2e/", prefix);
            }
            request
        };
        for request in sends.iter().flat_map(|call| sent_by_history(call)) {
            let request = there(request);
            assert!(allows(&policy, &request), "{request:?}");
        }
        for (call, resource, listed) in [
            (
                "s3:PutObject",
                "arn:aws:s3:::logs/e2e/logs/job/7/finished.json",
                None,
            ),
            ("s3:GetObject", "arn:aws:s3:::logs/e2e/last-passed/x", None),
            (
                "s3:GetObject",
                "arn:aws:s3:::other/e2e/logs/job/7/started.json",
                None,
            ),
            ("s3:ListBucket", "arn:aws:s3:::logs", Some("e2e/payroll/")),
            ("s3:ListBucket", "arn:aws:s3:::logs", None),
        ] {
            let mut request = Request::new(call, resource);
            if let Some(listed) = listed {
                request = request.with("s3:prefix", &[listed]);
            }
            let request = there(request);
            assert!(!allows(&policy, &request), "{request:?}");
        }
    }
}

#[test]
fn what_is_not_ours_can_be_neither_made_nor_changed() {
    let mut tried = 0;
    for (stage, _) in SENT {
        let policy = of(stage);
        let statements = policy["Statement"]
            .as_array()
            .expect("it has statements")
            .iter();
        let calls: BTreeSet<String> = statements.flat_map(|one| texts(&one["Action"])).collect();
        for request in calls.iter().flat_map(|call| sent(stage, call)) {
            if let Some(foreign) = foreign(&request) {
                assert!(!allows(&policy, &foreign), "{}: {foreign:?}", stage.name());
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "only {tried} were tried");
}

#[test]
fn nothing_can_be_made_ours_afterwards() {
    for words in [
        &["--action=chain"][..],
        &["--action=reap"],
        &["--role=editor"],
    ] {
        let policy = policy(words);
        for keys in [
            &[RUN][..],
            &[RUN, "manifests-e2e/expires-at"],
            &["manifests-e2e/repository"],
            &[],
        ] {
            let mut request = Request::new("ec2:CreateTags", &ec2("instance"));
            if !keys.is_empty() {
                request = request.with("aws:TagKeys", keys);
            }
            assert!(!allows(&policy, &request), "{words:?}: {keys:?}");
            let ours = tagged(request, "ResourceTag");
            assert!(
                !allows(&policy, &ours),
                "{words:?}: {keys:?} of what is ours"
            );
        }
    }
}

#[test]
fn a_policy_is_as_narrow_as_it_is_asked_to_be() {
    let policy = policy(&[
        "--region=eu-west-1",
        "--account=123456789012",
        "--repository=o/r",
        "--instance-types=m7i.2xlarge",
        "--security-group-id=sg-7",
        "--s3-uri=s3://logs/e2e",
    ]);
    for stage in Stage::ALL.into_iter().filter(|stage| stage.in_chain()) {
        let calls = SENT
            .iter()
            .find(|(other, _)| *other == stage)
            .map(|(_, files)| *files)
            .unwrap_or_default();
        let code = sent::calls();
        for request in calls
            .iter()
            .flat_map(|file| code[*file].clone())
            .flat_map(|call| sent(stage, &call))
        {
            assert!(allows(&policy, &request), "{request:?}");
            let replaced = |from: &str, to: &str| {
                let mut other = request.clone();
                other.resource = other.resource.replace(from, to);
                for values in other.context.values_mut() {
                    for value in values {
                        *value = value.replace(from, to);
                    }
                }
                other
            };
            for (from, to) in [
                ("eu-west-1", "us-east-1"),
                ("123456789012", "210987654321"),
                ("o/r", "o/other"),
                ("m7i.2xlarge", "p5.48xlarge"),
                ("logs/e2e", "logs/other"),
            ] {
                let other = replaced(from, to);
                let differs = format!("{other:?}") != format!("{request:?}");
                assert!(!differs || !allows(&policy, &other), "{other:?}");
            }
        }
    }
    let own_group = Request::new(
        "ec2:RunInstances",
        &ec2("security-group").replace("x-1", "sg-7"),
    );
    assert!(allows(&policy, &own_group));
    assert!(!allows(
        &policy,
        &Request::new("ec2:RunInstances", &ec2("security-group"))
    ));
}

#[test]
fn what_docs_say_to_make_fits_into_what_iam_takes() {
    // Of a policy that is attached to a user, and of all that is written into one role; white space does not count.
    const ATTACHED: usize = 6_144;
    const OF_A_ROLE: usize = 10_240;
    let size = |action: &&str| -> usize {
        let text = printed(&["--action", action]).expect("there is a policy");
        text.chars().filter(|c| !c.is_whitespace()).count()
    };
    for role in [["chain", "doctor"], ["teardown", "reap"]] {
        assert!(
            role.iter().all(|action| size(action) <= ATTACHED),
            "{role:?}"
        );
        assert!(
            role.iter().map(size).sum::<usize>() <= OF_A_ROLE,
            "{role:?}"
        );
    }
}

#[test]
fn the_files_are_what_the_subcommand_prints() {
    let dir = root().join("e2e/iam");
    let fresh = iam::files();
    if std::env::var("UPDATE").is_ok() {
        for (name, text) in &fresh {
            fs::write(dir.join(name), text).expect("it can be written");
        }
    }
    let there = fs::read_dir(&dir)
        .expect("it is there")
        .map(|one| one.expect("it is there").file_name());
    let mut there: BTreeSet<String> = there.filter_map(|name| name.into_string().ok()).collect();
    assert!(there.remove("role.yaml"), "made of them, by template.rs");
    assert_eq!(there, fresh.keys().cloned().collect());
    for (name, text) in &fresh {
        let file = fs::read_to_string(dir.join(name)).expect("it is there");
        assert!(
            &file == text,
            "e2e/iam/{name} is stale: UPDATE=1 cargo test --test it iam"
        );
    }
}
