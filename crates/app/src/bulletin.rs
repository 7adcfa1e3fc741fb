//! What the page shows at one moment, and the task that sends it to all viewers: a thousand viewers cost the database
//! no more than one.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::connections::Connections;
use crate::discretion::without_directories;
use crate::error::ApiError;
use crate::protection::{self, Looks, Protection};
use crate::store::{Failure, Message, Page, Position};

const EVERY: Duration = Duration::from_secs(1);

const MESSAGES: i64 = 10;

/// How many characters of a message are shown. `/consultation` has all of it.
const CHARACTERS: usize = 280;

#[derive(Debug, Serialize)]
pub(crate) struct Bulletin {
    /// Why the service cannot store a message; `None` if it can.
    pub failure: Option<String>,
    /// What is stored; `None` if it cannot be read.
    pub contents: Option<Contents>,
}

/// What is stored, and how much of it is protected.
#[derive(Debug, Serialize)]
pub(crate) struct Contents {
    pub count: i64,
    /// Messages in no restore point; `None` if nobody knows.
    pub exposed_messages: Option<i64>,
    pub exposed_seconds: Option<f64>,
    pub newest: Option<Newest>,
    /// Since a restore of this database was last rehearsed and found good.
    pub rehearsed_seconds: Option<u64>,
    /// Why the repository of restore points cannot be read.
    pub repository_error: Option<String>,
    /// Why the journal does not protect what is acknowledged; `None` if it does, or if there is none.
    pub unprotected: Option<String>,
    /// The newest messages, newest first, each as far as it is shown.
    pub messages: Vec<Message>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Newest {
    pub file: String,
    /// Since it was taken or confirmed; see [`Protection::age`].
    pub age_seconds: Option<u64>,
    pub size_bytes: u64,
    /// Whether it looks like one of a lost database.
    pub is_suspect: bool,
}

impl Bulletin {
    /// Looks now: one durable write that changes nothing, as `/health` does, and three short reads.
    pub(crate) async fn look(looks: &Looks) -> Self {
        let failure = looks.store().prove_durable().await.err();
        let contents = Contents::look(looks).await;
        let failure = failure.or_else(|| contents.as_ref().err().cloned());
        let failure = failure.map(|failure| without_directories(&failure.to_string()));
        Self { failure, contents: contents.ok() }
    }
}

impl Contents {
    async fn look(looks: &Looks) -> Result<Self, Failure> {
        let look = looks.look().await?;
        let Protection { summary, newest, age, repository_error, exposure, rehearsed, .. } = &*look;
        let told = |text: &String| without_directories(text);
        let messages = looks.store().page(Page { position: Position::Newest, limit: MESSAGES }).await?;
        Ok(Self {
            count: summary.count,
            exposed_messages: exposure.map(|exposure| exposure.messages),
            exposed_seconds: exposure.and_then(|exposure| exposure.seconds),
            newest: newest.as_ref().map(|newest| Newest {
                file: newest.stored_file(),
                age_seconds: age.map(|age| age.as_secs()),
                size_bytes: newest.size_bytes,
                is_suspect: newest.is_suspect(),
            }),
            rehearsed_seconds: rehearsed.as_ref().map(|rehearsed| protection::age(rehearsed.at).as_secs()),
            repository_error: repository_error.as_ref().map(told),
            unprotected: looks.store().protection().and_then(|status| status.reason).as_ref().map(told),
            messages: messages.into_iter().map(shortened).collect(),
        })
    }
}

fn shortened(mut message: Message) -> Message {
    if let Some((end, _)) = message.message.char_indices().nth(CHARACTERS) {
        message.message.truncate(end);
        message.message.push('…');
    }
    message
}

/// The way to everyone who watches. Each bulletin is written once, whoever reads it.
#[derive(Clone, Debug)]
pub(crate) struct Bulletins {
    sender: watch::Sender<Bytes>,
    watchers: Arc<Semaphore>,
    most: usize,
}

pub(crate) struct Watcher {
    bulletins: watch::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next bulletin, as a server-sent event. Who is too slow for one gets the next.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.bulletins.changed().await.ok()?;
        Some(self.bulletins.borrow_and_update().clone())
    }
}

impl Bulletins {
    /// Nobody watches yet. Those who do may take two thirds of the places: they keep them for as long as they like.
    pub(crate) fn new(connections: &Connections) -> Self {
        let most = (connections.most() * 2).div_ceil(3);
        Self { sender: watch::Sender::new(Bytes::new()), watchers: Arc::new(Semaphore::new(most)), most }
    }

    pub(crate) fn watch(&self) -> Result<Watcher, ApiError> {
        let overloaded = |_| ApiError::Overloaded { what: "clients are watching", most: self.most };
        let place = self.watchers.clone().try_acquire_owned().map_err(overloaded)?;
        Ok(Watcher { bulletins: self.sender.subscribe(), _place: place })
    }

    /// Looks once a second while somebody watches. Never ends.
    pub(crate) async fn publish(self, looks: Looks) {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if self.sender.is_closed() {
                continue;
            }
            match serde_json::to_string(&Bulletin::look(&looks).await) {
                Ok(bulletin) => drop(self.sender.send_replace(format!("data: {bulletin}\n\n").into())),
                Err(error) => tracing::error!(%error, "cannot write a bulletin"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_shortened_between_two_characters() {
        let message = |message: String| Message { id: 1, timestamp: String::new(), message };
        for (long, expected) in [
            (String::new(), String::new()),
            ("é".repeat(CHARACTERS), "é".repeat(CHARACTERS)),
            ("é".repeat(CHARACTERS + 1), "é".repeat(CHARACTERS) + "…"),
        ] {
            assert_eq!(shortened(message(long)).message, expected);
        }
    }
}
