//! Access in both directions: our credentials for AWS, and the addresses that may reach port 22 of a host.

mod client;
mod session;
mod ssh_access;

pub(crate) use self::{
    client::{DEFAULT_REGION, Ec2Api, NoCapacityRetry, region},
    session::SessionLifetime,
    ssh_access::{
        Cidr, SshSource, authorize, is_silent, keep_authorized, own_address, revoke_ingress,
    },
};
pub(crate) use self::{
    session::{Access, SessionError},
    ssh_access::reauthorize,
};
