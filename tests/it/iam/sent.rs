//! What the code sends to AWS, read from the code, and on what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use manifests_e2e::stages::Stage;
use regex::Regex;

use super::{evaluate::Request, root};

/// The files whose calls each action sends; every file that sends any is here.
pub(crate) const SENT: [(Stage, &[&str]); 6] = [
    (
        Stage::ProvisionEc2,
        &[
            "provider/ec2/launch/image.rs",
            "provider/ec2/launch/network.rs",
            "provider/ec2/access/ssh_access.rs",
            "provider/ec2/launch/adopt.rs",
            "provider/ec2/launch/request.rs",
            "provider/ec2/launch/ready.rs",
            "provider/ec2/launch/console.rs",
            "provider/ec2/end/find.rs",
            "logs/s3.rs",
        ],
    ),
    (
        Stage::GatherLogs,
        &[
            "logs/s3.rs",
            "logs/s3/read.rs",
            "provider/ec2/launch/console.rs",
        ],
    ),
    (
        Stage::Teardown,
        &[
            "provider/ec2/end/find.rs",
            "provider/ec2/end/destroy.rs",
            "provider/ec2/end/regions.rs",
            "provider/ec2/end/timer.rs",
        ],
    ),
    (
        Stage::Extend,
        &[
            "provider/ec2/end/find.rs",
            "provider/ec2/end/regions.rs",
            "provider/ec2/end/timer.rs",
        ],
    ),
    (
        Stage::Doctor,
        &["doctor/ec2.rs", "doctor/ec2/trials.rs", "logs/s3.rs"],
    ),
    (
        Stage::Reap,
        &[
            "provider/ec2/end/find.rs",
            "provider/ec2/end/destroy.rs",
            "provider/ec2/end/regions.rs",
            "provider/ec2/end/janitor.rs",
        ],
    ),
];
/// The files whose calls `history` sends, which is no stage.
pub(crate) const OF_HISTORY: [&str; 2] = ["logs/s3.rs", "logs/s3/browse.rs"];
/// What `provision-ec2` sends beside: what fails is asked to end; tags go with the request that makes a thing.
pub(crate) const BESIDE: [&str; 2] = ["ec2:CreateTags", "ec2:TerminateInstances"];

pub(crate) const RUN: &str = "manifests-e2e/run";
pub(crate) const REPOSITORY: &str = "manifests-e2e/repository";

/// Every call of AWS in the code by its file below `src`: `.describe_images()` of `provider/ec2` is `ec2:DescribeImages`.
pub(crate) fn calls() -> BTreeMap<String, BTreeSet<String>> {
    let verbs = "associate|authorize|create|delete|describe|get|head|import|list|modify|put|reboot|request|revoke|run|send|start|stop|terminate";
    let method =
        Regex::new(&format!(r"\.((?:{verbs})_[a-z0-9_]+)\(\)")).expect("the pattern is fixed");
    let mut found = BTreeMap::new();
    let src = root().join("src");
    let mut all = vec![src.join("provider"), src.join("doctor"), src.join("logs")];
    while let Some(path) = all.pop() {
        if path.is_dir() {
            all.extend(
                fs::read_dir(&path)
                    .expect("it is there")
                    .map(|one| one.expect("it is there").path()),
            );
            continue;
        }
        let (Some(service), Some(name)) = (service(&path), path.to_str()) else {
            continue;
        };
        if name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("it is text");
        let calls: BTreeSet<String> = method
            .captures_iter(&text)
            .map(|one| format!("{service}:{}", action(&camel(&one[1]))))
            .collect();
        if !calls.is_empty() {
            let short = path.strip_prefix(&src).expect("it is below");
            found.insert(short.display().to_string(), calls);
        }
    }
    found
}

pub(crate) fn service(path: &Path) -> Option<&'static str> {
    if path.components().any(|part| {
        part.as_os_str()
            .to_str()
            .is_some_and(|part| part == "ec2" || part == "ec2.rs")
    }) {
        return Some("ec2");
    }
    let is_s3 = |part: &std::ffi::OsStr| part == "s3.rs" || part == "s3";
    path.iter().any(is_s3).then_some("s3")
}

/// What IAM calls a call.
fn action(call: &str) -> &str {
    match call {
        "ListObjectsV2" => "ListBucket",
        call => call,
    }
}

pub(crate) fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

pub(crate) fn ec2(kind: &str) -> String {
    let account = if kind == "image" { "" } else { "123456789012" };
    format!("arn:aws:ec2:eu-west-1:{account}:{kind}/x-1")
}

pub(crate) fn tagged(request: Request, which: &str) -> Request {
    request
        .with(&format!("aws:{which}/{RUN}"), &["7-1"])
        .with(&format!("aws:{which}/{REPOSITORY}"), &["o/r"])
}

/// A call as the code of that action sends it: one request for each resource that IAM would ask about.
pub(crate) fn sent(stage: Stage, call: &str) -> Vec<Request> {
    let on =
        |kind: &str| Request::new(call, &ec2(kind)).with("aws:RequestedRegion", &["eu-west-1"]);
    let asked = |kind: &str| tagged(on(kind), "RequestTag");
    let ours = |kind: &str| tagged(on(kind), "ResourceTag");
    match (call, stage) {
        ("ec2:RunInstances", _) => {
            let instance = asked("instance").with("ec2:InstanceType", &["m7i.2xlarge"]);
            let made = ["volume", "network-interface", "spot-instances-request"].map(asked);
            let there = ["image", "subnet"].map(on);
            [
                vec![instance, ours("security-group")],
                made.into(),
                there.into(),
            ]
            .concat()
        }
        ("ec2:CreateSecurityGroup", _) => vec![asked("security-group"), on("vpc")],
        ("ec2:CreateTags", Stage::ProvisionEc2) => {
            let made = |action, kind| asked(kind).with("ec2:CreateAction", &[action]);
            vec![
                made("RunInstances", "instance"),
                made("CreateSecurityGroup", "security-group"),
            ]
        }
        ("ec2:CreateTags" | "ec2:DeleteTags", _) => {
            let keys: &[&str] = match stage {
                Stage::Reap => &["manifests-e2e/reap-candidate"],
                _ => &["manifests-e2e/expires-at", "manifests-e2e/kept"],
            };
            let all = ["instance", "volume", "network-interface", "security-group"];
            all.map(|kind| ours(kind).with("aws:TagKeys", keys)).into()
        }
        (
            "ec2:AuthorizeSecurityGroupIngress"
            | "ec2:RevokeSecurityGroupIngress"
            | "ec2:DeleteSecurityGroup",
            _,
        ) => {
            vec![ours("security-group")]
        }
        ("ec2:DeleteVolume", _) => vec![ours("volume")],
        ("ec2:DeleteNetworkInterface", _) => vec![ours("network-interface")],
        (
            "ec2:TerminateInstances" | "ec2:GetConsoleOutput" | "ec2:ModifyInstanceMetadataOptions",
            _,
        ) => {
            vec![ours("instance")]
        }
        ("iam:GetRole", _) => {
            let role = "aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot";
            vec![Request::new(
                call,
                &format!("arn:aws:iam::123456789012:role/{role}"),
            )]
        }
        ("servicequotas:GetServiceQuota", _) => {
            let quota = "arn:aws:servicequotas:eu-west-1:123456789012:ec2/L-1216C47A";
            vec![Request::new(call, quota)]
        }
        ("s3:PutObject", _) => vec![Request::new(call, "arn:aws:s3:::logs/e2e/bundle.zip")],
        ("s3:GetObject", _) => [
            "last-passed/o_r/job/branch.txt",
            "logs/job/7/artifacts/report.json",
        ]
        .map(|key| Request::new(call, &format!("arn:aws:s3:::logs/e2e/{key}")))
        .into(),
        (look, _) if look.starts_with("ec2:Describe") => {
            vec![Request::new(call, "*").with("aws:RequestedRegion", &["eu-west-1"])]
        }
        (unknown, _) => panic!("say here on what the code sends {unknown}"),
    }
}

/// A call as `history` sends it, of a bucket whose prefix is `e2e`.
pub(crate) fn sent_by_history(call: &str) -> Vec<Request> {
    let on = |keys: &[&str]| -> Vec<Request> {
        keys.iter()
            .map(|key| Request::new(call, &format!("arn:aws:s3:::logs/e2e/{key}")))
            .collect()
    };
    match call {
        "s3:ListBucket" => ["logs/", "logs/job/7/artifacts/", "pr-logs/pull/"]
            .map(|prefix| {
                Request::new(call, "arn:aws:s3:::logs")
                    .with("s3:prefix", &[&format!("e2e/{prefix}")])
            })
            .into(),
        "s3:GetObject" => on(&[
            "logs/job/7/started.json",
            "pr-logs/pull/o_r/1/job/7/artifacts/junit_a.xml",
        ]),
        "s3:PutObject" => on(&[
            "logs/job/history.html",
            "pr-logs/directory/job/history.json",
        ]),
        unknown => panic!("say here on what the code sends {unknown}"),
    }
}

/// The same request about something that is not ours: without our tags, or with those of others.
pub(crate) fn foreign(request: &Request) -> Option<Request> {
    let ours = |key: &String| key.contains("Tag/manifests-e2e/");
    let mut other = request.clone();
    other
        .context
        .retain(|key, _| !ours(key) && key != "ec2:CreateAction");
    other.context.insert(
        "aws:ResourceTag/team".to_owned(),
        vec!["payments".to_owned()],
    );
    (request.context.keys().any(ours)).then_some(other)
}
