//! `provision-ec2` where EC2 refuses: the next candidate, another round, the other market, or the end with its reason.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::it::support::{
    Lane,
    aws::{Job, Step, at_once, cloud, fault, left, living},
    sandbox, within,
};

/// Two types in two zones.
const FOUR: [&str; 3] = [
    "provision-ec2",
    "--instance-types=m7i.2xlarge,m6i.2xlarge",
    "--availability-zones=us-east-1a,us-east-1b",
];

/// A refusal of so many launches.
fn refusal(code: &str, status: u16, times: u32) -> Value {
    json!({"action": "RunInstances", "code": code, "status": status, "times": times, "match": {}})
}

/// What was asked for and answered, in a few words each.
fn attempts(job: &Job) -> Vec<String> {
    let record = job.record();
    let attempts = record["launch"]["attempts"].as_array().cloned();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    attempts
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let (kind, zone) = (text(one, "instance_type"), text(one, "zone"));
            let answer = text(one, "answer");
            // The id of an instance is another each time.
            let answer = answer.split(" i-").next().unwrap_or_default();
            let round = &one["round"];
            format!("{round} {} {kind} {zone} {answer}", text(one, "market"))
        })
        .collect()
}

fn default_group() -> String {
    let filters = json!({"Filters": [{"Name": "group-name", "Values": ["default"]}]});
    let groups = cloud("describe_security_groups", filters);
    let id = groups["SecurityGroups"][0]["GroupId"].as_str();
    id.expect("there is a default group").to_owned()
}

#[test]
fn sandbox_what_no_other_candidate_helps_ends_at_once_with_its_remedy() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let group = format!("--security-group-id={}", default_group());
    let standard = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances";
    let table = [
        ("VcpuLimitExceeded", 3, standard),
        ("InstanceLimitExceeded", 3, "quotas/L-1216C47A"),
        (
            "VolumeLimitExceeded",
            3,
            "Storage for General Purpose SSD (gp3)",
        ),
        ("MaxIOPSLimitExceeded", 3, "IOPS of EBS volumes"),
        ("PendingVerification", 3, "verifying the account"),
        ("Blocked", 3, "ask AWS Support"),
        ("OptInRequired", 3, "enable the region"),
        ("UnauthorizedOperation", 3, "ec2:RunInstances"),
        ("AuthFailure", 3, "renew them"),
        ("ExpiredToken", 3, "renew them"),
        ("InvalidAMIID.NotFound", 2, "InvalidAMIID.NotFound"),
        ("InvalidParameterValue", 2, "set by a test"),
        ("SomethingNew", 3, "SomethingNew: set by a test"),
    ];
    at_once(table, |(code, exit, says)| {
        let job = Job::new();
        fault(refusal(code, 400, 99), &job.tag());
        let mut words = FOUR.to_vec();
        words.push(&group);
        let started = Instant::now();
        job.step(&words).exits(exit).says(code).says(says);
        assert!(
            started.elapsed() < within(Duration::from_secs(10)),
            "{code}: {:?}",
            started.elapsed()
        );
        assert_eq!(
            attempts(&job),
            [format!("1 on-demand m7i.2xlarge us-east-1a {code}")]
        );
        // The table is of most use where nothing came of it.
        let row = format!("| m7i.2xlarge | us-east-1a | on-demand | 1 | {code} |");
        assert!(job.summary().contains(&row), "{}", job.summary());
        assert_eq!(left(&job.tag()), Vec::<String>::new());
    });
}

#[test]
fn sandbox_each_lack_of_capacity_leads_to_the_next_candidate() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let codes = [
        ("InsufficientInstanceCapacity", 500),
        ("InsufficientHostCapacity", 500),
        ("InsufficientCapacity", 500),
        ("InvalidInstanceType", 400),
        ("InsufficientReservedInstanceCapacity", 500),
        ("UnfulfillableCapacity", 500),
        ("Unsupported", 400),
        ("InsufficientFreeAddressesInSubnet", 400),
        ("InsufficientVolumeCapacity", 400),
        ("ReservationCapacityExceeded", 400),
    ];
    let job = Job::new();
    for (code, status) in codes {
        fault(refusal(code, status, 1), &job.tag());
    }
    job.step(&[
        "provision-ec2",
        "--instance-types=a1.large,b1.large,c1.large,d1.large,m6i.2xlarge",
        "--availability-zones=us-east-1a,us-east-1b,us-east-1c",
        "--capacity-rounds=1",
    ])
    .exits(0);
    let told = attempts(&job);
    let refused: Vec<&str> = told
        .iter()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    let mut expected: Vec<&str> = codes.iter().map(|(code, _)| *code).collect();
    // The type that does not exist is asked for in no other zone.
    expected.push("launched");
    assert_eq!(refused, expected, "{told:#?}");
    assert_eq!(job.output("instance-type").as_deref(), Some("m6i.2xlarge"));
    assert!(
        job.summary().contains("at most $0.38 an hour"),
        "{}",
        job.summary()
    );
    job.ends_clean();
    assert!(job.summary().contains(" min | ≤ $0.0"), "{}", job.summary());
}

#[test]
fn sandbox_all_are_asked_again_in_another_round() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    fault(refusal("InsufficientInstanceCapacity", 500, 4), &job.tag());
    job.step(&FOUR).exits(0).says("round 2 of 4");
    let told = attempts(&job);
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(told[4], "2 on-demand m7i.2xlarge us-east-1a launched");
    job.ends_clean();
}

#[test]
fn sandbox_spot_that_may_not_be_had_is_bought_on_demand() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let codes = [
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
    ];
    at_once(codes, |code| {
        let job = Job::new();
        let mut closed = refusal(code, 400, 99);
        closed["match"]["InstanceMarketOptions.MarketType"] = json!("spot");
        fault(closed, &job.tag());
        let run = |market: &str| -> Step {
            let market = format!("--market={market}");
            job.step(&[FOUR.as_slice(), &[&market]].concat())
        };
        let said = run("spot").exits(3).says(code);
        let remedy = match code {
            "MaxSpotInstanceCountExceeded" => "quotas/L-34B43A08",
            "SpotMaxPriceTooLow" => "spot-then-on-demand",
            _ => "create-service-linked-role",
        };
        said.says(remedy);
        run("spot-then-on-demand").exits(0);
        assert_eq!(
            attempts(&job),
            [
                format!("1 spot m7i.2xlarge us-east-1a {code}"),
                "1 on-demand m7i.2xlarge us-east-1a launched".to_owned()
            ]
        );
        assert_eq!(job.output("market").as_deref(), Some("on-demand"));
        job.ends_clean();
    });
}

#[test]
fn sandbox_a_throttled_launch_is_asked_for_again_under_one_token() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    // The SDK asks three times each. A code that nobody knows counts by its status.
    fault(refusal("RequestLimitExceeded", 503, 6), &job.tag());
    fault(refusal("SomethingNew", 503, 3), &job.tag());
    job.step(&FOUR).exits(0).says("asking again");
    let first = |answer| format!("1 on-demand m7i.2xlarge us-east-1a {answer}");
    assert_eq!(
        attempts(&job),
        [
            "RequestLimitExceeded",
            "RequestLimitExceeded",
            "SomethingNew",
            "launched"
        ]
        .map(first)
    );
    let record = job.record();
    let launches = record["steps"].as_array().cloned().unwrap_or_default();
    let launches = launches
        .iter()
        .filter(|step| step["name"] == "RunInstances");
    assert_eq!(launches.count(), 1, "one intent, one token");
    assert_eq!(living(&job.tag()).len(), 1);
    job.ends_clean();
}

#[test]
fn sandbox_throttled_to_the_end_is_a_fault_of_the_infrastructure() {
    let Some(_turn) = sandbox(Lane::Waits) else {
        return;
    };
    let job = Job::new();
    fault(refusal("RequestLimitExceeded", 503, 999), &job.tag());
    let group = format!("--security-group-id={}", default_group());
    let words = [FOUR.as_slice(), &[&group, "--timeout=25s"]].concat();
    job.step(&words)
        .exits(3)
        .says("RequestLimitExceeded")
        .says("try again later");
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

/// A launch that never comes up.
fn death(code: &str, after: u32, times: u32) -> Value {
    json!({"action": "RunInstances", "dies": {"code": code, "after": after}, "times": times, "match": {}})
}

#[test]
fn sandbox_a_launch_that_dies_at_once_is_replaced_once_and_its_reason_told() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let deaths = [
        ("Server.InternalError", 0, 1),
        ("Client.VolumeLimitExceeded", 0, 1),
        ("Server.InsufficientInstanceCapacity", 1, 1),
        ("Server.InternalError", 0, 9),
    ];
    at_once(deaths, |(code, after, times)| {
        let job = Job::new();
        fault(death(code, after, times), &job.tag());
        if times > 1 {
            job.step(&FOUR)
                .exits(3)
                .says("ended before it could be used: Server.InternalError")
                .says("AWS's side");
            assert_eq!(attempts(&job).len(), 2, "one replacement, no more");
            return job.ends_clean();
        }
        job.step(&FOUR)
            .exits(0)
            .says(code)
            .says("replacing it, once");
        let (alive, told) = (living(&job.tag()), attempts(&job));
        assert_eq!(alive.len(), 1);
        assert_eq!(
            alive[0]["InstanceId"].as_str(),
            job.output("instance-id").as_deref()
        );
        assert_eq!(told[1], "1 on-demand m7i.2xlarge us-east-1b launched");
        assert!(
            job.summary().contains(&format!("ended: {code}")),
            "{}",
            job.summary()
        );
        job.ends_clean();
    });
}
