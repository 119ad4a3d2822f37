//! Against an EC2 in memory that lists late what it has launched, by tokio's paused clock.

use std::{
    ops::Range,
    sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_ec2::config::{
    BehaviorVersion, Credentials, Region, http::HttpRequest, http::HttpResponse,
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};

use super::*;
use crate::{limits::Limit, provider::Owner};

const TOKEN: &str = "token-of-the-launch";

/// What there is in one region.
#[derive(Debug)]
struct State {
    began: Instant,
    /// A launch that was accepted: when it is listed, and its state.
    instance: Option<(Duration, &'static str)>,
    group: bool,
    /// Calls that are refused in a span of time, with code and status.
    faults: Vec<(&'static str, Range<u64>, &'static str, u16)>,
    calls: Vec<String>,
}

#[derive(Clone, Debug)]
struct Cloud(Arc<StdMutex<State>>);

impl Cloud {
    fn new(listed_after: Option<u64>, group: bool) -> Self {
        Self(Arc::new(StdMutex::new(State {
            began: Instant::now(),
            instance: listed_after.map(|seconds| (Duration::from_secs(seconds), "running")),
            group,
            faults: Vec::new(),
            calls: Vec::new(),
        })))
    }

    fn refusing(
        self,
        call: &'static str,
        seconds: Range<u64>,
        code: &'static str,
        status: u16,
    ) -> Self {
        self.state().faults.push((call, seconds, code, status));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is alive.
    fn left(&self) -> (bool, bool) {
        let state = self.state();
        let instance = state.instance.is_some_and(|(_, name)| name == "running");
        (instance, state.group)
    }

    fn client(&self) -> Client {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Client::from_conf(config)
    }

    /// Ends everything of the job, and how long that took.
    async fn destroy(&self, known: Option<&[&str]>, limit: Limit) -> (Ending, Duration) {
        let owner = Owner {
            run: "7-1".to_owned(),
            job: Some("e2e".to_owned()),
            others: None,
        };
        let known = known.map(|instances| launches("e2e", instances));
        let (began, deadline) = (Instant::now(), Deadline::after(limit));
        let query = ResourceQuery::Of(&owner);
        let ending = destroy(&self.client(), "us-east-1", query, known.as_ref(), deadline).await;
        (ending, began.elapsed())
    }
}

impl HttpConnector for Cloud {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let (status, text) = self.state().answer(&String::from_utf8_lossy(body));
        let status = status.try_into().expect("a status of HTTP");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, text.into())))
    }
}

impl State {
    fn answer(&mut self, form: &str) -> (u16, String) {
        let call = form.split(['=', '&']).nth(1).unwrap_or_default().to_owned();
        self.calls.push(call.clone());
        let now = self.began.elapsed();
        let refuse = |code: &str| {
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>set by a test</Message></Error></Errors></Response>"
            )
        };
        let mut faults = self.faults.iter();
        let fault = faults.find(|(name, when, ..)| *name == call && when.contains(&now.as_secs()));
        if let Some((_, _, code, status)) = fault {
            return (*status, refuse(code));
        }
        let tags = format!("<tagSet><item><key>{TAG_JOB}</key><value>e2e</value></item></tagSet>");
        let answer = match call.as_str() {
            "DescribeInstances" => {
                let listed = self.instance.filter(|(listed, _)| *listed <= now);
                listed.map_or_else(String::new, |(_, state)| {
                    format!("<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><clientToken>{TOKEN}</clientToken><instanceState><name>{state}</name></instanceState>{tags}</item></instancesSet></item></reservationSet>")
                })
            }
            "DescribeSecurityGroups" if self.group => {
                format!(
                    "<securityGroupInfo><item><groupId>sg-1</groupId>{tags}</item></securityGroupInfo>"
                )
            }
            "TerminateInstances" => {
                if let Some((_, state)) = &mut self.instance {
                    *state = "terminated";
                }
                String::new()
            }
            "DeleteSecurityGroup" => {
                if self.instance.is_some_and(|(_, state)| state == "running") {
                    return (400, refuse("DependencyViolation"));
                }
                self.group = false;
                "<return>true</return>".to_owned()
            }
            _ => String::new(),
        };
        (200, format!("<{call}Response>{answer}</{call}Response>"))
    }
}

fn launches(job: &str, instances: &[&str]) -> KnownLaunches {
    KnownLaunches {
        region: None,
        job: job.to_owned(),
        instances: instances.iter().map(ToString::to_string).collect(),
    }
}

fn ids(ending: &Ending) -> Vec<&str> {
    ending.found.iter().map(|one| one.id.as_str()).collect()
}

const MINUTES: Limit = Limit::secs(600);

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_listed_late_is_ended_though_only_its_group_was_found() {
    let cloud = Cloud::new(Some(40), true);
    let (ending, took) = cloud.destroy(None, MINUTES).await;
    assert_eq!(ids(&ending), ["sg-1", "i-1"]);
    assert!(ending.unseen.is_none() && ending.refusals.is_empty());
    assert_eq!(cloud.left(), (false, false));
    assert!(took < Duration::from_secs(55), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_the_record_that_is_listed_late_is_ended() {
    for name in [TOKEN, "i-1"] {
        let cloud = Cloud::new(Some(50), false);
        let (ending, took) = cloud.destroy(Some(&[name]), MINUTES).await;
        assert_eq!(ids(&ending), ["i-1"]);
        assert!(ending.unseen.is_none());
        assert_eq!(cloud.left(), (false, false));
        assert!(took < VISIBILITY_DELAY, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_terminated_before_is_not_waited_for() {
    // By a record that does not know of its end; by another teardown at the same time, which has no record.
    for known in [Some(&[TOKEN][..]), None] {
        let cloud = Cloud::new(Some(0), true);
        cloud.state().instance = Some((Duration::ZERO, TERMINATED));
        let (ending, took) = cloud.destroy(known, MINUTES).await;
        assert_eq!(ids(&ending), ["sg-1"]);
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_never_was_is_looked_for_as_long_as_ec2_may_take_and_no_longer() {
    for (known, group) in [(Some(&[TOKEN][..]), false), (None, true)] {
        let cloud = Cloud::new(None, group);
        let (ending, took) = cloud.destroy(known, MINUTES).await;
        assert!(ending.unseen.is_none());
        assert_eq!(cloud.left(), (false, false));
        let seconds = took.as_secs();
        assert!((60..70).contains(&seconds), "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_was_too_short_for_a_launch_of_the_record_proves_nothing() {
    let cloud = Cloud::new(None, false);
    let (ending, _) = cloud.destroy(Some(&[TOKEN]), Limit::secs(20)).await;
    let unseen = ending.unseen.expect("it is no proof");
    assert!(matches!(unseen, Ec2Error::TimedOut { .. }), "{unseen}");
    assert!(
        unseen.to_string().contains("may not be listed yet"),
        "{unseen}"
    );
}

#[tokio::test(start_paused = true)]
async fn where_nothing_says_that_there_is_more_nothing_is_waited_for() {
    // The record has a group, and every launch has its answer; no record, and nothing at all is there.
    for (known, group) in [(Some(&[][..]), true), (None, false)] {
        let cloud = Cloud::new(None, group);
        let (ending, took) = cloud.destroy(known, MINUTES).await;
        assert!(ending.unseen.is_none());
        assert_eq!(cloud.left(), (false, false));
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn looks_that_fail_for_minutes_end_no_teardown_that_has_more() {
    for (code, status) in [("RequestLimitExceeded", 503), ("InternalError", 500)] {
        let cloud = Cloud::new(Some(0), true)
            .refusing("DescribeVolumes", 0..100, code, status)
            .refusing("DescribeInstances", 1..100, code, status)
            .refusing("DescribeSecurityGroups", 50..200, code, status);
        let (ending, took) = cloud.destroy(None, MINUTES).await;
        assert!(ending.unseen.is_none(), "{:?}", ending.unseen);
        assert_eq!(cloud.left(), (false, false));
        assert!(took > Duration::from_secs(200), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_to_the_end_is_told_as_what_it_is() {
    let cloud = Cloud::new(None, false).refusing("DescribeVolumes", 0..999, "Unavailable", 503);
    let (ending, _) = cloud.destroy(None, Limit::secs(60)).await;
    assert_eq!(ending.unseen.expect("no proof").code(), "Unavailable");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_listed_is_neither_waited_for_nor_proven() {
    let cloud =
        Cloud::new(None, true).refusing("DescribeInstances", 0..999, "UnauthorizedOperation", 403);
    let (ending, took) = cloud.destroy(Some(&[TOKEN]), MINUTES).await;
    assert_eq!(
        ending.unseen.expect("no proof").code(),
        "UnauthorizedOperation"
    );
    assert_eq!(cloud.left(), (false, false), "the group may be seen");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_looks_takes_few_requests() {
    let cloud = Cloud::new(None, false);
    cloud.destroy(Some(&[TOKEN]), MINUTES).await;
    let calls = cloud.state().calls.len();
    assert!(calls < 4 * 21, "{calls}");
}

fn resource(kind: &'static str, state: &str, job: &str) -> Resource {
    Resource {
        kind,
        id: format!("{kind}-{job}"),
        state: state.to_owned(),
        tags: BTreeMap::from([(TAG_JOB.to_owned(), job.to_owned())]),
        ..Resource::default()
    }
}

#[test]
fn a_group_of_another_job_is_explained_by_an_instance_of_that_job_alone() {
    let awaits = |found: &[Resource]| {
        let mut progress = Progress::default();
        progress.take_in(found.to_vec(), Vec::new());
        progress.awaits_instance(Some(&launches("ours", &[])))
    };
    let group = |job| resource(GROUP, "there", job);
    let instance = |job| resource(INSTANCE, "running", job);
    assert!(!awaits(&[group("ours")]), "the record knows");
    assert!(awaits(&[group("other")]));
    assert!(awaits(&[group("other"), instance("ours")]));
    assert!(!awaits(&[group("other"), instance("other")]));
    let mut earlier = instance("other");
    let attempt = ("manifests-e2e/attempt".to_owned(), "1".to_owned());
    earlier.tags.extend([attempt]);
    assert!(awaits(&[group("other"), earlier]), "of another attempt");
    assert!(awaits(&[
        group("other"),
        instance("other"),
        group("a third")
    ]));
}

#[test]
fn what_an_instance_holds_waits_for_it() {
    let resource = |kind, state| resource(kind, state, "e2e");
    let instance = resource(INSTANCE, "running");
    let going = resource(INSTANCE, "shutting-down");
    let (held, loose) = (resource(VOLUME, "in-use"), resource(VOLUME, "available"));
    let group = resource(GROUP, "there");
    let all = [instance.clone(), held.clone(), group.clone()];
    assert!(due(&instance, &all) && !due(&held, &all) && !due(&group, &all));
    assert!(!due(&going, &all), "once is enough");
    assert!(due(&loose, &all) && due(&group, &[group.clone(), loose]));
}
