//! What was seen, and when: operations of clients, events, the record of both, and how the drill itself ended.

pub mod clock;
pub mod event;
pub mod probe;
pub mod record;
mod stop;

pub use stop::Stop;
