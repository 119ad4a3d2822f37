use super::{facts::ConfigFacts, *};

#[test]
fn a_port_that_is_taken_is_told_from_a_name_that_is() {
    let port = |said: &str| matches!(not_created("c", said.to_owned()), KindError::Port { .. });
    assert!(port(
        "Bind for 127.0.0.1:6443 failed: port is already allocated"
    ));
    assert!(port(
        "listen tcp4 127.0.0.1:6443: bind: address already in use"
    ));
    assert!(!port(
        "ERROR: Conflict. The container name \"/c\" is already in use"
    ));
}

#[test]
fn the_template_takes_workers_and_stays_on_the_loopback() {
    let made = config(None, 2).unwrap();
    assert_eq!(ConfigFacts::of(&made).nodes, 3);
    assert!(made.contains("serializeImagePulls: false"));
    assert_eq!(made.matches("event-ttl").count(), 2);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kind.yaml");
    std::fs::write(&file, "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnetworking: {apiServerAddress: 0.0.0.0}\n").unwrap();
    let made = config(Some(&file), 0).unwrap();
    assert!(
        made.contains("apiServerAddress: 127.0.0.1") && !made.contains("0.0.0.0"),
        "{made}"
    );
    assert_eq!(ConfigFacts::of(&made).nodes, 1);
}

#[test]
fn a_configuration_is_read_as_any_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kind.yaml");
    let text = "kind: Cluster\nnodes:\n- &node {role: worker, labels: {on: 'yes'}}\n- {<<: *node, role: control-plane}\n\
                networking: {disableDefaultCNI: no}\n";
    std::fs::write(&file, format!("\u{feff}{text}")).unwrap();
    let made = yaml::one(&config(Some(&file), 0).unwrap()).unwrap();
    assert_eq!(
        made["nodes"][1],
        json!({"role": "control-plane", "labels": {"true": "yes"}})
    );
    assert_eq!(made["networking"]["disableDefaultCNI"], false);
    std::fs::write(&file, format!("{text}networking: {{}}\n")).unwrap();
    let reason = config(Some(&file), 0).unwrap_err().reason;
    let expected = format!(
        "{}:6: the key `networking` is there already, in line 5",
        file.display()
    );
    assert_eq!(reason, expected);
}

#[test]
fn refuses_what_is_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kind.yaml");
    for text in ["kind: Pod", "- a", "kind: [", "kind: Cluster\nnodes: 3"] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(
            config(Some(&file), 0).unwrap_err().input,
            "config",
            "{text}"
        );
    }
    assert!(config(Some(&dir.path().join("absent")), 0).is_err());
}

#[test]
fn mirrors_are_told_per_registry() {
    let lines = [
        "docker.io=https://mirror.gcr.io",
        "docker.io=https://b/v2/hub",
        "http://10.99.0.1:5000/",
    ];
    let made = mirrors(&lines.map(str::to_owned)).unwrap();
    assert_eq!(made[0].0, "docker.io");
    assert_eq!(
        made[0].1,
        "[host.\"https://mirror.gcr.io\"]\n  capabilities = [\"pull\", \"resolve\"]\n\
         [host.\"https://b/v2/hub\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n"
    );
    assert_eq!(made[1].0, "_default");
    assert!(made[1].1.starts_with("[host.\"http://10.99.0.1:5000\"]"));
    for bad in ["mirror.gcr.io", "docker.io=", "../x=https://a", "ftp://a"] {
        assert!(mirrors(&[bad.to_owned()]).is_err(), "{bad}");
    }
}
