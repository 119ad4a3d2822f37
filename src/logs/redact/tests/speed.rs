//! How fast secrets are looked for, beside an automaton of the same forms: `e2e/bench/redaction`.

use std::{fs, io::Write as _, time::Duration};

use aho_corasick::{AhoCorasick, MatchKind};

use super::{super::*, knowing};

/// Bytes of text.
const SIZE: usize = 64 * 1024 * 1024;

/// Processor time of this thread, which a busy machine does not lengthen (`proc(5)`).
fn spent() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

fn rate(act: impl FnOnce() -> usize) -> f64 {
    let before = spent();
    std::hint::black_box(act());
    let spent = spent().saturating_sub(before);
    64.0 * 1.048_576 / spent.as_secs_f64()
}

#[test]
#[ignore = "a measurement: e2e/bench/redaction"]
fn the_ratio_to_an_automaton_is_printed() {
    let lines = (0..10_000).map(|line| {
        let id = hex::encode(rand::random::<[u8; 32]>());
        match line % 4 {
            0 => format!("2026-08-22T10:00:00Z I0822 controller.go:{line}] \"reconciling\" pod=\"kubeflow/ml-pipeline-{}\"\n", &id[..8]),
            1 => format!("2026-08-22T10:00:00Z {{\"level\":\"info\",\"msg\":\"updated the status of x-{}\",\"token\":\"none\"}}\n", &id[..8]),
            2 => format!("2026-08-22T10:00:00Z GET /api/v1/pods?labelSelector=app%3Dx 200 {line} \"Go-http-client/2.0\"\n"),
            _ => format!("2026-08-22T10:00:00Z pulled image sha256:{id}\n"),
        }
    });
    let text: Vec<u8> = lines
        .collect::<String>()
        .into_bytes()
        .into_iter()
        .cycle()
        .take(SIZE)
        .collect();
    for count in [10, 100, 1000] {
        let secrets: Vec<String> = (0..count)
            .map(|_| hex::encode(rand::random::<[u8; 16]>()))
            .collect();
        let known: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = knowing(&known);
        let all = secrets
            .iter()
            .flat_map(|secret| forms::of(secret.as_bytes(), 0));
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(all.map(|form| form.bytes))
            .unwrap();
        let ours = rate(|| redactor.bytes(&text).1);
        let theirs = rate(|| automaton.find_iter(&text).count());
        writeln!(
            std::io::stderr(),
            "{count} secrets: {ours:.0} MB/s, an automaton of their forms {theirs:.0} MB/s: {:.2}",
            ours / theirs
        )
        .unwrap();
    }
}
