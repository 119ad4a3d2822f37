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
