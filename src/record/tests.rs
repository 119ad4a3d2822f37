use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn run(id: &str) -> Run {
    Run {
        id: id.to_owned(),
        ..Run::random()
    }
}

#[test]
fn the_intent_is_on_disk_before_the_deed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
    store.intend("RunInstances", Value::from(1)).unwrap();
    let seen = Store::open_in(dir.path().to_owned(), None).unwrap();
    assert!(seen.found());
    assert!(seen.open_step("RunInstances").is_some());
    store.achieve("RunInstances", Value::from("i-1")).unwrap();
    assert!(
        Store::open_in(dir.path().to_owned(), None)
            .unwrap()
            .open_step("RunInstances")
            .is_none()
    );
}

#[test]
fn only_the_owner_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_in(dir.path().join("s"), None).unwrap();
    store.update(|_| {}).unwrap();
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(store.dir()), 0o700);
    assert_eq!(mode(&store.path("record.json")), 0o600);
}

#[test]
fn a_broken_or_foreign_record_is_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("record.json"), "{").unwrap();
    let mut store = Store::open_in(dir.path().to_owned(), Some(run("a"))).unwrap();
    assert!(!store.found());
    store.update(|_| {}).unwrap();
    let other = Store::open_in(dir.path().to_owned(), Some(run("b"))).unwrap();
    assert_eq!((other.found(), other.run().id.as_str()), (false, "b"));
    let kept = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(kept, 2);
}

#[test]
fn records_that_are_set_aside_at_once_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..50 {
        fs::write(dir.path().join("record.json"), "{").unwrap();
        Store::open_in(dir.path().to_owned(), None).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 50);
}

#[test]
fn a_laptop_keeps_its_random_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
    store.update(|_| {}).unwrap();
    let again = Store::open_in(dir.path().to_owned(), None).unwrap();
    assert_eq!(store.run(), again.run());
}

#[test]
fn an_instance_is_requested_until_there_is_an_answer_and_known_until_its_end_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open_in(dir.path().to_owned(), None).unwrap();
    let launch = serde_json::json!({"provider": "ec2", "instance_id": "i-1"});
    let token = |token: &str| serde_json::json!({"token": token});
    store.intend("RunInstances", token("refused")).unwrap();
    store.achieve("RunInstances", Value::from("no")).unwrap();
    store.intend("RunInstances", token("open")).unwrap();
    assert_eq!(store.record().requested_instances(), ["open"]);
    store
        .update(|record| record.launch = serde_json::from_value(launch).unwrap())
        .unwrap();
    let ids = serde_json::json!({"ids": ["i-1"]});
    store.intend("TerminateInstances", ids).unwrap();
    assert_eq!(store.record().requested_instances(), ["i-1", "open"]);
    store
        .achieve("TerminateInstances", Value::from(true))
        .unwrap();
    assert_eq!(store.record().requested_instances(), ["open"]);
}

#[test]
fn a_stage_has_failed_where_its_last_try_has() {
    let failed = |tries: &[Option<u8>]| {
        let stages = tries.iter().map(|exit| {
            serde_json::json!({"stage": "install-kind", "started": "2026-11-21T12:00:00Z", "exit": exit})
        });
        let record = serde_json::json!({
            "version": 1,
            "run": Run::random(),
            "stages": stages.collect::<Vec<_>>(),
        });
        let record = serde_json::from_value::<Record>(record).unwrap();
        assert!(!record.has_failed("deploy-manifests"));
        record.has_failed("install-kind")
    };
    assert!(failed(&[Some(0), Some(1)]));
    assert!(failed(&[None]), "it was killed");
    assert!(!failed(&[Some(1), Some(0)]));
    assert!(!failed(&[Some(130)]), "it was cancelled");
    assert!(!failed(&[]));
}

#[test]
fn what_two_processes_note_at_once_is_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open_in(dir.path().to_owned(), None).unwrap();
    // Both begin before there is a record.
    let mut stores = [open(), open(), open()];
    std::thread::scope(|scope| {
        for (number, store) in stores.iter_mut().enumerate() {
            scope.spawn(move || {
                let name = format!("step of {number}");
                for count in 0..40 {
                    store.intend(&name, Value::from(count)).unwrap();
                    store.achieve(&name, Value::from(count)).unwrap();
                }
            });
        }
    });
    let kept = open();
    for number in 0..3 {
        let name = format!("step of {number}");
        let of_it = kept.record().steps.iter().filter(|step| step.name == name);
        let results: Vec<_> = of_it.map(|step| step.result.clone().unwrap()).collect();
        assert_eq!(results, (0..40).map(Value::from).collect::<Vec<_>>());
    }
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "none is aside"
    );
}

#[test]
fn what_another_job_put_in_place_of_a_record_is_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = Store::open_in(dir.path().to_owned(), Some(run("a"))).unwrap();
    one.intend("of a", Value::Null).unwrap();
    let mut other = Store::open_in(dir.path().to_owned(), Some(run("b"))).unwrap();
    other.intend("of b", Value::Null).unwrap();
    one.intend("of a again", Value::Null).unwrap();
    let mut kept: Vec<Vec<String>> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .map(|bytes| serde_json::from_slice::<Record>(&bytes).unwrap())
        .map(|record| record.steps.into_iter().map(|step| step.name).collect())
        .collect();
    kept.sort();
    assert_eq!(
        kept,
        [vec!["of a"], vec!["of a", "of a again"], vec!["of b"]]
    );
}

#[test]
fn a_change_that_could_not_be_written_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("state");
    let mut store = Store::open_in(place.clone(), None).unwrap();
    store.intend("RunInstances", Value::Null).unwrap();
    fs::rename(&place, dir.path().join("away")).unwrap();
    store
        .achieve("RunInstances", Value::from("i-1"))
        .unwrap_err();
    fs::rename(dir.path().join("away"), &place).unwrap();
    store.intend("next", Value::Null).unwrap();
    let kept = Store::open_in(place, None).unwrap();
    assert!(kept.open_step("RunInstances").is_none());
}
