use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::*;
use crate::{
    limits::Limit,
    notebook::fake::{Answer, job, server, server_of_bodies},
};

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_before_the_test_is_named_with_what_was_asked_of_it() {
    let client = server(|_| Answer::Hangs);
    let deadline = Deadline::after(Limit::secs(1200));
    let begun = Instant::now();
    let error = prepare(&client, "n", None, deadline).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read namespace n: the API server has not answered for 1m 30s"
    );
    let probe = job().probe();
    let error = pod_default(&client, "n", &probe, deadline).await;
    assert!(matches!(error, Err(NotebookError::Silent { .. })));
    let error = job().create(&client).await;
    assert!(matches!(error, Err(NotebookError::Silent { .. })));
    // The last one takes back what may have been made, and that hangs as well.
    assert_eq!(begun.elapsed().as_secs(), 3 * 90 + 10);
}

/// Whoever is killed between two requests leaves nothing that stays: what is made after the Job belongs to it.
#[tokio::test(start_paused = true)]
async fn the_job_is_made_first_and_owns_its_config_maps() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let client = server_of_bodies(move |request, body| {
        seen.lock()
            .unwrap()
            .push((request.uri().path().to_owned(), body));
        Answer::Is(json!({"metadata": {"name": "j", "uid": "u1"}}))
    });
    job().create(&client).await.unwrap();
    let requests = requests.lock().unwrap();
    assert!(requests[0].0.ends_with("/jobs"), "{}", requests[0].0);
    assert!(requests.len() > 1);
    for (path, body) in &requests[1..] {
        assert!(path.ends_with("/configmaps"), "{path}");
        assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "u1");
    }
}

#[tokio::test(start_paused = true)]
async fn the_account_default_comes_with_a_namespace_that_is_made() {
    let client = server(|request| match request.uri().path() {
        path if path.ends_with("/serviceaccounts/default") => {
            Answer::Is(json!({"metadata": {"name": "default"}}))
        }
        path if path.ends_with("/namespaces/n") => Answer::Refuses(404),
        _ => Answer::Is(json!({"metadata": {"name": "n"}})),
    });
    let deadline = Deadline::after(Limit::secs(60));
    let place = prepare(&client, "n", Some("default"), deadline)
        .await
        .unwrap();
    assert_eq!(place.service_account, "default");
    let refused = prepare(&client, "n", Some("other"), deadline).await;
    assert!(matches!(
        refused,
        Err(NotebookError::NoServiceAccount { .. })
    ));
}
