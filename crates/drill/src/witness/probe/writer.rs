//! The writer: unique tokens, each tried once, each ending in the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Client;
use crate::witness::record::{Recorder, Write};

/// The message that write `seq` of a run sends.
pub(super) fn token(run: &str, seq: u64) -> String {
    format!("drill/{run}/{seq}")
}

/// Writes the tokens of a run, from as many tasks as hold a clone of it.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    recorder: Arc<Recorder>,
    run: String,
    next: Arc<AtomicU64>,
}

impl Writer {
    /// A writer that has not written yet. Its first write, number 0, is the sentinel.
    pub(crate) fn new(client: Client, recorder: Arc<Recorder>, run: String) -> Self {
        Self { client, recorder, run, next: Arc::default() }
    }

    /// Writes the next token and records what became of it.
    pub(crate) async fn write(&self) -> Write {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let token = token(&self.run, seq);
        let sent = self.recorder.sending();
        let (outcome, stamped) = self.client.add(&token).await;
        let write = Write { seq, token, sent, done: self.recorder.clock.now(), outcome };
        self.recorder.add(|record| {
            if let Some(stamped) = stamped {
                record.offset.narrow(write.sent, write.done, self.recorder.clock.seconds(stamped));
            }
            record.wrote(write.clone());
        });
        write
    }
}
