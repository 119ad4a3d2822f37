//! What stages and `gather-logs` really leave is what is told.

use std::fs;

use manifests_e2e::stages::Stage;

use super::{super::support::github::forge::Forge, HEAD, Job};

#[test]
fn what_stages_and_gather_logs_leave_is_what_is_told() {
    let forge = Forge::with(HEAD);
    let job = Job::on(&forge);
    let here = |name: &str| job.dir.path().join(name).display().to_string();
    let (kubeconfig, manifest) = (here("kubeconfig"), here("manifest.yaml"));
    let nobody = "{apiVersion: v1, kind: Config, current-context: a, users: [{name: a, user: {}}], \
                  clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}], contexts: [{name: a, context: {cluster: a, user: a}}]}";
    fs::write(&kubeconfig, nobody).unwrap();
    let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}";
    fs::write(&manifest, object).unwrap();
    let cluster = [
        ("INPUT_KUBECONFIG", kubeconfig.as_str()),
        ("INPUT_TIMEOUT", "3s"),
    ];
    let deployed = job.step(
        Stage::DeployManifests,
        &[cluster.as_slice(), &[("INPUT_MANIFESTS", &manifest)]].concat(),
    );
    assert_eq!(deployed, Some(3), "nobody is there");
    assert_eq!(job.step(Stage::GatherLogs, &cluster), Some(0));
    // This job, by its record; then one of its own, by the bundle.
    let gathered = job.dir.path().join("manifests-e2e/gathered");
    let mut bundles = fs::read_dir(gathered)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let bundle = bundles
        .find(|path| path.extension().is_some_and(|end| end == "zip"))
        .unwrap();
    let other = Job::on(&forge).run_of(43);
    let copy = other.dir.path().join("downloaded.zip");
    fs::copy(bundle, &copy).unwrap();
    let other = other.with("INPUT_BUNDLE", copy.to_str().unwrap());
    for job in [job, other] {
        let told = job.run().passed();
        assert_eq!(
            told.outputs["told"], "status,check,comment",
            "{}",
            told.said
        );
        let said = "not the change's fault: deploy-manifests: cannot reach the cluster at https://127.0.0.1:9";
        assert!(
            told.outputs["description"].starts_with(said),
            "{:?}",
            told.outputs
        );
    }
    let repository = forge.repository();
    assert!(
        repository
            .statuses
            .iter()
            .all(|one| one["state"] == "error")
    );
    assert_eq!((repository.comments.len(), repository.checks.len()), (1, 2));
}
