//! Integration tests: one binary, a file per room.
//!
//! Tests named `sandbox_*` need `e2e/sandbox/up` and `MANIFESTS_E2E_SANDBOX=1`; without them they say so and pass.

mod it {
    mod aws;
    mod capacity;
    mod chain;
    mod deploy_faults;
    mod deploy_leaving;
    mod deploy_manifests;
    mod deploy_sets;
    mod doctor;
    mod end;
    mod faults;
    mod full_disk;
    mod gather_logs;
    mod github;
    mod host;
    mod host_faults;
    mod iam;
    mod idempotence;
    mod install_kind;
    mod layout;
    mod lint;
    mod provision_ec2;
    mod proxy;
    mod prune;
    mod reap;
    mod redeploy;
    mod redeploy_killed;
    mod run_mnist_notebook_job;
    mod run_sh;
    mod secrets;
    mod sessions;
    mod sets;
    mod signals;
    mod step;
    mod support;
    mod teardown;
    mod threats;
    mod untrusted;
}
