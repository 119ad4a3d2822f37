use super::*;
use crate::limits::Limit;
use crate::report::{Exit, Explain as _};

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

#[test]
fn what_is_not_there_is_named_in_full_and_looked_for_beside() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["src/overlay", "other/overlay", "docs"] {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    let found = below(dir.path(), Path::new("overlay"));
    assert_eq!(found, ["other", "src"]);
    assert_eq!(below(dir.path(), &dir.path().join("docs")), [""; 0]);
    let error = source("no-such-overlay").unwrap_err();
    let here = std::env::current_dir().unwrap().join("no-such-overlay");
    assert!(
        error.to_string().contains(here.to_str().unwrap()),
        "{error}"
    );
    let error = BuildError::NoFile {
        line: "overlay".to_owned(),
        path: here,
        below: found,
    };
    let hint = error.hint().unwrap();
    assert!(hint.contains("other/overlay, src/overlay"), "{hint}");
    for line in ["~/overlay", "$HOME/overlay"] {
        let hint = source(line).unwrap_err().hint().unwrap();
        assert!(hint.contains("only a shell"), "{hint}");
    }
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

/// Renders files of these contents: the result, and the paths.
async fn rendered(contents: &[&[u8]]) -> (Result<Rendered, BuildError>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = (0..contents.len())
        .map(|at| dir.path().join(format!("{at}.yaml")))
        .collect();
    for (file, content) in files.iter().zip(contents) {
        std::fs::write(file, content).unwrap();
    }
    let lines: Vec<String> = files.iter().map(|it| it.display().to_string()).collect();
    let sources = sources(&lines).unwrap();
    let deadline = Deadline::after(Limit::secs(60));
    let nothing = Path::new("/nonexistent");
    let result = render(&sources, nothing, &Environment::default(), deadline).await;
    (result, lines)
}

#[tokio::test]
async fn whatever_a_file_is_written_in_its_objects_can_be_read_again() {
    let object = |name: &str| {
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{{\"name\":\"{name}\"}}}}")
    };
    let stream = object("b") + &object("c");
    let wide: Vec<u8> = std::iter::once(0xFEFF)
        .chain("apiVersion: v1\r\nkind: A\r\nmetadata: {name: d}".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let (result, _) = rendered(&[object("a").as_bytes(), stream.as_bytes(), &wide]).await;
    let rendered = result.unwrap();
    let again = objects::read("x", &rendered.text).unwrap();
    for objects in [rendered.objects, again] {
        let names: Vec<&str> = objects.iter().map(|it| it.id.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}

#[tokio::test]
async fn what_is_wrong_with_all_files_is_told_at_once() {
    let twice = b"kind: A\napiVersion: v1\nmetadata: {name: a}\nx: 1\nx: 2\n";
    let (result, files) = rendered(&[twice, b"a: [\n", b"\n\na: \xE9\n"]).await;
    let error = result.unwrap_err();
    let expected = [
        format!(
            "{}:5 (A a): not YAML: the key `x` is there already, in line 4",
            files[0]
        ),
        format!(
            "{}:1: not YAML: did not find expected node content",
            files[1]
        ),
        format!(
            "{}:3: not YAML: it is not UTF-8: save it as UTF-8, or as UTF-16 with a byte order mark",
            files[2]
        ),
    ];
    assert_eq!(error.details(), expected);
    assert_eq!(error.to_string(), format!("{}, and 2 more", expected[0]));
    assert_eq!(error.exit(), Exit::BadInput);
}
