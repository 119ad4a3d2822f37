//! Proves a tree of Kubernetes manifests on a throw-away cluster, and leaves nothing behind.
//!
//! ```text
//! inputs → provider → host → cluster → deploy → test → logs → teardown
//!            └──── run identity in tags, recorded first ────────────↑
//! ```
//!
//! Modules in the order of the chain. Stages call rooms; rooms never call stages.
//! Only `main`, [`report`], [`progress`], [`github`] and the last words of `stages/run.rs` print; rooms speak through `tracing` and
//! [`progress::Bar`].

pub mod cli;
pub mod inputs;

pub mod record;
pub mod run;

pub mod cancel;
pub mod limits;
pub mod wait;

pub mod yaml;

pub mod stages;

pub mod provider;

pub mod host;
pub(crate) mod tools;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod kind;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod api;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod set;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod cluster;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod pod;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod ready;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod deploy;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod registry;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod status;

pub mod notebook;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod logs;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod convert;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod diagnose;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod history;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod plan;

#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod commands;
#[expect(unreachable_pub, reason = "`pub` is what a room shows to the others")]
pub(crate) mod publish;

pub(crate) mod reap;

pub(crate) mod doctor;
pub mod iam;

pub mod github;
mod http_client;
pub mod progress;
pub mod report;
