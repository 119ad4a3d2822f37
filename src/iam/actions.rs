//! What each action may do. `tests/it/iam.rs` holds these against the calls in the code.

use serde_json::json;

use super::{PolicyScope, Statement};
use crate::{
    logs::s3::Target,
    run::{TAG_CANDIDATE, TAG_EXPIRES_AT, TAG_KEPT},
    stages::Stage,
};

/// Everything that carries our tags.
const THINGS: [&str; 4] = ["instance", "network-interface", "security-group", "volume"];
/// How all of it is found by its tags.
const FIND: [&str; 4] = [
    "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVolumes",
];

/// What an action may do, narrowed to the scope; nothing for one that asks nothing of AWS.
pub(super) fn of(stage: Stage, scope: &PolicyScope) -> Vec<Statement> {
    match stage {
        // It says in the bucket that the job has begun.
        Stage::ProvisionEc2 => [provision(scope), upload(scope)].concat(),
        Stage::GatherLogs => {
            [vec![read_console(scope)], upload(scope), read_report(scope)].concat()
        }
        Stage::Teardown => vec![find(scope), end(scope), move_end(scope)],
        Stage::Extend => vec![find(scope), move_end(scope)],
        Stage::Reap => vec![find(scope), end(scope), mark(scope)],
        Stage::Doctor => {
            let chain = [Stage::ProvisionEc2, Stage::Teardown];
            let chain = chain.into_iter().flat_map(|stage| of(stage, scope));
            chain
                .chain([read_console(scope), see_spot(scope), see_quotas(scope)])
                .collect()
        }
        Stage::InstallKind
        | Stage::DeployManifests
        | Stage::RunMnistNotebookJob
        | Stage::Plan
        | Stage::Publish
        | Stage::Commands => Vec::new(),
    }
}

/// Looks change nothing, and most know no resources: they are narrowed to a region alone.
pub(super) fn look(scope: &PolicyScope, calls: &[&str]) -> Statement {
    let look = Statement::allow("Look", calls, vec!["*".to_owned()]);
    match &scope.region {
        Some(region) => look.when(json!({"StringEquals": {"aws:RequestedRegion": region}})),
        None => look,
    }
}

fn provision(scope: &PolicyScope) -> Vec<Statement> {
    const MAKE: [&str; 2] = ["ec2:CreateSecurityGroup", "ec2:RunInstances"];
    let mut made = THINGS.to_vec();
    made.push("spot-instances-request");
    let mut there = vec![format!(
        "arn:{}:ec2:{}::image/*",
        scope.partition(),
        scope.region.as_deref().unwrap_or("*")
    )];
    there.extend(scope.ec2(&["subnet", "vpc"]));
    if let Some(group) = &scope.security_group {
        there.push(scope.arn("ec2", &format!("security-group/{group}")));
    }
    let mut all = vec![look(
        scope,
        &[&FIND[..], &["ec2:DescribeImages", "ec2:DescribeSubnets"]].concat(),
    )];
    if !scope.instance_types.is_empty() {
        made.retain(|kind| *kind != "instance");
        let types = json!({"StringEquals": {"ec2:InstanceType": scope.instance_types}});
        all.push(
            Statement::allow(
                "LaunchOnlyTheseTypes",
                &["ec2:RunInstances"],
                scope.ec2(&["instance"]),
            )
            .when(scope.tagged("RequestTag"))
            .when(types),
        );
    }
    all.extend([
        Statement::allow("MakeOnlyWhatIsTagged", &MAKE, scope.ec2(&made))
            .when(scope.tagged("RequestTag")),
        // Images, subnets and VPCs are the account's: they are used, not changed.
        Statement::allow("MakeItInWhatIsThere", &MAKE, there),
        Statement::allow(
            "LaunchIntoTheGroupThatIsTagged",
            &["ec2:RunInstances"],
            scope.ec2(&["security-group"]),
        )
        .when(scope.tagged("ResourceTag")),
        // Else anything of the account could be made ours, and then be ended.
        Statement::allow(
            "TagOnlyWhatIsMade",
            &["ec2:CreateTags"],
            vec![scope.arn("ec2", "*/*")],
        )
        .when(
            json!({"StringEquals": {"ec2:CreateAction": ["CreateSecurityGroup", "RunInstances"]}}),
        ),
        Statement::allow(
            "ChangeOnlyWhatIsTagged",
            &[
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:GetConsoleOutput",
                "ec2:ModifyInstanceMetadataOptions",
                "ec2:RevokeSecurityGroupIngress",
                "ec2:TerminateInstances",
            ],
            scope.ec2(&["instance", "security-group"]),
        )
        .when(scope.tagged("ResourceTag")),
    ]);
    all
}

fn find(scope: &PolicyScope) -> Statement {
    look(scope, &[&FIND[..], &["ec2:DescribeRegions"]].concat())
}

fn end(scope: &PolicyScope) -> Statement {
    let calls = [
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteVolume",
        "ec2:TerminateInstances",
    ];
    Statement::allow("EndOnlyWhatIsTagged", &calls, scope.ec2(&THINGS))
        .when(scope.tagged("ResourceTag"))
}

fn move_end(scope: &PolicyScope) -> Statement {
    tag(
        scope,
        "MoveTheEndOfWhatIsTagged",
        &["ec2:CreateTags"],
        &[TAG_EXPIRES_AT, TAG_KEPT],
    )
}

fn mark(scope: &PolicyScope) -> Statement {
    let calls = ["ec2:CreateTags", "ec2:DeleteTags"];
    tag(scope, "MarkOnlyWhatIsTagged", &calls, &[TAG_CANDIDATE])
}

/// Changes these tags of what is ours already, and no other: above all not those that make a thing ours.
fn tag(scope: &PolicyScope, sid: &'static str, calls: &[&str], keys: &[&str]) -> Statement {
    Statement::allow(sid, calls, scope.ec2(&THINGS))
        .when(scope.tagged("ResourceTag"))
        .when(json!({
            // A request without tags has all of its tags among any.
            "Null": {"aws:TagKeys": "false"},
            "ForAllValues:StringEquals": {"aws:TagKeys": keys},
        }))
}

/// The role by which EC2 buys spot instances. IAM names one that is not there without its path.
fn see_spot(scope: &PolicyScope) -> Statement {
    let name = "AWSServiceRoleForEC2Spot";
    let paths = ["aws-service-role/spot.amazonaws.com/", ""];
    let roles = paths.map(|path| scope.arn("iam", &format!("role/{path}{name}")));
    Statement::allow("SeeTheSpotRole", &["iam:GetRole"], roles.into())
}

/// How many vCPUs may run: `DryRun` does not see it.
fn see_quotas(scope: &PolicyScope) -> Statement {
    let quotas = vec![scope.arn("servicequotas", "ec2/*")];
    Statement::allow("SeeTheQuotas", &["servicequotas:GetServiceQuota"], quotas)
}

fn read_console(scope: &PolicyScope) -> Statement {
    Statement::allow(
        "ReadTheConsoleOfWhatIsTagged",
        &["ec2:GetConsoleOutput"],
        scope.ec2(&["instance"]),
    )
    .when(scope.tagged("ResourceTag"))
}

/// What the last run that passed has reported.
fn read_report(scope: &PolicyScope) -> Vec<Statement> {
    let get = |target| {
        let below = ["last-passed/*", "*/artifacts/report.json"];
        let objects = below.map(|key| scope.arn("s3", &format!("{target}/{key}")));
        Statement::allow("ReadTheLastReport", &["s3:GetObject"], objects.into())
    };
    scope.s3.iter().map(get).collect()
}

/// What `history` does: it looks through Prow's trees, and puts a page beside the builds of a job.
pub(super) fn of_history(scope: &PolicyScope) -> Vec<Statement> {
    const TREES: [&str; 2] = ["logs/*", "pr-logs/*"];
    const PAGES: [&str; 2] = ["history.html", "history.json"];
    let of = |target: &Target| {
        let objects = |keys: &[String]| -> Vec<String> {
            keys.iter()
                .map(|key| scope.arn("s3", &format!("{target}/{key}")))
                .collect()
        };
        let trees = TREES.map(str::to_owned);
        let pages = TREES.map(|tree| PAGES.map(|page| format!("{tree}/{page}")));
        let below = |tree: &str| match target.prefix() {
            "" => tree.to_owned(),
            prefix => format!("{prefix}/{tree}"),
        };
        let looks = json!({"StringLike": {"s3:prefix": TREES.map(below)}});
        [
            list(scope, target).when(looks),
            Statement::allow("ReadBuilds", &["s3:GetObject"], objects(&trees)),
            Statement::allow("PutPages", &["s3:PutObject"], objects(&pages.concat())),
        ]
    };
    scope.s3.iter().flat_map(of).collect()
}

/// What is in a bucket; to be narrowed to a prefix.
pub(super) fn list(scope: &PolicyScope, target: &Target) -> Statement {
    let bucket = vec![scope.arn("s3", target.bucket())];
    Statement::allow("ListBundles", &["s3:ListBucket"], bucket)
}

fn upload(scope: &PolicyScope) -> Vec<Statement> {
    let put = |target| {
        let objects = scope.arn("s3", &format!("{target}/*"));
        Statement::allow("PutBundles", &["s3:PutObject"], vec![objects])
    };
    scope.s3.iter().map(put).collect()
}
