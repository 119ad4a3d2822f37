//! How things end: found by tags alone, ended in an order that can succeed, looked for again; and the end moved.

mod destroy;
mod find;
mod janitor;
mod regions;
mod timer;

pub use self::janitor::{Janitor, TaggedResources};
pub(crate) use self::{
    destroy::terminate,
    find::{GROUP, INSTANCE, INTERFACE, Sought, VOLUME, look},
    regions::{Regions, end_all},
    timer::end_at,
};
