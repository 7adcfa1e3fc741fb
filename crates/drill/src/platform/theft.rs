//! What a thief of the service's credentials tried where restore points are kept, and what came of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A theft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Theft {
    /// The last time of the store's clock before it: the state that the recovery goes back to.
    pub as_of: Timestamp,
    /// What was tried, in this order.
    pub deeds: Vec<Deed>,
}

/// One thing that was tried, on everything that it could be tried on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Deed {
    /// What.
    pub kind: DeedKind,
    /// How often the store did it.
    pub allowed: usize,
    /// How often it did not.
    pub refused: usize,
    /// What the store said when it first did not; `null` if it always did.
    pub refusal: Option<String>,
}

/// What can be tried with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeedKind {
    /// A restore point that never was, newer than all, and an object of no meaning.
    Append,
    /// The lock of each version is to end in a moment.
    ShortenLock,
    /// The same, with the claim to override locks.
    OverrideLock,
    /// Other content under the key of each object.
    Overwrite,
    /// Each object.
    Delete,
    /// Each version of each object, for good.
    DeleteVersion,
    /// The same, with the claim to override locks.
    OverrideAndDelete,
}

impl DeedKind {
    /// What it is, for people.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Append => "append forged and senseless objects",
            Self::ShortenLock => "shorten the locks",
            Self::OverrideLock => "shorten them, overriding governance",
            Self::Overwrite => "overwrite the objects",
            Self::Delete => "delete the objects",
            Self::DeleteVersion => "delete their versions for good",
            Self::OverrideAndDelete => "delete those, overriding governance",
        }
    }
}

impl Deed {
    /// How often it was tried.
    pub(crate) fn tried(&self) -> usize {
        self.allowed + self.refused
    }
}

impl fmt::Display for Theft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state as of {}", self.as_of)?;
        for deed in &self.deeds {
            write!(f, "; {}: {} of {} allowed", deed.kind.meaning(), deed.allowed, deed.tried())?;
        }
        Ok(())
    }
}
