//! Metrics of commits.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the classes of durations, in seconds: from a read that is in memory to the longest wait for a write.
pub(crate) const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts of commits; clones count together.
#[derive(Clone, Debug)]
pub(super) struct Commits {
    writes: Histogram,
    seconds: Histogram,
    failures: Counter,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            writes: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            seconds: Histogram::new(SECONDS),
            failures: Counter::default(),
        }
    }
}

impl Commits {
    /// Counts a commit that ended, with the number of writes that shared it.
    pub(super) fn ended(&self, writes: usize, took: Duration, is_on_disk: bool) {
        if !is_on_disk {
            self.failures.inc();
            return;
        }
        // A batch has 512 writes at most.
        self.writes.observe(writes as f64);
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("commit_writes", "Writes per commit, including health checks", self.writes.clone());
        let help = "Duration of a commit until it is on disk, including waiting for another process's lock";
        registry.register_with_unit("commit_duration", help, Unit::Seconds, self.seconds.clone());
        registry.register("commit_failures", "Commits that may not have reached the disk", self.failures.clone());
    }
}
