use std::io::Read as _;

use super::*;
use crate::{
    limits::Limit,
    logs::redact::{Marker, harvest::Secrets},
};

fn knowing(secret: &str) -> Arc<Redactor> {
    let mut secrets = Secrets::default();
    secrets.add(secret.as_bytes());
    Arc::new(Redactor::new(Marker::random(), &secrets, BTreeSet::new()))
}

fn read(path: &Path, name: &str) -> String {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive
        .by_name(name)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn soon() -> Deadline {
    Deadline::after(Limit::secs(10))
}

#[tokio::test]
async fn files_are_clean_and_the_manifest_tells_what_is_there_and_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(dir.path(), "b", &Run::random()).unwrap();
    let redactor = knowing("hunter2-hunter2");
    bundle
        .add_text(
            "a/System:x.yaml",
            "key: hunter2-hunter2".to_owned(),
            &redactor,
        )
        .await;
    bundle
        .add_text("a/system:x.yaml", "other".to_owned(), &redactor)
        .await;
    bundle.missing(Gap {
        file: "kind/".into(),
        error: "no kind".into(),
    });
    let (path, entries) = bundle.finish(soon()).await.unwrap();
    assert!(read(&path, "a/System:x.yaml").starts_with("key: <redacted len=15 id="));
    let manifest: serde_json::Value = serde_json::from_str(&read(&path, "MANIFEST.json")).unwrap();
    assert_eq!(manifest["files"].as_array().unwrap().len(), 3);
    assert_eq!(entries.len(), 3);
    let first = entries
        .iter()
        .find(|entry| entry.file == "a/System:x.yaml")
        .unwrap();
    assert_eq!(first.redactions, 1);
    assert!(
        entries
            .iter()
            .any(|entry| entry.error.as_deref() == Some("no kind"))
    );
    assert!(!dir.path().join("b.zip.partial").exists());
}

#[tokio::test]
async fn a_bundle_is_whole_when_the_gathering_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = Bundle::create(dir.path(), "b", &Run::random()).unwrap();
    let redactor = knowing("x");
    bundle.add_text("one.txt", "1".to_owned(), &redactor).await;
    // Given up by a signal or a deadline, in the middle of a collector that hangs.
    let gathering = async move {
        let _bundle = bundle;
        std::future::pending::<()>().await;
    };
    drop(tokio::time::timeout(std::time::Duration::from_millis(50), gathering).await);
    let path = dir.path().join("b.zip");
    assert_eq!(read(&path, "one.txt"), "1");
    assert!(read(&path, "MANIFEST.json").contains("one.txt"));
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Bundle::create(&file.join("sub"), "b", &Run::random()).unwrap_err();
    assert_eq!(error.exit(), Exit::Infrastructure);
}
