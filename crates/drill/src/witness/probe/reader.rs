//! The reader: asks for data it knows, since a status 200 proves nothing.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::Client;
use crate::witness::record::{Read, Recorder, Seen};

/// The least number of messages that a correct service has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floor {
    /// As many as were acknowledged before the read was sent: nothing may be missing.
    Acknowledged,
    /// This many: what the restore point that was restored must have held.
    AtLeast(u64),
}

/// What a correct read shows.
pub(crate) struct Expected {
    /// The sentinel's id.
    pub id: i64,
    /// The sentinel's text.
    pub message: String,
    floor: Mutex<Floor>,
}

impl Expected {
    /// The sentinel, and every acknowledged write counted.
    pub(crate) fn new(id: i64, message: String) -> Self {
        Self { id, message, floor: Mutex::new(Floor::Acknowledged) }
    }

    /// Changes how many messages a correct service must have, from the next read on.
    pub(crate) fn set_floor(&self, floor: Floor) {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner) = floor;
    }

    fn floor(&self) -> Floor {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One read: the count, then the sentinel.
pub(super) async fn read(client: Client, recorder: Arc<Recorder>, expected: Arc<Expected>) {
    let sent = recorder.sending();
    let least = match expected.floor() {
        Floor::Acknowledged => recorder.look(|record| record.acknowledged_before(sent)),
        Floor::AtLeast(least) => least,
    };
    let seen = check(&client, &expected, least).await.unwrap_or_else(|error| Seen::Failed(format!("{error:#}")));
    recorder.add(|record| record.read(Read { sent, done: recorder.clock.now(), seen }));
}

async fn check(client: &Client, expected: &Expected, least: u64) -> Result<Seen> {
    let count = client.count().await?;
    let sentinel = client.message(expected.id).await?;
    Ok(match sentinel {
        None => Seen::Wrong(format!("message {} (the sentinel) is missing", expected.id)),
        Some(found) if found.message != expected.message => {
            Seen::Wrong(format!("message {} reads {:?}, expected {:?}", expected.id, found.message, expected.message))
        }
        Some(_) if count < least => Seen::Wrong(format!("count is {count}, expected at least {least}")),
        Some(_) => Seen::Correct,
    })
}
