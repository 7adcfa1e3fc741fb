use crate::report::Report;

/// A phase of the recovery.
pub(crate) struct Phase {
    pub name: &'static str,
    /// From where to where it goes.
    pub meaning: &'static str,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Phase {
    /// The phases that were measured, in order. Each begins where the one before it ended; together they are the recovery
    /// time.
    pub(crate) fn all(report: &Report) -> Vec<Self> {
        let phases = &report.phases;
        let all = [
            ("detection", "from the first effect to the alarm", phases.detection),
            ("decision", "from the alarm to the decision", phases.decision),
            ("preparation", "stop everything, a new volume", phases.preparation),
            ("restore", "verify and copy the restore point", phases.restore),
            ("restart", "start, until reads and writes are right", phases.restart),
        ];
        all.into_iter().filter_map(|(name, meaning, seconds)| Some(Self { name, meaning, seconds: seconds? })).collect()
    }
}
