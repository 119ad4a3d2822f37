use std::path::Path;

use super::*;

pub(super) fn context(dir: &Path) -> Context {
    let env = Environment::default();
    Context {
        files: Files::new(&env),
        env,
        store: Store::open_in(dir.to_owned(), None).unwrap(),
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
