//! The cluster: kubeconfig, the objects of a set, their order, their application, their readiness.

pub mod apply;
pub mod build;
pub mod cause;
pub mod deploy;
pub mod diff;
pub mod draft;
pub mod draw;
pub mod errors;
pub mod facts;
pub mod gate;
pub mod images;
pub mod inventory;
pub mod kind;
pub mod kubeconfig;
pub mod lint;
pub mod live;
pub mod objects;
pub mod order;
pub mod prune;
pub mod ready;
pub mod served;
pub mod up;
pub mod view;

pub use kubeconfig::{Connected, KubeconfigError, connect};
