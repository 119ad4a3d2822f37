//! The cluster: kubeconfig, the objects of a set, their order, their application, their readiness.

pub mod kubeconfig;

pub use kubeconfig::{Connected, KubeconfigError, connect};
