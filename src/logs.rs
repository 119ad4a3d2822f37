//! What is collected of a cluster and its host: snapshot, findings, bundle, report.
//!
//! `collect` does the asking; everything after it is pure but for the bundle's own thread. Nothing here changes a
//! verdict: what cannot be had is noted, and the bundle is closed in time.

pub mod bundle;
pub mod collect;
pub mod describe;
pub mod diagnose;
pub mod layout;
pub mod prow;
pub mod redact;
pub mod render;
pub mod s3;
pub mod snapshot;
pub mod verdict;

mod gather;

pub use gather::{GatherRequest, Gathered, gather};
