//! A small web service on SQLite that acknowledges a write only once it is on disk.
//!
//! [`server`] runs it, [`router`] lists its routes, and [`store`] alone knows that there is SQLite below.

pub mod admission;
pub mod bounds;
pub mod bulletin;
pub mod config;
pub mod connections;
pub mod discretion;
pub mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzed;
pub mod hardening;
pub mod logging;
pub mod metrics;
pub mod negotiate;
pub mod page;
pub mod protection;
pub mod query;
pub mod router;
pub mod routes;
pub mod server;
pub mod service;
pub mod stop;
pub mod store;
