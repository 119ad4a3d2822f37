//! Where a release comes from, and what becomes of one that is not what the commit says.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Checkout, VERSION, checkout::line, program, serve, stderr, stdout};

/// The part of an asset's address that follows the place of the releases.
fn below() -> String {
    format!("/v{VERSION}/{}", Checkout::asset())
}

#[test]
fn a_release_is_fetched_once_and_verified() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));

    let first = checkout.run(&[]);
    fs::remove_dir_all(checkout.path("releases")).unwrap();
    let second = checkout.run(&[]);

    assert_eq!(stdout(&first), "released 3 teardown --scope a b\n");
    assert_eq!(stdout(&second), stdout(&first));
    assert_eq!(second.status.code(), Some(7));
}

#[test]
fn a_release_with_another_hash_is_deleted_and_never_run() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    checkout.release(&program("another"));

    let output = checkout.run(&[]);

    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stdout(&output), "");
    let failure = checkout.output("failure");
    assert!(
        failure.ends_with("is not what actions/checksums.txt says"),
        "{failure}"
    );
    let folder = checkout.cached();
    assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn a_cached_binary_with_a_flipped_byte_is_fetched_again() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    checkout.run(&[]);
    let mut bytes = fs::read(checkout.cached()).unwrap();
    // Still a program: `released` becomes `rdleased`.
    let at = bytes
        .windows(8)
        .position(|word| word == b"released")
        .unwrap()
        + 1;
    bytes[at] ^= 1;
    fs::write(checkout.cached(), &bytes).unwrap();

    let output = checkout.run(&[]);

    assert_eq!(stdout(&output), "released 3 teardown --scope a b\n");
    assert_eq!(
        fs::read(checkout.cached()).unwrap(),
        program("released").as_bytes()
    );
}

#[test]
fn a_tool_cache_that_cannot_be_written_to_is_passed_over() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    // Root may write to every directory, but to none below a file.
    fs::write(checkout.path("cache"), "").unwrap();

    let output = checkout.run(&[]);

    assert_eq!(stdout(&output), "released 3 teardown --scope a b\n");
    assert!(
        checkout
            .path("temporary/manifests-e2e")
            .join(VERSION)
            .is_dir()
    );
}

#[test]
fn a_cached_binary_that_cannot_be_executed_is_put_there_anew() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    checkout.run(&[]);
    fs::set_permissions(checkout.cached(), fs::Permissions::from_mode(0o644)).unwrap();

    let output = checkout.run(&[]);

    assert_eq!(stdout(&output), "released 3 teardown --scope a b\n");
}

#[test]
fn a_disk_without_room_is_passed_over_and_named_where_there_is_no_other() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));
    // What curl says where it cannot write.
    let full = |where_full: &str| {
        let curl = format!(
            "#!/bin/bash\ncase \"$*\" in *{where_full}*) exit 23 ;; esac\nPATH=${{PATH#*:}} exec curl \"$@\"\n"
        );
        checkout.program("curl", &curl)
    };

    let one = checkout.run(&[("PATH", &full("/cache/"))]);
    let none = checkout.run(&[
        ("PATH", &full("manifests-e2e")),
        ("RUNNER_TEMP", &checkout.path("other")),
    ]);

    assert_eq!(stdout(&one), "released 3 teardown --scope a b\n");
    assert_eq!(none.status.code(), Some(3));
    assert!(
        stderr(&none).contains("has no room for the binary"),
        "{}",
        stderr(&none)
    );
    assert!(!stderr(&none).contains("cannot fetch"));
}

#[test]
fn a_commit_without_a_checksum_for_this_machine_fetches_nothing() {
    let checkout = Checkout::of_release();
    checkout.pin(
        &checkout
            .release(&program("released"))
            .replace("-linux", "-other"),
    );

    let output = checkout.run(&[]);

    assert_eq!(output.status.code(), Some(2));
    assert!(
        checkout
            .output("failure")
            .starts_with("this commit has no checksum of")
    );
}

#[test]
fn a_place_that_has_no_release_is_named_with_the_ways_around_it() {
    let checkout = Checkout::of_release();
    checkout.pin(&line(&program("released")));
    let (address, asked) = serve(|_| (404, "not here".to_owned()));
    let mirror = format!("http://{address}/mirror/");

    let output = checkout.run(&[("MANIFESTS_E2E_RELEASES", Path::new(&mirror))]);

    assert_eq!(output.status.code(), Some(3));
    // Once: what is not there is not there a second later.
    assert_eq!(*asked.lock().unwrap(), [format!("/mirror{}", below())]);
    let said = stderr(&output);
    for way in [
        &format!("http://{address}/mirror"),
        "https_proxy",
        "MANIFESTS_E2E_RELEASES",
        "`binary`",
    ] {
        assert!(said.contains(way), "{way}: {said}");
    }
}

#[test]
fn a_server_that_is_overloaded_is_asked_again() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let checkout = Checkout::of_release();
    checkout.pin(&line(&program("mirrored")));
    let (address, _) = serve(|_| match ASKED.fetch_add(1, Ordering::SeqCst) {
        0 => (503, "later".to_owned()),
        _ => (200, program("mirrored")),
    });
    let mirror = format!("http://{address}");

    let output = checkout.run(&[("MANIFESTS_E2E_RELEASES", Path::new(&mirror))]);

    assert_eq!(stdout(&output), "mirrored 3 teardown --scope a b\n");
}

#[test]
fn a_release_is_fetched_through_the_proxy_of_the_environment() {
    let checkout = Checkout::of_release();
    checkout.pin(&line(&program("proxied")));
    let (address, asked) = serve(|_| (200, program("proxied")));
    let proxy = format!("http://{address}");

    let output = checkout.run(&[
        (
            "MANIFESTS_E2E_RELEASES",
            Path::new("http://releases.invalid/of"),
        ),
        ("http_proxy", Path::new(&proxy)),
    ]);

    assert_eq!(stdout(&output), "proxied 3 teardown --scope a b\n");
    let target = format!("http://releases.invalid/of{}", below());
    assert_eq!(*asked.lock().unwrap(), [target]);
}

#[test]
fn on_enterprise_server_its_own_releases_come_first_and_then_those_of_github() {
    let checkout = Checkout::of_release();
    checkout.pin(&line(&program("ours")));
    let (address, asked) = serve(|target| match target {
        // What it says, with the code of success, to who has not signed in.
        target if target.starts_with("/copies/") => (200, "<!DOCTYPE html>".to_owned()),
        _ => (200, program("ours")),
    });
    let server = format!("http://{address}");
    // What stands in for github.com is the proxy: nothing else than it is asked for an https address here.
    let output = checkout.run(&[
        ("MANIFESTS_E2E_RELEASES", Path::new("")),
        ("GITHUB_SERVER_URL", Path::new(&server)),
        (
            "GITHUB_ACTION_REPOSITORY",
            Path::new("copies/manifests-e2e"),
        ),
        ("https_proxy", Path::new("http://127.0.0.1:9")),
        ("PATH", &checkout.program("sleep", "#!/bin/sh\n")),
    ]);
    assert_eq!(output.status.code(), Some(3));
    let first = format!("/copies/manifests-e2e/releases/download{}", below());
    assert_eq!(*asked.lock().unwrap(), [first]);
    let said = stderr(&output);
    assert!(said.contains("answers with a web page"), "{said}");
    assert!(!said.contains("checksums"), "{said}");
    assert!(
        said.contains("127.0.0.1"),
        "github.com was not asked: {said}"
    );

    let output = checkout.run(&[
        ("MANIFESTS_E2E_RELEASES", Path::new("")),
        ("GITHUB_SERVER_URL", Path::new(&server)),
        (
            "GITHUB_ACTION_REPOSITORY",
            Path::new("signed-in/manifests-e2e"),
        ),
    ]);
    assert_eq!(stdout(&output), "ours 3 teardown --scope a b\n");
}

#[test]
fn a_cached_release_is_executable_by_its_owner_alone_to_write() {
    let checkout = Checkout::of_release();
    checkout.pin(&checkout.release(&program("released")));

    checkout.run(&[]);

    let mode = fs::metadata(checkout.cached())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
}
