//! Probes: timed client operations through the public URL, as a user of the service would make them.

pub mod client;
mod reader;
mod stream;
mod writer;

pub use client::{Client, Message, ServiceStatus};
pub use reader::{Expected, Floor};
pub use stream::Streams;
pub use writer::Writer;
#[cfg(test)]
pub use writer::token;
