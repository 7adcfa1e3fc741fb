//! The service, tested from outside: the shipped program, real files, real processes, real signals.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on must fail, and say why")]

mod admission;
mod browser;
mod contract;
mod disk_full;
mod harness;
mod hostile;
mod into_live;
mod limits;
mod lost_database;
mod metrics;
mod openapi;
mod page;
mod planted;
mod probes;
mod protect;
mod shape;
mod sharing;
mod starting;
mod status;
mod stopping;
