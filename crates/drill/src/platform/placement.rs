//! Where the volumes are.

use serde::{Deserialize, Serialize};

/// A volume, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Placed {
    /// What the system calls it.
    pub claim: String,
    /// What the platform calls it: the name of the volume behind the claim, or a directory.
    pub volume: String,
    /// The node that it is on or attached to; `null` where there are no nodes, or where it is not known.
    pub node: Option<String>,
}

/// When it was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// In steady state, before the fault.
    Before,
    /// Once the scenario had ended, before the clean-up.
    After,
}

impl Stage {
    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A volume as it was found at a stage of the drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Placement {
    /// When.
    pub at: Stage,
    /// Where.
    #[serde(flatten)]
    pub placed: Placed,
}
