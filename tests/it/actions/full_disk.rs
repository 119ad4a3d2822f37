//! A runner whose disk is full: the file and the remedy are named, nothing is green, nothing stays.

use std::{path::PathBuf, process::Command, time::Duration};

use serde_json::json;

use crate::it::support::{
    Lane,
    aws::{Job, eventually, fault, left},
    sandbox,
};

/// A megabyte of disk at a place, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn at(place: PathBuf) -> Self {
        std::fs::create_dir_all(&place).expect("a directory can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"]);
        assert!(mount.arg(&place).status().is_ok_and(|done| done.success()));
        Self(place)
    }

    fn fill(&self) {
        let error = std::fs::write(self.0.join("fill"), vec![0; 2 << 20]).expect_err("it is full");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn outputs_that_cannot_be_set_are_no_pass_and_the_file_is_named() {
    let job = Job::new().with("GITHUB_OUTPUT", "/dev/full");
    job.step(&["gather-logs", "--timeout=1m"])
        .exits(3)
        .says("cannot set the outputs of this step: /dev/full: No space left on device")
        .says("the disk is full");
}

#[test]
fn sandbox_a_bundle_that_finds_no_room_is_said_in_words_of_our_own() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    let disk = Disk::at(job.path("out"));
    disk.fill();
    let output = format!("--output={}", disk.0.display());
    let step = job.step(&["gather-logs", "--timeout=1m", &output]).exits(3);
    let step = step.says("cannot write the bundle").says("set `output`");
    assert!(!step.said.contains("ZipWriter"), "{}", step.said);
    let kept = std::fs::read_dir(&disk.0).unwrap().count();
    assert_eq!(kept, 1, "half a bundle was left");
}

#[test]
fn sandbox_a_launch_whose_record_finds_no_room_is_ended() {
    let Some(_turn) = sandbox(Lane::Cloud) else {
        return;
    };
    let job = Job::new();
    let disk = Disk::at(job.path("manifests-e2e"));
    fault(
        json!({"action": "RunInstances", "delay": 2, "times": 1, "match": {}}),
        &job.tag(),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // While the answer is awaited: later, what the product itself removes makes room for what it writes.
            eventually("the launch", Duration::from_mins(1), || {
                let record = job.record();
                let step = record["steps"].as_array()?.last()?;
                (step["name"] == "RunInstances").then_some(())
            });
            disk.fill();
        });
        job.step(&["provision-ec2"])
            .exits(3)
            .says("manifests-e2e/record.json")
            .says("the disk is full");
    });
    job.step(&["teardown", "--region=us-east-1"])
        .exits(0)
        .says("record.json: No space left on device");
    assert_eq!(left(&job.tag()), Vec::<String>::new());
}
