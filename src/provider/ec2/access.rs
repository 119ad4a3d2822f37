//! Who may: the credentials that AWS is asked with, and the address that a host lets in.

mod client;
mod session;
mod ssh_access;

pub(crate) use self::{
    client::{DEFAULT_REGION, Ec2Api, NoCapacityRetry, region},
    session::SessionLifetime,
    ssh_access::{Cidr, SshSource, authorize, keep_authorized, own_address},
};
pub use self::{
    session::{Access, SessionError},
    ssh_access::reauthorize,
};
