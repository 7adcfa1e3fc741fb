//! What was seen, and when: operations of clients, events, the record of both, and how the drill itself ended.

pub(crate) mod clock;
pub(crate) mod event;
pub(crate) mod probe;
pub(crate) mod record;
mod stop;

pub(crate) use stop::Stop;
