use super::*;

#[test]
fn the_exit_code_comes_from_the_reason_and_not_from_our_own_words() {
    let stuck = |why: Option<Why>, cause: &str| DeployError::Stuck {
        cause: cause.to_owned(),
        why,
        tree: Vec::new(),
        lasts: Duration::from_mins(8),
        is_alone: false,
    };
    for (why, cause, exit, hint) in [
        (
            Some(Why::RegistryUnreachable),
            "in any words",
            Exit::Infrastructure,
            "registry-mirrors",
        ),
        (
            Some(Why::ImageGone),
            "ImagePullBackOff (dial tcp)",
            Exit::TestFailed,
            "image-overrides",
        ),
        (
            Some(Why::NoRoom),
            "in any words",
            Exit::TestFailed,
            "larger instance type",
        ),
        (
            None,
            "ImagePullBackOff (dial tcp): Insufficient",
            Exit::TestFailed,
            "gather-logs",
        ),
    ] {
        let error = stuck(why, cause);
        assert_eq!(error.exit(), exit, "{why:?}");
        assert!(error.hint().unwrap().contains(hint), "{why:?}");
    }
}
