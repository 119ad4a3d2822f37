//! The end of resources: finds them by tags alone, ends them in an order that can succeed, proves that they are gone.
//! It also moves the end of a host (`timer`), and marks for `reap` (`janitor`).

mod destroy;
mod find;
mod janitor;
mod let_go;
mod regions;
mod timer;

pub(crate) use self::janitor::Janitor;
pub(crate) use self::{
    find::{GROUP, INSTANCE, INTERFACE, ResourceQuery, VOLUME, find, living},
    let_go::let_go,
    regions::{Regions, end_all},
    timer::end_at,
};
