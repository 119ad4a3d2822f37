use proptest::prelude::*;

use super::*;
use crate::run::{TAG_EXPIRES_AT, TAG_JOB, TAG_PREFIX};

const NOW: &str = "2026-11-21T12:00:00Z";

fn resource(kind: &'static str, tags: &[(&str, &str)]) -> Resource {
    let usual = [
        ("run", "7-42"),
        ("job", "e2e"),
        ("attempt", "1"),
        ("repository", "o/r"),
        ("expires-at", "2026-11-21T13:00:00Z"),
    ];
    let tags = usual
        .iter()
        .chain(tags)
        .map(|(name, value)| (format!("{TAG_PREFIX}{name}"), (*value).to_owned()));
    Resource {
        kind,
        id: format!("{kind}-1"),
        region: Some("us-east-1".to_owned()),
        tags: tags.filter(|(_, value)| !value.is_empty()).collect(),
        state: "running".to_owned(),
        since: Some("2026-11-21T11:00:00Z".parse().unwrap()),
        ..Resource::default()
    }
}

fn without(mut resource: Resource, name: &str) -> Resource {
    resource.tags.remove(&format!("{TAG_PREFIX}{name}"));
    resource
}

fn run(status: &str, attempt: u32) -> RunAnswer {
    RunAnswer::Run(WorkflowRun {
        status: status.to_owned(),
        conclusion: (status == "completed").then(|| "cancelled".to_owned()),
        run_attempt: attempt,
    })
}

fn rules(repositories: &[&str]) -> Rules {
    Rules {
        now: NOW.parse().unwrap(),
        grace: Limit::secs(600),
        repositories: Repositories(repositories.iter().map(|&name| name.to_owned()).collect()),
    }
}

fn verdict(resource: &Resource, told: RunAnswer) -> ReapVerdict {
    let told = Answers {
        runs: RunKey::of(resource)
            .map(|key| (key, told))
            .into_iter()
            .collect(),
        jobs_over: BTreeSet::from(["5501".to_owned()]),
    };
    judge(std::slice::from_ref(resource), &told, &rules(&["o/r"])).remove(0)
}

const EXPIRED: (&str, &str) = ("expires-at", "2026-11-21T11:59:00Z");

#[test]
fn what_is_left_behind_is_marked_then_ended_and_never_at_first_sight() {
    let over = || run("completed", 1);
    for told in [over(), RunAnswer::NotFound] {
        let told = |expired: &Resource| verdict(expired, told.clone());
        assert_eq!(told(&resource("instance", &[EXPIRED])).fate, Fate::Mark);
    }
    assert_eq!(
        verdict(&resource("instance", &[]), over()).why,
        "its run is over (cancelled)"
    );
    for (marked, fate) in [
        ("2026-11-21T11:50:00Z", Fate::End),
        ("2026-11-21T11:50:01Z", Fate::Wait),
        // By a clock that was wrong.
        ("2026-11-21T12:50:00Z", Fate::Wait),
        ("yesterday", Fate::Mark),
    ] {
        let resource = resource("volume", &[("reap-candidate", marked)]);
        assert_eq!(verdict(&resource, over()).fate, fate, "{marked}");
    }
}

#[test]
fn what_is_in_use_or_not_ours_stays() {
    for (told, tags, why) in [
        (run("in_progress", 1), &[][..], "its run is in progress"),
        (run("queued", 1), &[], "its run is in progress"),
        (run("waiting", 1), &[], "its run is in progress"),
        (
            RunAnswer::NotFound,
            &[],
            "it has not expired, and nothing is known of its run",
        ),
        (
            run("completed", 1),
            &[("kept", "true")],
            "kept until 2026-11-21T13:00:00Z",
        ),
    ] {
        let verdict = verdict(&resource("instance", tags), told);
        assert_eq!((verdict.fate, verdict.why.as_str()), (Fate::Spare, why));
    }
    let foreign = resource("instance", &[EXPIRED, ("repository", "o/other")]);
    assert_eq!(verdict(&foreign, run("completed", 1)).fate, Fate::Foreign);
    let laptop = without(
        resource("instance", &[EXPIRED, ("run", "local-12345")]),
        "repository",
    );
    assert_eq!(verdict(&laptop, RunAnswer::NotFound).fate, Fate::Foreign);
    let mut future = resource("instance", &[EXPIRED]);
    future.since = Some("2026-11-21T12:00:01Z".parse().unwrap());
    assert_eq!(
        verdict(&future, run("completed", 1)).why,
        "made in the future"
    );
}

#[test]
fn what_cannot_be_told_is_not_touched_and_not_called_clean() {
    let silence = || RunAnswer::NoAnswer("503".to_owned());
    assert_eq!(
        verdict(&resource("instance", &[EXPIRED]), silence()).fate,
        Fate::Unknown
    );
    assert_eq!(
        verdict(&resource("instance", &[]), silence()).fate,
        Fate::Unknown
    );
    let undated = without(resource("instance", &[]), "expires-at");
    assert_eq!(verdict(&undated, RunAnswer::NotFound).fate, Fate::Unknown);
    assert_eq!(verdict(&undated, run("completed", 1)).fate, Fate::Mark);
    for more in [&[][..], &[("check-run", "5502")]] {
        let overdue = resource("instance", &[&[EXPIRED], more].concat());
        assert_eq!(verdict(&overdue, run("in_progress", 1)).fate, Fate::Stuck);
    }
}

#[test]
fn what_has_expired_goes_once_its_job_is_over_while_its_run_waits_for_an_approval() {
    let job_over = ("check-run", "5501");
    let expired = resource("KinD cluster", &[EXPIRED, job_over]);
    assert_eq!(verdict(&expired, run("waiting", 1)).fate, Fate::Mark);
    // Another job of the run may use it, as long as it was meant to live.
    let living = resource("KinD cluster", &[job_over]);
    assert_eq!(verdict(&living, run("waiting", 1)).fate, Fate::Spare);
}

#[test]
fn an_earlier_attempt_is_over_but_the_group_that_a_later_one_uses_is_not() {
    let told = [(
        RunKey::of(&resource("instance", &[])).unwrap(),
        run("in_progress", 2),
    )];
    let told = Answers {
        runs: told.into_iter().collect(),
        jobs_over: BTreeSet::new(),
    };
    let (old, group) = (resource("instance", &[]), resource("security group", &[]));
    let new = resource("instance", &[("attempt", "2")]);
    let fates = |resources: &[Resource]| -> Vec<Fate> {
        let verdicts = judge(resources, &told, &rules(&["*"]));
        verdicts.into_iter().map(|verdict| verdict.fate).collect()
    };
    assert_eq!(
        fates(&[old.clone(), group.clone()]),
        [Fate::Mark, Fate::Mark]
    );
    assert_eq!(
        fates(&[group, new, old]),
        [Fate::Spare, Fate::Spare, Fate::Mark]
    );
}

#[test]
fn repositories_are_named_whole_by_owner_or_all() {
    for (pattern, repository, covered) in [
        ("o/r", Some("O/R"), true),
        ("o/*", Some("o/x"), true),
        ("o/*", Some("other/x"), false),
        ("o/r", Some("o/r2"), false),
        ("o/*", None, false),
        ("*", None, true),
    ] {
        let repositories = Repositories(vec![pattern.to_owned()]);
        assert_eq!(
            repositories.cover(repository),
            covered,
            "{pattern} {repository:?}"
        );
    }
    assert!(!Repositories(Vec::new()).cover(Some("o/r")));
}

proptest! {
    /// Whatever tags and answers say: no run in progress loses anything of its attempt, no first sight ends anything.
    #[test]
    fn nothing_ends_that_was_not_marked_or_whose_run_is_in_progress(
        status in "completed|in_progress|queued|odd",
        current in 1_u32..3,
        expires in prop::option::of(0_i64..4_000_000_000),
        marked in prop::option::of(0_i64..4_000_000_000),
        kept: bool,
        attempt in 1_u32..3,
    ) {
        let text = |seconds: Option<i64>| {
            seconds.map_or_else(String::new, |at| Timestamp::new(at, 0).unwrap().to_string())
        };
        let (expires, marked, attempt_text) = (text(expires), text(marked), attempt.to_string());
        let resource = without(resource("instance", &[]), "expires-at");
        let more = [
            (TAG_EXPIRES_AT, &expires),
            (TAG_CANDIDATE, &marked),
            (TAG_ATTEMPT, &attempt_text),
            (TAG_JOB, &expires),
        ];
        let mut resource = resource;
        for (name, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
            resource.tags.insert(name.to_owned(), value.clone());
        }
        if kept {
            resource.tags.insert(TAG_KEPT.to_owned(), "true".to_owned());
        }
        let verdict = verdict(&resource, run(&status, current));
        if verdict.fate == Fate::End {
            prop_assert!(resource.tags.contains_key(TAG_CANDIDATE));
            prop_assert!(status == "completed" || current > attempt);
        }
    }
}
