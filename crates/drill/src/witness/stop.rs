//! The ways in which a drill ends before its end.

/// Why a drill did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Something that must hold before anything is broken does not.
    #[error("preflight refused: {0:#}")]
    Preflight(anyhow::Error),
    /// The drill cannot say anything about the system.
    #[error("{0}")]
    Inconclusive(String),
    /// The service did not come back. That is a result, not an accident of the drill.
    #[error("{0}")]
    NotRecovered(String),
    /// A step failed.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// A person or a program asked the drill to stop.
    #[error("interrupted by {0}")]
    Interrupted(&'static str),
}
