use std::path::Path;

use super::*;
use crate::record::RecordError;

pub(super) fn context(dir: &Path) -> Context {
    let env = Environment::default();
    Context {
        files: Files::new(&env),
        env,
        store: Store::open_in(dir.to_owned(), None).unwrap(),
        job_key: None,
        deadline: Deadline::after(crate::limits::Limit::secs(9)),
        cancelled: Cancel::default(),
    }
}

#[tokio::test]
async fn a_panic_ends_its_stage_and_not_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut context = context(dir.path());
    let result = carry_out(Stage::GatherLogs, &mut context, async |context| {
        assert_eq!(context.run().id, "", "this is no run");
        Ok(Outputs::default())
    })
    .await;
    let failure = result.unwrap_err();
    assert_eq!(failure.exit, Exit::Bug);
    assert!(
        failure.cause.contains("this is no run"),
        "{}",
        failure.cause
    );
    assert_eq!(context.store.record().stages[0].exit, Some(101));
}

#[test]
fn a_full_disk_replaces_no_failure_and_makes_no_pass() {
    let full = || RecordError::Io {
        what: "write",
        path: "junit.xml".into(),
        source: io::ErrorKind::StorageFull.into(),
    };
    let failed = Err::<(), _>(Failure::new(Exit::TestFailed, "cell 3: ZeroDivisionError"));
    let told = own_first(failed, Err::<(), _>(full())).unwrap_err();
    assert_eq!(told.cause, "cell 3: ZeroDivisionError");
    let told = own_first(Ok(()), Err::<(), _>(full())).unwrap_err();
    assert_eq!(told.exit, Exit::Infrastructure);
    assert!(own_first(Ok(()), Ok(())).is_ok());
}

#[tokio::test]
async fn what_a_failure_is_about_is_in_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut context = context(dir.path());
    let result = carry_out(Stage::RunMnistNotebookJob, &mut context, async |_| {
        let failure = Failure::new(Exit::BadInput, "no");
        Err(failure.about(["Job n/x".to_owned()]))
    })
    .await;
    assert!(result.is_err());
    assert_eq!(context.store.record().stages[0].about, ["Job n/x"]);
}
