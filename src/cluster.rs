//! One door to an API server: connect, ask, list, watch. Knows no set.

pub mod discover;
pub mod errors;
pub mod kubeconfig;
pub mod live;
pub mod request;
pub mod survey;
pub mod view;

pub use kubeconfig::{Connected, KubeconfigError, connect};
