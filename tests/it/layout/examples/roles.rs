//! The examples for AWS: with a role in place of a key, and what ends a host whose runner was lost.

use std::fs;

use serde_yaml::Value;

use super::{Action, REPOSITORY, documents, root, text};

/// Steps of ours in the examples whose environment has an access key.
fn with_a_key(value: &Value, found: &mut Vec<String>) {
    if value["env"]["AWS_ACCESS_KEY_ID"].is_string() {
        found.extend(
            text(value, "uses")
                .split_once('@')
                .map(|(action, _)| action.to_owned()),
        );
    }
    let children: Vec<&Value> = match value {
        Value::Mapping(map) => map.values().collect(),
        Value::Sequence(sequence) => sequence.iter().collect(),
        _ => Vec::new(),
    };
    for one in children {
        with_a_key(one, found);
    }
}

#[test]
fn a_role_can_stand_wherever_an_example_has_a_key() {
    let actions = Action::all();
    let mut counted = 0;
    for (place, yaml) in documents() {
        let mut found = Vec::new();
        with_a_key(&yaml, &mut found);
        counted += found.len();
        for action in found {
            let folder = action
                .trim_start_matches(REPOSITORY)
                .trim_start_matches('/');
            let action = actions
                .iter()
                .find(|action| action.folder() == folder)
                .unwrap();
            let takes = action.inputs.iter().any(|(name, _)| name == "role-arn");
            assert!(takes, "{place}: {folder} takes no role");
        }
    }
    assert!(counted > 8, "{counted}");
    // Where docs/aws.md sends somebody who has made roles.
    for name in ["doctor", "reap"] {
        let example = fs::read_to_string(root().join(format!("examples/{name}.yml"))).unwrap();
        for part in ["`id-token: write`", "`role-arn: ${{ vars.AWS_ROLE_ARN }}`"] {
            assert!(example.contains(part), "{name}: {part}");
        }
    }
}

#[test]
fn an_example_that_launches_ends_what_a_lost_runner_leaves() {
    for name in ["fork", "oidc"] {
        let example = fs::read_to_string(root().join(format!("examples/{name}.yml"))).unwrap();
        let yaml: Value = serde_yaml::from_str(&example).unwrap();
        let teardown = &yaml["jobs"]["teardown"];
        assert_eq!(text(teardown, "environment"), "e2e-end", "{name}");
        assert!(text(teardown, "if").contains("always()"), "{name}");
        let key = |job: &str| {
            let steps = yaml["jobs"][job]["steps"].as_sequence().unwrap();
            let step = steps
                .iter()
                .find(|step| text(step, "uses").starts_with(REPOSITORY));
            text(&step.unwrap()["with"], "job-key")
        };
        assert_eq!(key("e2e"), key("teardown"), "{name}");
        assert!(!key("e2e").is_empty(), "{name}");
    }
}
