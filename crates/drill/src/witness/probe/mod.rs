//! Probes: timed client operations through the public URL, as a user of the service would make them.

pub(crate) mod client;
mod reader;
mod stream;
mod writer;

pub(crate) use client::{Client, Message, ServiceStatus};
pub(crate) use reader::{Expected, Floor};
pub(crate) use stream::Streams;
pub(crate) use writer::Writer;
