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
    mod commands;
    mod deploy {
        mod faults;
        mod killed;
        mod leaving;
        mod lint;
        pub(crate) mod manifests;
        mod prune;
        mod readiness;
        mod recreate;
        mod redeploy;
        mod rights;
        mod sets;
        mod yaml;
    }
    mod doctor;
    mod faults;
    mod history;
    mod host {
        mod faults;
        mod ssh;
    }
    mod iam;
    mod layout;
    mod logs {
        mod corpus;
        mod gather_logs;
    }
    mod notebook {
        mod driver;
        mod forward;
        mod mnist;
        mod runner;
        mod source;
    }
    mod provider {
        mod capacity;
        mod end;
        mod idempotence;
        mod lost;
        mod provision_ec2;
        mod proxies;
        mod scope;
        mod sessions;
        mod signals;
        mod teardown;
    }
    mod plan;
    mod publish;
    mod reap;
    mod support;
    mod threats;
}
