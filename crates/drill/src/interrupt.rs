//! Signals that ask a drill to stop. From the moment they are listened to, none of them ends the process by itself:
//! the clean-up always runs.

use std::process;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for Ctrl-C, for a request to terminate, and for a terminal that was closed.
pub(crate) struct Interrupt {
    int: Signal,
    term: Signal,
    hup: Signal,
}

impl Interrupt {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self> {
        let on = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            int: on(SignalKind::interrupt())?,
            term: on(SignalKind::terminate())?,
            hup: on(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal and names it.
    pub(crate) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "SIGINT",
            _ = self.term.recv() => "SIGTERM",
            _ = self.hup.recv() => "SIGHUP",
        }
    }
}

/// Has process 1 of a container, which the kernel spares the signals it has no handler for, end by them like any other.
/// For what has nothing to clean up.
pub(crate) fn end_process_1() -> Result<()> {
    if process::id() != 1 {
        return Ok(());
    }
    let mut interrupt = Interrupt::listen()?;
    tokio::spawn(async move {
        let code = match interrupt.received().await {
            "SIGINT" => 130,
            "SIGHUP" => 129,
            _ => 143,
        };
        process::exit(code)
    });
    Ok(())
}
