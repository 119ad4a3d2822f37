//! The manifests: built, read, put in order, drawn, linted. Names no client.

pub mod build;
pub mod depends;
pub mod draw;
pub mod facts;
pub mod hooks;
pub mod images;
pub mod late;
pub mod lint;
pub mod objects;
pub mod order;
pub mod prepare;
pub mod served;
pub mod uses;
