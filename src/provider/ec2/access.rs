//! Who may: the credentials that AWS is asked with, and the address that a host lets in.

mod client;
mod session;
mod ssh;

pub(crate) use self::{
    client::{Api, DEFAULT_REGION, OnceForCapacity, region},
    session::Lasting,
    ssh::{attend, open},
};
pub use self::{
    session::{Access, SessionError},
    ssh::let_in_again,
};
