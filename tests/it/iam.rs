//! The policies of `e2e/iam` against the requests that the code sends.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn policy(action: &str) -> Vec<Value> {
    let text =
        fs::read(root().join(format!("e2e/iam/{action}.json"))).expect("the policy is there");
    let policy: Value = serde_json::from_slice(&text).expect("a policy is JSON");
    policy["Statement"].as_array().cloned().unwrap_or_default()
}

/// A text or a list of texts, as policies have both.
fn texts(value: &Value) -> BTreeSet<String> {
    let list = value
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![value.clone()]);
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The operations that a file of the provider asks for, by the client's methods: `describe_images` is `DescribeImages`.
fn asked(file: &Path) -> BTreeSet<String> {
    let method = r"\.((?:describe|run|create|authorize|terminate|delete|modify|get)_[a-z_]+)\(\)";
    let method = Regex::new(method).expect("the pattern is fixed");
    let text = fs::read_to_string(file).expect("the provider is there");
    let camel = |name: &str| {
        let words = name.split('_').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        format!("ec2:{}", words.collect::<String>())
    };
    method
        .captures_iter(&text)
        .map(|found| camel(&found[1]))
        .collect()
}

#[test]
fn the_policies_allow_what_the_provider_asks_for_and_nothing_else() {
    let provider = root().join("src/provider/ec2");
    let asked = |files: &[&str]| -> BTreeSet<String> {
        files
            .iter()
            .flat_map(|file| asked(&provider.join(file)))
            .collect()
    };
    let allowed = |action| -> BTreeSet<String> {
        policy(action)
            .iter()
            .flat_map(|statement| texts(&statement["Action"]))
            .collect()
    };
    let mut launch = asked(&["image.rs", "network.rs", "launch.rs", "ready.rs", "find.rs"]);
    // What fails is asked to end; tags go with the request that makes a thing.
    launch.extend(["ec2:TerminateInstances", "ec2:CreateTags"].map(str::to_owned));
    assert_eq!(allowed("provision-ec2"), launch);
    for (action, files) in [
        (
            "teardown",
            &["find.rs", "destroy.rs", "regions.rs", "timer.rs"][..],
        ),
        ("extend", &["find.rs", "regions.rs", "timer.rs"]),
        (
            "reap",
            &["find.rs", "destroy.rs", "regions.rs", "janitor.rs"],
        ),
    ] {
        assert_eq!(allowed(action), asked(files), "{action}");
    }
}

#[test]
fn only_what_is_ours_may_be_changed() {
    let actions = ["provision-ec2", "teardown", "extend", "reap"];
    for statement in actions.map(policy).concat() {
        let sid = &statement["Sid"];
        let looks = texts(&statement["Action"])
            .iter()
            .all(|action| action.starts_with("ec2:Describe"));
        // Images, subnets and VPCs are the account's: they are used, not changed.
        if !looks && sid != "MakeItInWhatIsThere" {
            assert!(statement["Condition"].is_object(), "{sid} has no condition");
            assert!(!texts(&statement["Resource"]).contains("*"), "{sid}");
        }
    }
}
