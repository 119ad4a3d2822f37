//! Credentials that end: told beforehand, and renewed from the workflow's OIDC token by a stand-in for its endpoint.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::it::support::{
    Lane,
    aws::{Job, Step, calls, eventually, fault_of, left, living},
    sandbox,
};

/// What a job proves itself with at the endpoint.
const BEARER: &str = "bearer-canary-0123456789";

/// The endpoint that a runner names to a job with `id-token: write`.
struct Issuer {
    url: String,
    state: Arc<Issued>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Issued {
    /// So many answers to come are faults; this status they have.
    faults: AtomicU32,
    status: AtomicU32,
    /// Tokens that were given out.
    tokens: Mutex<Vec<String>>,
    /// So many seconds a token lasts.
    lasts: AtomicU64,
}

impl Issuer {
    fn start() -> Self {
        let state = Arc::new(Issued::default());
        state.lasts.store(300, Ordering::Relaxed);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/token", get(issue))
            .with_state(Arc::clone(&state));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{address}/token?api-version=2.0"),
            state,
            _runtime: runtime,
        }
    }

    fn fails(&self, times: u32, status: u32) {
        self.state.status.store(status, Ordering::Relaxed);
        self.state.faults.store(times, Ordering::Relaxed);
    }

    fn tokens(&self) -> Vec<String> {
        self.state.tokens.lock().unwrap().clone()
    }

    /// A job that has nothing but this to go by.
    fn job(&self, role: &str) -> Job {
        Job::new()
            .with("AWS_ACCESS_KEY_ID", "")
            .with("AWS_SECRET_ACCESS_KEY", "")
            .with("AWS_EC2_METADATA_DISABLED", "true")
            .with("GITHUB_ACTIONS", "true")
            .with("ACTIONS_ID_TOKEN_REQUEST_URL", &self.url)
            .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER)
            .with("INPUT_ROLE_ARN", role)
    }
}

async fn issue(
    State(state): State<Arc<Issued>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    if headers.get("authorization").unwrap() != &format!("Bearer {BEARER}") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let one_less = |left: u32| left.checked_sub(1);
    let failing = state
        .faults
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    if failing.is_ok() {
        let status = u16::try_from(state.status.load(Ordering::Relaxed)).unwrap();
        return Err(StatusCode::from_u16(status).unwrap());
    }
    let audience = query.iter().find(|(name, _)| name == "audience");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!(
        "{}.{}.{}",
        part(json!({"alg": "RS256"})),
        part(json!({
            "aud": audience.map(|(_, value)| value),
            "exp": now.as_secs() + state.lasts.load(Ordering::Relaxed),
            "sub": "repo:o/r:ref:refs/heads/main",
        })),
        BASE64_URL_SAFE_NO_PAD.encode(rand::random::<u128>().to_be_bytes()),
    );
    state.tokens.lock().unwrap().push(token.clone());
    Ok(Json(json!({"count": 1, "value": token})))
}

/// A role of this test alone, whose sessions last so many seconds.
fn role(seconds: u32) -> String {
    let own = rand::random::<u32>();
    format!("arn:aws:iam::123456789012:role/e2e-{own}-{seconds}s")
}

/// How often a role was assumed.
fn assumed(role: &str) -> usize {
    let calls: Vec<Value> = serde_json::from_str(&calls()).unwrap();
    calls.iter().filter(|call| call["RoleArn"] == role).count()
}

/// Asserts that no token was said, and that what was made of one is known to the runner as secret.
#[track_caller]
fn keeps_secrets(step: &Step, issuer: &Issuer) {
    let masked = |line: &str| line.starts_with("::add-mask::");
    let printed: String = step.printed.lines().filter(|line| !masked(line)).collect();
    for token in issuer.tokens().iter().map(String::as_str).chain([BEARER]) {
        assert!(!step.said.contains(token), "{}", step.said);
        assert!(!printed.contains(token), "{printed}");
    }
    let last = issuer.tokens().pop().unwrap();
    assert!(step.printed.contains(&format!("::add-mask::{last}\n")));
    let masks = step.printed.lines().filter(|line| masked(line)).count();
    assert!(masks >= 3, "token, key and session: {masks} masks");
}

#[test]
fn credentials_that_end_too_early_are_refused_before_any_request() {
    let temporary = |until: &str| {
        // Nothing listens there: a request would end with another code.
        Job::new()
            .with("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .with("AWS_ACCESS_KEY_ID", "ASIA")
            .with("AWS_SECRET_ACCESS_KEY", "secret")
            .with("AWS_SESSION_TOKEN", "token")
            .with("AWS_CREDENTIAL_EXPIRATION", until)
            .with("INPUT_SSH_CIDR", "203.0.113.7/32")
    };
    let job = temporary("2026-01-01T00:00:00+00:00");
    job.step(&["provision-ec2"])
        .exits(2)
        .says("the AWS credentials end in 0s (2026-01-01T00:00:00Z)")
        .says("id-token: write");
    assert_eq!(job.record()["launch"], Value::Null);
    // Nothing is known of these: that is said, and it goes on.
    let step = temporary("").step(&["provision-ec2", "--timeout=3s"]);
    assert_ne!(step.code, Some(2), "{}", step.said);
    step.says("warning: these AWS credentials are temporary")
        .says("role-duration-seconds");
}

#[test]
fn a_job_that_gets_no_token_is_told_what_it_lacks() {
    let issuer = Issuer::start();
    issuer.fails(99, 403);
    let job = issuer
        .job(&role(60))
        .with("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .with("INPUT_SSH_CIDR", "203.0.113.7/32");
    job.step(&["provision-ec2"])
        .exits(2)
        .says("could not be assumed with the workflow's OIDC token")
        .says("the token's endpoint: 403 Forbidden")
        .says("id-token: write");
    let odd = issuer.job("e2e");
    odd.step(&["teardown"]).exits(2).says("role-arn: `e2e`");
}

#[test]
fn sandbox_a_session_that_ends_in_the_middle_of_a_launch_is_renewed_and_again_for_the_teardown() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (issuer, role) = (Issuer::start(), role(3));
    let job = issuer.job(&role);
    let step = job.step(&["provision-ec2"]).exits(0);
    keeps_secrets(&step, &issuer);
    let during = assumed(&role);
    assert!(during >= 2, "a launch takes more than 3 s: {during}");
    assert_eq!(living(&job.tag()).len(), 1);
    // The record says which role; the old session has long ended.
    let job = job.with("INPUT_ROLE_ARN", "");
    eventually("the end of the session", Duration::from_secs(9), || {
        assert_eq!(living(&job.tag()).len(), 1);
        Some(())
    });
    let step = job.step(&["teardown"]).exits(0).says("proven gone");
    keeps_secrets(&step, &issuer);
    assert!(assumed(&role) > during, "a session of the teardown's own");
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

#[test]
fn sandbox_without_renewal_such_a_session_would_end_the_launch() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (issuer, role) = (Issuer::start(), role(3));
    // The second token never comes.
    let job = issuer.job(&role);
    let mut child = job.start(&["provision-ec2"]);
    eventually("the first token", Duration::from_secs(20), || {
        issuer.tokens().pop()
    });
    issuer.fails(999, 503);
    assert_eq!(
        child.wait().unwrap().code(),
        Some(3),
        "no fault of an input"
    );
    Job::of(&job.run, "cleaner")
        .step(&["teardown", "--scope=run", "--region=us-east-1"])
        .exits(0);
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}

#[test]
fn sandbox_a_token_endpoint_in_trouble_is_waited_for_and_else_what_there_was_serves() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let (issuer, role) = (Issuer::start(), role(60));
    let job = issuer.job(&role);
    issuer.fails(3, 503);
    job.step(&["teardown", "--region=us-east-1"]).exits(0);
    assert_eq!(issuer.tokens().len(), 1);

    issuer.fails(999, 500);
    let job = issuer
        .job(&role)
        .with("AWS_ACCESS_KEY_ID", "sandbox")
        .with("AWS_SECRET_ACCESS_KEY", "sandbox")
        .with("AWS_SESSION_TOKEN", "of-the-step-before");
    job.step(&["teardown", "--region=us-east-1"])
        .exits(0)
        .says("warning: the credentials of the environment are used as they are");
}

#[test]
fn sandbox_a_role_that_does_not_trust_the_workflow_is_named_with_what_it_lacks() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let issuer = Issuer::start();
    let job = issuer.job("arn:aws:iam::123456789012:role/denied");
    let step = job
        .step(&["provision-ec2"])
        .exits(2)
        .says("role/denied could not be assumed")
        .says("AccessDenied")
        .says("trust policy");
    keeps_secrets_of_tokens(&step, &issuer);
    assert_eq!(job.record()["launch"], Value::Null);
}

#[track_caller]
fn keeps_secrets_of_tokens(step: &Step, issuer: &Issuer) {
    for token in issuer.tokens() {
        assert!(!step.said.contains(&token), "{}", step.said);
    }
}

#[test]
fn sandbox_a_clock_that_is_off_spoils_no_session() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    for off in [-7200, 7200] {
        let (issuer, role) = (Issuer::start(), role(60));
        fault_of(
            json!({"action": "AssumeRoleWithWebIdentity", "match": {"RoleArn": role}, "date": off, "times": 9}),
        );
        let job = issuer.job(&role);
        job.step(&["teardown", "--region=us-east-1"]).exits(0);
        assert_eq!(assumed(&role), 1, "{off}");
    }
}
