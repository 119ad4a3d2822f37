use std::path::Path;

use super::*;
use crate::record::{ClusterRecord, HostKind, HostRecord, Launch, Record, RecordError};

pub(super) fn context(dir: &Path) -> Context {
    let env = Environment::default();
    Context {
        files: Files::new(&env),
        env,
        store: Store::open_in(dir.to_owned(), None).unwrap(),
        job_key: None,
        deadline: Deadline::after(crate::limits::Limit::secs(9)),
        cancelled: Cancel::default(),
        writes: false,
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

/// What a stage says that it leaves, when it fails before or after its first write to the cluster.
async fn left_by(stage: Stage, writes: bool, exit: Exit, note: fn(&mut Record)) -> Leftover {
    let dir = tempfile::tempdir().unwrap();
    let mut context = context(dir.path());
    context.store.update(note).unwrap();
    let result = carry_out(stage, &mut context, async |context| {
        context.writes = writes;
        Err(Failure::new(exit, "it failed"))
    })
    .await;
    result.unwrap_err().leftover
}

#[tokio::test]
async fn teardown_is_said_to_find_only_what_this_job_has_made() {
    let nothing = |_: &mut Record| {};
    let host = |record: &mut Record| {
        record.host = Some(HostRecord {
            kind: HostKind::Local,
            address: String::new(),
            port: 0,
            user: String::new(),
            private_key: None,
            host_key: None,
        });
    };
    let cluster = |record: &mut Record| {
        record.cluster = Some(ClusterRecord {
            name: "a".to_owned(),
            kubeconfig: "a".into(),
            context: "kind-a".to_owned(),
            tunnel: None,
            mirrors: Vec::new(),
        });
    };
    let launch = |record: &mut Record| {
        record.launch = Some(Launch {
            provider: "ec2".to_owned(),
            region: None,
            nonce: None,
            instance_id: None,
            security_group_id: None,
            expires_at: None,
            attempts: Vec::new(),
        });
    };
    for stage in [
        Stage::DeployManifests,
        Stage::RunMnistNotebookJob,
        Stage::GatherLogs,
    ] {
        for exit in [Exit::TestFailed, Exit::Infrastructure, Exit::TimeLimit] {
            for note in [host as fn(&mut Record), cluster, launch] {
                assert_eq!(left_by(stage, true, exit, note).await, Leftover::Tagged);
            }
            let left = left_by(stage, true, exit, nothing).await;
            assert_eq!(left, Leftover::Applied, "{stage:?} {exit:?}");
            // Such as a server that cannot be asked what it serves.
            let left = left_by(stage, false, exit, nothing).await;
            assert_eq!(left, Leftover::None, "{stage:?} {exit:?}");
        }
        let left = left_by(stage, false, Exit::BadInput, host).await;
        assert_eq!(left, Leftover::None, "{stage:?}");
    }
    let left = left_by(Stage::InstallKind, false, Exit::Infrastructure, nothing).await;
    assert_eq!(left, Leftover::Unknown);
}

#[tokio::test]
async fn a_cancelled_deploy_leaves_what_it_applied() {
    let dir = tempfile::tempdir().unwrap();
    let mut context = context(dir.path());
    let cancel = context.cancelled.clone();
    let result = carry_out(Stage::DeployManifests, &mut context, async |context| {
        context.writes = true;
        cancel.signal();
        std::future::pending().await
    })
    .await;
    let failure = result.unwrap_err();
    assert_eq!(failure.exit, Exit::Cancelled);
    assert_eq!(failure.leftover, Leftover::Applied);
}

#[test]
fn a_job_has_failed_where_its_status_or_its_record_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut context = context(dir.path());
    let failed = |context: &mut Context, status: &str| {
        context.env.set("JOB_STATUS", status);
        context.job_failed()
    };
    assert!(failed(&mut context, "failure"));
    // As within a composite action of somebody else, whatever has failed before.
    assert!(!failed(&mut context, "success"));
    let stage = serde_json::json!({"stage": "deploy-manifests", "started": "2026-11-21T12:00:00Z", "exit": 1});
    let stage = serde_json::from_value(stage).unwrap();
    context
        .store
        .update(|record| record.stages.push(stage))
        .unwrap();
    assert!(failed(&mut context, "success"));
    assert!(!failed(&mut context, "cancelled"));
}
