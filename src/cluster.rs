//! The cluster: kubeconfig, the objects of a set, their order, their application, their readiness.

pub mod kind;
pub mod kubeconfig;
pub mod up;

pub use kubeconfig::{Connected, KubeconfigError, connect};
