//! Who may: the credentials that AWS is asked with, and the address that a host lets in.

mod client;
mod session;
mod ssh_access;

pub(crate) use self::{
    client::{Api, DEFAULT_REGION, OnceForCapacity, region},
    session::Lasting,
    ssh_access::{Caller, Cidr, attend, open, own_address},
};
pub use self::{
    session::{Access, SessionError},
    ssh_access::let_in_again,
};
