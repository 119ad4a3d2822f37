//! A runner that reaches the world through a proxy alone.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::it::{
    deploy::manifests::{manifests, said},
    support::{Lane, binary, cluster, sandbox},
};

#[test]
fn aws_is_asked_through_the_proxy_of_the_environment() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://u:p@{}", proxy.local_addr().unwrap());
    let (asked, first) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head = lines.by_ref().map_while(Result::ok);
            let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").ok();
            asked.send(head).ok();
        }
    });
    let state = tempfile::tempdir().unwrap();
    let mut reap = Command::new(binary())
        .args([
            "reap",
            "--repositories=o/r",
            "--regions=us-east-1",
            "--timeout=5s",
        ])
        .env_clear()
        .env("RUNNER_TEMP", state.path())
        .env("HTTPS_PROXY", &url)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let head = first.recv_timeout(Duration::from_secs(5));
    reap.kill().unwrap();
    reap.wait().unwrap();
    let head = head.unwrap();
    let is_ec2 = head[0].starts_with("CONNECT ec2.us-east-1.amazonaws.com:443 ");
    assert!(is_ec2, "{head:?}");
    let is_signed_in = head
        .iter()
        .any(|line| line.eq_ignore_ascii_case("proxy-authorization: Basic dTpw"));
    assert!(is_signed_in, "{head:?}");
}

/// The end of a tunnel is on this machine, whatever the proxy is.
#[test]
fn sandbox_a_cluster_on_this_machine_is_asked_past_a_proxy() {
    let Some(_turn) = sandbox(Lane::Cluster) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let (_dir, argument) = manifests(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: past-a-proxy, namespace: default}}",
    );
    let output = Command::new(binary())
        .args(["deploy-manifests", &argument, "--dry-run", "--timeout=30s"])
        .arg(format!("--kubeconfig={}", cluster().display()))
        .env("RUNNER_TEMP", state.path())
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
