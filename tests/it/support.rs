//! What several tests need: the binary, the sandbox.

/// Whether the sandbox is there; says so loudly where it is not. In CI it has to be.
#[expect(dead_code, reason = "the first sandbox test uses it")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn sandbox() -> bool {
    let there = std::env::var("MANIFESTS_E2E_SANDBOX").is_ok_and(|v| v == "1");
    assert!(
        there || std::env::var("CI").is_err() || std::env::var("MANIFESTS_E2E_SANDBOX").is_ok(),
        "CI needs the sandbox: .ci/run starts it"
    );
    if !there {
        eprintln!(
            "SKIPPED: needs the sandbox; run `eval \"$(e2e/sandbox/up)\"` and set MANIFESTS_E2E_SANDBOX=1"
        );
    }
    there
}
