//! The program `drill`, run as its users run it, with the real service and the real backups.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]
#![expect(clippy::print_stderr, reason = "what a drill on a real cluster measured is worth seeing")]

mod content;
mod contract;
mod evidence;
mod forms;
mod history;
mod intents;
mod interrupted;
mod judged;
mod kubernetes;
mod moment;
mod passed;
mod protector;
mod real_cluster;
mod refused;
mod scenarios;
mod stolen;
mod support;
mod up;
