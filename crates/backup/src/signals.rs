//! Signals that ask the program to end. Whatever it does can be cut off at any instant, so the kernel may end it; but
//! process 1 of a container is spared what it has no handler for, and would hang until it is killed.

use std::{io, process, thread};

use nix::sys::signal::{SigSet, Signal};

/// Has process 1 end like any other. Before any other thread is started, as they all have to leave the signals alone.
pub(crate) fn obey() {
    if process::id() != 1 {
        return;
    }
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
    let blocked = signals.thread_block().map_err(io::Error::from);
    if let Err(error) = blocked.and_then(|()| thread::Builder::new().spawn(move || wait(signals))) {
        tracing::warn!("cannot listen for signals: {error}");
    }
}

fn wait(signals: SigSet) {
    match signals.wait() {
        Ok(signal) => {
            tracing::warn!("ended by {signal}; the next run cleans up unfinished work");
            // What a shell reports of a process that a signal ended.
            process::exit(128 + signal as i32);
        }
        Err(error) => tracing::warn!("cannot wait for signals: {error}"),
    }
}
