//! What is asked for next after each kind of refusal.

use super::{super::network::Subnet, *};

/// `type/zone/s` or `type/zone/d` each.
fn plan(candidates: &[&str], rounds: u32) -> CandidatePlan {
    CandidatePlan::new(candidates.iter().copied().map(candidate).collect(), rounds)
}

fn candidate(text: &str) -> Candidate {
    let mut parts = text.split('/');
    let mut part = || parts.next().unwrap().to_owned();
    let (instance_type, zone, market) = (part(), part(), part());
    Candidate {
        instance_type,
        subnet: Subnet {
            id: format!("subnet-{zone}"),
            zone,
            public: true,
            vpc: "vpc-1".to_owned(),
        },
        market: if market == "s" {
            PurchaseOption::Spot
        } else {
            PurchaseOption::OnDemand
        },
    }
}

fn text(candidate: &Candidate) -> String {
    let market = match candidate.market {
        PurchaseOption::Spot => "s",
        PurchaseOption::OnDemand => "d",
    };
    format!(
        "{}/{}/{market}",
        candidate.instance_type, candidate.subnet.zone
    )
}

/// Refuses each candidate by what `answer` says of it, to the end: what was asked for, rounds apart by `|`.
fn walk(
    mut plan: CandidatePlan,
    answer: impl Fn(&str) -> &'static str,
) -> (String, Option<String>) {
    let mut asked = Vec::new();
    loop {
        while let Some(candidate) = plan.next() {
            let name = text(&candidate);
            let code = answer(&name);
            asked.push(name);
            if plan.refused(&candidate, ErrorClass::of(code), code) == AfterRefusal::GiveUp {
                return (asked.join(" "), Some(code.to_owned()));
            }
        }
        match plan.again() {
            Some(_) => asked.push("|".to_owned()),
            None => return (asked.join(" "), None),
        }
    }
}

/// What is told of a candidate.
type Told = Box<dyn Fn(&str) -> &'static str>;

const FULL: &str = "InsufficientInstanceCapacity";

#[test]
fn a_refusal_decides_what_is_asked_for_next() {
    let all = ["m/a/s", "m/b/s", "m/a/d", "m/b/d", "g/a/d"];
    let spot = |code: &'static str| move |name: &str| if name.ends_with('s') { code } else { FULL };
    let told: [(&str, Told, &str, Option<&str>); 9] = [
        (
            "no capacity anywhere is asked for once a round",
            Box::new(|_| FULL),
            "m/a/s m/b/s m/a/d m/b/d g/a/d | m/a/s m/b/s m/a/d m/b/d g/a/d",
            None,
        ),
        (
            "spot's quota leads to on-demand at once",
            Box::new(spot("MaxSpotInstanceCountExceeded")),
            "m/a/s m/a/d m/b/d g/a/d | m/a/d m/b/d g/a/d",
            None,
        ),
        (
            "a missing role leads to on-demand at once",
            Box::new(spot("AuthFailure.ServiceLinkedRoleCreationNotPermitted")),
            "m/a/s m/a/d m/b/d g/a/d | m/a/d m/b/d g/a/d",
            None,
        ),
        (
            "a price too low leads to on-demand at once",
            Box::new(spot("SpotMaxPriceTooLow")),
            "m/a/s m/a/d m/b/d g/a/d | m/a/d m/b/d g/a/d",
            None,
        ),
        (
            "a quota ends its family in its market, and there is no second round",
            Box::new(|name: &str| {
                if name.ends_with('s') {
                    FULL
                } else {
                    "VcpuLimitExceeded"
                }
            }),
            "m/a/s m/b/s m/a/d g/a/d",
            Some("VcpuLimitExceeded"),
        ),
        (
            "room for volumes is of no market",
            Box::new(|_| "VolumeLimitExceeded"),
            "m/a/s",
            Some("VolumeLimitExceeded"),
        ),
        (
            "a type that a zone never has is not asked for again there",
            Box::new(|name: &str| {
                if name.contains("/b/") {
                    "Unsupported"
                } else {
                    FULL
                }
            }),
            "m/a/s m/b/s m/a/d g/a/d | m/a/s m/a/d g/a/d",
            None,
        ),
        (
            "a type that the region never has is not asked for again at all",
            Box::new(|name: &str| {
                if name.starts_with('m') {
                    "InvalidInstanceType"
                } else {
                    FULL
                }
            }),
            "m/a/s g/a/d | g/a/d",
            None,
        ),
        (
            "what can never be is the end",
            Box::new(|_| "InvalidInstanceType"),
            "m/a/s g/a/d",
            Some("InvalidInstanceType"),
        ),
    ];
    for (claim, answer, asked, end) in told {
        let (was, ended) = walk(plan(&all, 2), answer);
        assert_eq!((was.as_str(), ended.as_deref()), (asked, end), "{claim}");
    }
}

#[test]
fn what_no_candidate_can_help_ends_at_once() {
    for code in [
        "UnauthorizedOperation",
        "AuthFailure",
        "ExpiredToken",
        "PendingVerification",
        "Blocked",
        "OptInRequired",
        "InvalidAMIID.NotFound",
        "InvalidParameterValue",
        "SomethingNew",
        // Spot alone was asked for.
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
    ] {
        let (asked, end) = walk(plan(&["m/a/s", "m/b/s"], 5), |_| code);
        assert_eq!((asked.as_str(), end.as_deref()), ("m/a/s", Some(code)));
    }
}

#[test]
fn pauses_grow_and_rounds_end() {
    let mut plan = plan(&["m/a/d"], 5);
    let pauses: Vec<u64> = std::iter::from_fn(|| {
        plan.next();
        plan.again().map(|longest| longest.as_secs())
    })
    .collect();
    assert_eq!(pauses, [20, 40, 80, 90]);
    assert!((0..99).all(|_| jitter(FIRST_PAUSE) <= FIRST_PAUSE));
}

#[test]
fn one_that_died_is_followed_by_the_next_even_after_the_last() {
    let mut one = plan(&["m/a/d"], 1);
    let first = one.next().unwrap();
    one.died(&first, "Server.InternalError");
    assert_eq!(
        (one.next().map(|it| text(&it)).as_deref(), one.round()),
        (Some("m/a/d"), 2)
    );
    assert_eq!(one.again(), None);

    let mut both = plan(&["m/a/s", "m/b/s", "m/a/d"], 1);
    let first = both.next().unwrap();
    both.died(&first, "Server.SpotInstanceTermination");
    assert_eq!(both.next().map(|it| text(&it)).as_deref(), Some("m/a/d"));
}
