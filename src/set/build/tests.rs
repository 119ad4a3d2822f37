use super::*;
use crate::limits::Limit;

#[test]
fn a_line_is_what_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("kustomization.yaml"), "").unwrap();
    std::fs::write(at("a.yaml"), "").unwrap();
    let root = dir.path().to_owned();
    for (line, expected) in [
        (at(""), Source::Directory(PathBuf::from(at("")))),
        (at("kustomization.yaml"), Source::Directory(root)),
        (at("a.yaml"), Source::File(PathBuf::from(at("a.yaml")))),
        (
            "https://example.org/x/release.yaml?raw=1".to_owned(),
            Source::Download("https://example.org/x/release.yaml?raw=1".to_owned()),
        ),
        (
            "https://example.org/x//base?ref=v1".to_owned(),
            Source::Remote("https://example.org/x//base?ref=v1".to_owned()),
        ),
        (
            "github.com/a/b//c?ref=v1".to_owned(),
            Source::Remote("github.com/a/b//c?ref=v1".to_owned()),
        ),
    ] {
        assert_eq!(source(&line).unwrap(), expected, "{line}");
    }
    let error = sources(&[at("b.yaml")]).unwrap_err();
    assert_eq!(error.exit(), Exit::BadInput);
    assert!(
        error.to_string().contains("b.yaml` do not exist"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_network_is_tried_again_and_at_most_three_times() {
    let tries = std::cell::Cell::new(0);
    let deadline = Deadline::after(Limit::secs(600));
    let failing = || {
        tries.set(tries.get() + 1);
        async { Err(Attempt::Network("early EOF".to_owned())) }
    };
    let error = attempts("x", deadline, failing).await.unwrap_err();
    assert_eq!((tries.get(), error.exit()), (3, Exit::Infrastructure));
    tries.set(0);
    let refused = || {
        tries.set(tries.get() + 1);
        async { Err(Attempt::Final(BuildError::Missing("x".to_owned()))) }
    };
    assert!(attempts("x", deadline, refused).await.is_err());
    assert_eq!(tries.get(), 1);
}
