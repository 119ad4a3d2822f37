use serde_json::{Value, json};

use super::*;

fn pod(status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "name": "p" },
        "spec": { "containers": [{ "name": "test" }, { "name": "keeper" }] },
        "status": status,
    }))
    .unwrap()
}

fn test_in(state: &Value) -> Value {
    json!({ "name": "test", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state })
}

fn job(status: &Value) -> Job {
    serde_json::from_value(json!({ "metadata": { "name": "j" }, "status": status })).unwrap()
}

fn of_pod(status: &Value) -> State {
    judge(Some(&pod(status)), Some(&job(&json!({}))), true, &[])
}

#[test]
fn the_exit_code_counts_while_the_keeper_still_runs() {
    let ended =
        json!({ "terminated": { "exitCode": 7, "reason": "Error", "message": "cell 3: no\n" } });
    let State::Ended(ended) =
        of_pod(&json!({ "phase": "Running", "containerStatuses": [test_in(&ended)] }))
    else {
        panic!("not ended");
    };
    assert_eq!((ended.code, ended.message.as_str()), (7, "cell 3: no"));
}

#[test]
fn a_pod_that_was_stopped_is_lost_and_no_failed_test() {
    let killed = test_in(&json!({ "terminated": { "exitCode": 137 } }));
    for status in [
        json!({ "reason": "Evicted", "message": "low on memory", "containerStatuses": [killed] }),
        json!({ "conditions": [{ "type": "DisruptionTarget", "status": "True", "reason": "Evicted" }],
                "containerStatuses": [killed] }),
    ] {
        let State::Lost(why) = of_pod(&status) else {
            panic!("not lost")
        };
        assert!(why.contains("Evicted"), "{why}");
    }
    for reason in ["Unknown", "ContainerStatusUnknown"] {
        let rebooted = test_in(&json!({ "terminated": { "exitCode": 255, "reason": reason } }));
        let State::Lost(why) = of_pod(&json!({ "containerStatuses": [rebooted] })) else {
            panic!("not lost")
        };
        assert!(why.contains("began anew"), "{why}");
    }
    let mut deleted = pod(&json!({ "containerStatuses": [killed] }));
    deleted.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
    assert!(matches!(
        judge(Some(&deleted), None, true, &[]),
        State::Lost(_)
    ));
}

#[test]
fn a_pod_or_job_that_is_gone_is_lost() {
    let there = job(&json!({}));
    assert!(matches!(
        judge(None, Some(&there), true, &[]),
        State::Lost(_)
    ));
    assert!(matches!(judge(None, None, false, &[]), State::Lost(_)));
    assert!(matches!(
        judge(None, Some(&there), false, &[]),
        State::Waiting(_)
    ));
    let failed = json!({ "conditions": [{ "type": "Failed", "status": "True", "reason": "DeadlineExceeded" }] });
    let State::Lost(why) = judge(None, Some(&job(&failed)), false, &[]) else {
        panic!("not lost")
    };
    assert!(why.contains("DeadlineExceeded"), "{why}");
}

#[test]
fn an_image_that_is_not_there_is_given_up_sooner_than_a_slow_registry() {
    let pull = |reason: &str, message: &str| {
        let waiting = test_in(&json!({ "waiting": { "reason": reason, "message": message } }));
        match of_pod(&json!({ "phase": "Pending", "containerStatuses": [waiting] })) {
            State::Trouble(trouble) => trouble,
            other => panic!("{other:?}"),
        }
    };
    let absent = pull(
        "ErrImagePull",
        "failed to resolve reference \"x/i:1\": x/i:1: not found",
    );
    assert_eq!(
        (absent.what.as_str(), absent.patience.as_secs()),
        ("cannot pull image i", 30)
    );
    assert_eq!(
        pull("ErrImagePull", "dial tcp: i/o timeout")
            .patience
            .as_secs(),
        180
    );
    let unknown = pull(
        "ImagePullBackOff",
        "Back-off pulling image \"x\": ErrImagePull: lookup x: no such host",
    );
    assert_eq!(unknown.patience.as_secs(), 60);
    assert_eq!(unknown.reason, "lookup x: no such host");
    assert_eq!(pull("InvalidImageName", "bad").patience.as_secs(), 0);
    assert!(pull("ImagePullBackOff", "Back-off pulling image \"i\"").vague);
    assert!(
        !pull(
            "ImagePullBackOff",
            "Back-off pulling image \"i\": ErrImagePull: not found"
        )
        .vague
    );
}

fn waits_for(pod: Option<&Pod>, job: &Job, warnings: &[&str]) -> String {
    let warnings: Vec<String> = warnings.iter().map(|it| (*it).to_owned()).collect();
    match judge(pod, Some(job), false, &warnings) {
        State::Waiting(what) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_holds_a_test_back_is_said() {
    let suspended = |labels: &Value| {
        let object = json!({ "metadata": { "name": "j", "labels": labels }, "spec": { "suspend": true, "template": {} } });
        waits_for(None, &serde_json::from_value(object).unwrap(), &[])
    };
    let kueue = suspended(&json!({ "kueue.x-k8s.io/queue-name": "gpus" }));
    assert!(
        kueue.contains("suspended: Kueue") && kueue.contains("queue gpus"),
        "{kueue}"
    );
    assert!(suspended(&json!({})).contains("not by us"));
    let mut held = pod(&json!({ "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked" } ] }));
    let gates = serde_json::from_value(json!([{ "name": "example.com/budget" }])).unwrap();
    held.spec.as_mut().unwrap().scheduling_gates = gates;
    let words = waits_for(Some(&held), &job(&json!({})), &[]);
    assert!(
        words.contains("held back by the scheduling gate example.com/budget"),
        "{words}"
    );
}

#[test]
fn what_was_warned_of_last_is_what_a_pod_waits_for() {
    let scheduled = pod(
        &json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "True" }] }),
    );
    let warnings = [
        "FailedMount: secret \"a\" not found",
        "FailedCreatePodSandBox: no network",
    ];
    let words = waits_for(Some(&scheduled), &job(&json!({})), &warnings);
    assert!(
        words.ends_with("; the last warning: FailedCreatePodSandBox: no network"),
        "{words}"
    );
}

#[test]
fn what_the_controller_may_not_create_is_told() {
    let there = job(&json!({}));
    let warn = |text: &str| match judge(None, Some(&there), false, &[text.to_owned()]) {
        State::Trouble(trouble) => trouble,
        other => panic!("{other:?}"),
    };
    let quota = warn("FailedCreate: Error creating: pods \"x\" is forbidden: exceeded quota: q");
    assert!(quota.reason.starts_with("Error creating") & quota.hint.contains("quota"));
    assert!(
        warn("FailedCreate: violates PodSecurity \"restricted\"")
            .patience
            .is_zero()
    );
}

#[test]
fn an_old_sidecar_has_to_be_told_and_a_native_one_not() {
    let status =
        json!({ "containerStatuses": [test_in(&json!({ "terminated": { "exitCode": 0 } }))] });
    let mut with = pod(&status);
    let sidecar = serde_json::from_value(json!({ "name": "istio-proxy" })).unwrap();
    with.spec.as_mut().unwrap().containers.push(sidecar);
    for (pod, told) in [(with, true), (pod(&status), false)] {
        let State::Ended(ended) = judge(Some(&pod), None, true, &[]) else {
            panic!("not ended")
        };
        assert_eq!(ended.sidecar, told);
    }
}
