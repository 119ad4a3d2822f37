//! Integration tests: one binary, a directory per room, and `support` for what they share.
//!
//! Tests named `sandbox_*` need `e2e/sandbox/up` and `MANIFESTS_E2E_SANDBOX=1`; without them they say so and pass.

mod it {
    mod actions {
        mod chain;
        mod full_disk;
        mod release;
        mod run_sh;
        mod secrets;
        mod untrusted;
    }
    mod cluster {
        mod install_kind;
    }
    mod deploy {
        mod faults;
        mod killed;
        mod leaving;
        mod lint;
        pub(crate) mod manifests;
        mod prune;
        mod readiness;
        mod redeploy;
        mod sets;
    }
    mod doctor;
    mod faults;
    mod host {
        mod faults;
        mod ssh;
    }
    mod iam;
    mod layout;
    mod logs {
        mod gather_logs;
    }
    mod notebook {
        mod mnist;
    }
    mod provider {
        mod capacity;
        mod end;
        mod idempotence;
        mod provision_ec2;
        mod proxies;
        mod sessions;
        mod signals;
        mod teardown;
    }
    mod reap;
    mod support;
    mod threats;
}
