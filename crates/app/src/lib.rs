//! A small web service on SQLite that acknowledges a write only once it is on disk.
//!
//! [`server`] runs it, [`router`] lists its routes, and [`store`] alone knows that there is SQLite below.

#![warn(unreachable_pub)]

mod admission;
pub mod bounds;
mod bulletin;
pub mod config;
mod connections;
mod discretion;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzed;
mod hardening;
pub mod logging;
mod metrics;
mod negotiate;
mod page;
mod protection;
mod query;
mod router;
mod routes;
pub mod server;
mod service;
mod stop;
mod store;
