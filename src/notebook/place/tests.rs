use tokio::time::Instant;

use super::*;
use crate::{
    limits::Limit,
    notebook::fake::{Answer, job, server},
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
