//! How an instance comes to be: what is asked for, where, in which order, until a host answers.

mod adopt;
pub mod attempts;
mod cloud_init;
mod image;
mod network;
mod plan;
mod ready;
mod request;
mod search;
mod spec;

pub use self::cloud_init::TIMER;
pub(crate) use self::{
    adopt::{refuse_a_second, refuse_another},
    cloud_init::Keys,
    image::{Chosen, choose},
    network::{Subnet, allow, callers, forbid, own_address, security_group, subnets},
    ready::{Trouble, up},
    request::{Begun, Candidate, HOST_KEY, LOGIN_KEY, Order, STEP, candidates},
    search::Sweep,
    spec::{Bought, Caller, Cidr, Wish},
};
