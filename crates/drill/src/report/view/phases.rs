use crate::report::Report;

/// A phase of the recovery.
pub(crate) struct Phase {
    pub name: &'static str,
    /// From where to where it goes.
    pub meaning: &'static str,
    /// How long it took, in seconds, if that was measured.
    pub seconds: Option<f64>,
}

impl Phase {
    /// The phases in order. Each begins where the one before it ended; together they are the recovery time.
    pub(crate) fn all(report: &Report) -> [Self; 5] {
        let phases = &report.phases;
        [
            ("detection", "from the first effect to the alarm", phases.detection),
            ("decision", "from the alarm to the decision", phases.decision),
            ("preparation", "stop everything, a new volume", phases.preparation),
            ("restore", "verify and copy the restore point", phases.restore),
            ("restart", "start, until reads and writes are right", phases.restart),
        ]
        .map(|(name, meaning, seconds)| Self { name, meaning, seconds })
    }
}
