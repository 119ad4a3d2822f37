//! Which tests an event asks for: the event, the files it changes and a configuration give a matrix of jobs.
//!
//! Given the event's JSON, a clone or GitHub's API, and a `prow_config.yaml` as Kubeflow's repositories have it. Text of an
//! event and of a configuration is anybody's: it goes into JSON and files, never into a script.

pub mod changes;
pub mod config;
mod explain;
pub mod fnmatch;
pub mod job;
pub mod matrix;
pub mod names;
pub mod prow;
pub mod select;
pub mod source;
pub mod subject;
pub mod versions;

pub use explain::{counted, markdown, words};
