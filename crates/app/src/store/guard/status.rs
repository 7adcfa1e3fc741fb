//! The state of the protection, readable without waiting for the writer.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    /// In one word.
    pub state: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is so: UTC.
    pub since: String,
    /// The last group that is in the journal.
    pub group: Option<i64>,
    /// The file of the journal that it is in.
    pub epoch: Option<i64>,
}

impl Status {
    /// Whether it is.
    pub(crate) fn is_protected(&self) -> bool {
        self.state == Standing::Protected
    }
}

/// See [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    Protected,
    /// It is not, and nothing is stored.
    Refusing,
    Degraded,
}

/// The status, as the writer keeps it.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Mutex<Status>>);

impl Watch {
    /// Nothing is protected yet.
    pub(crate) fn new() -> Self {
        let status = Status { state: Standing::Refusing, reason: None, since: now(), group: None, epoch: None };
        Self(Arc::new(Mutex::new(status)))
    }

    pub(crate) fn status(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what is so now, and logs a change. `position` is the last group in the journal and its epoch.
    pub(crate) fn publish(&self, state: Standing, reason: Option<&str>, position: Option<(i64, i64)>) {
        let mut status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if status.state != state {
            (status.state, status.since) = (state, now());
            match reason {
                Some(reason) => tracing::warn!(?state, reason, "new writes are not protected"),
                None => tracing::info!("new writes are protected"),
            }
        }
        if status.reason.as_deref() != reason {
            status.reason = reason.map(str::to_owned);
        }
        (status.group, status.epoch) = position.unzip();
    }
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}
