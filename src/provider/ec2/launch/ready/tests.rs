//! Which address is taken, and what is said of a host that is silent.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{limits::Limit, provider::ec2::fake};

/// The address that is taken where the public one is listed with the third look, or never.
async fn taken(public: bool, listed: bool) -> Result<String, Ec2Error> {
    let looks = AtomicUsize::new(0);
    let ec2 = fake::client(move |_, _| {
        let there = listed && looks.fetch_add(1, Ordering::SeqCst) >= 2;
        let public = if there {
            "<ipAddress>203.0.113.9</ipAddress>"
        } else {
            ""
        };
        Ok(format!(
            "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><privateIpAddress>10.0.1.5</privateIpAddress>\
             {public}<instanceState><name>running</name></instanceState></item></instancesSet></item></reservationSet>"
        ))
    });
    let spec = fake::spec(&["--subnet-ids=subnet-1"]);
    address(&ec2, &spec, "i-1", public, Deadline::after(Limit::secs(5))).await
}

#[tokio::test(start_paused = true)]
async fn a_public_address_that_is_listed_late_is_waited_for() {
    assert_eq!(taken(true, true).await.unwrap(), "203.0.113.9");
    assert_eq!(taken(false, false).await.unwrap(), "10.0.1.5");
    let never = taken(true, false).await.unwrap_err().to_string();
    assert!(never.contains("no public address"), "{never}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_silent_is_reported_within_half_a_minute_and_once() {
    let (began, said) = (Instant::now(), AtomicUsize::new(0));
    let at = AtomicUsize::new(0);
    let probe = || async {
        wait::pause(Duration::from_secs(3)).await;
        true
    };
    let warned = warn_of_silence(probe, || {
        said.fetch_add(1, Ordering::SeqCst);
        let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
        at.store(seconds, Ordering::SeqCst);
    });
    let limit = Duration::from_mins(5);
    assert!(tokio::time::timeout(limit, warned).await.is_err());
    assert_eq!(said.load(Ordering::SeqCst), 1);
    let seconds = at.load(Ordering::SeqCst);
    assert!((20..30).contains(&seconds), "{seconds}");
    let refused = warn_of_silence(|| std::future::ready(false), || panic!("it answers"));
    assert!(tokio::time::timeout(limit, refused).await.is_err());
}

#[test]
fn what_may_keep_ssh_from_a_host_is_named() {
    let said = |private, env: &[(&str, &str)]| {
        silence("10.0.1.5", private, &Environment::of(env.iter().copied()))
    };
    let proxy = [("https_proxy", "http://p:1")];
    assert!(said(Some("subnet-1"), &proxy).contains("subnet-1 gives no public one"));
    assert!(said(None, &proxy).contains("https_proxy is set, and SSH takes no proxy"));
    assert!(said(None, &[]).contains("lets no SSH out"));
    let failed = |reason: &str| {
        let error = HostError::Unreachable {
            host: "ubuntu@10.0.1.5".to_owned(),
            reason: reason.to_owned(),
        };
        let failure = Failure::from(explained(error.into(), "why"));
        failure.hint.unwrap_or_default()
    };
    assert_eq!(failed("no answer"), "why");
    assert!(failed("connection refused").contains("ssh-cidr"));
}
