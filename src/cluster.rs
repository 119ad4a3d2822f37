//! One door to an API server: connect, ask, list, watch. Knows no set.

pub mod clock;
pub mod discover;
pub mod errors;
pub mod kubeconfig;
pub mod live;
pub mod request;
pub mod survey;
pub mod view;
mod warnings;
pub mod watches;

pub use kubeconfig::{Connected, KubeconfigError, connect};
