//! A release that does not come to its end: nothing of it is left.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{BUILD, Clone, said};
use crate::it::support::aws::eventually;

#[test]
fn a_branch_that_cannot_move_stays_without_a_tag() {
    let clone = Clone::new();
    let changes = BUILD.replace("mkdir -p", "echo changed >\"$CLONE\"\nmkdir -p");
    clone.write("e2e/release-build", &changes);
    clone.git(&["commit", "--quiet", "--all", "--message", "Change a file"]);
    let before = clone.git(&["rev-parse", "HEAD"]);

    let output = clone
        .prepared("e2e/release", &["0.2.0"])
        .env("CLONE", clone.path("README.md"))
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let why = "main stays as it was, since git refused to move it";
    assert!(said(&output).contains(why), "{}", said(&output));
    assert_eq!(clone.git(&["rev-parse", "HEAD"]), before);
    assert_eq!(clone.git(&["tag"]), "");
}

#[test]
fn a_release_that_is_told_to_end_ends_at_once_and_leaves_nothing() {
    let clone = Clone::new();
    let slow = BUILD.replace("mkdir -p", "touch \"$BUILDING\"; sleep 60\nmkdir -p");
    clone.write("e2e/release-build", &slow);
    clone.git(&["commit", "--quiet", "--all", "--message", "Be slow"]);
    let building = clone.path("target-of-the-build");
    let mut release = clone
        .prepared("e2e/release", &["0.2.0"])
        .env("BUILDING", &building)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("a build", Duration::from_secs(30), || {
        building.exists().then_some(())
    });

    let asked = Instant::now();
    kill_process(Pid::from_child(&release), Signal::TERM).unwrap();

    assert_eq!(release.wait().unwrap().code(), Some(143));
    assert!(asked.elapsed() < Duration::from_secs(30));
    assert_eq!(clone.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(clone.git(&["tag"]), "");
    assert_eq!(fs::read_dir(clone.dir.path()).unwrap().count(), 1);
}
