use super::*;

#[tokio::test]
async fn a_panic_ends_its_stage_and_not_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let env = Environment::default();
    let mut context = Context {
        files: Files::new(&env),
        env,
        store: Store::open_in(dir.path().to_owned(), None).unwrap(),
        job_key: None,
        deadline: Deadline::after(crate::limits::Limit::secs(9)),
        cancelled: Cancel::default(),
    };
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
