//! The newest run of each series for Prometheus: a file for the textfile collector of its node exporter.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use anyhow::{Context as _, Result};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::History;
use crate::durable;
use crate::judge::Verdict;
use crate::report::{Essence, FIGURES};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    scenario: String,
    platform: String,
    recovery: String,
}

/// Writes the file; whoever reads it meanwhile sees the old one or the new one.
pub(crate) fn write(file: &Path, history: &History) -> Result<()> {
    let newest = history.newest();
    let mut registry = Registry::with_prefix("pra_drill");
    let mut register = |name: &str, help: &str, of: &dyn Fn(&Essence) -> Option<f64>| {
        let family: Family<Labels, Gauge<f64, AtomicU64>> = Family::default();
        for run in &newest {
            // What was not measured is absent: zero would be a lie.
            if let Some(value) = of(run) {
                family.get_or_create(&labels(run)).set(value);
            }
        }
        registry.register(name, help, family);
    };
    for figure in FIGURES {
        register(figure.key, figure.label, &|run| (figure.of)(&run.actual));
    }
    register("rto_seconds", "Recovery time objective", &|run| Some(run.objectives.rto_seconds));
    register("rpo_seconds", "Recovery point objective", &|run| Some(run.objectives.rpo_seconds));
    register("lost_writes", "Acknowledged writes that were lost", &|run| Some(count(run.lost?)));
    register("acknowledged_writes", "Acknowledged writes", &|run| Some(count(run.acknowledged?)));
    register("passed", "1 if the newest drill passed, else 0", &|run| {
        Some(f64::from(u8::from(run.verdict == Verdict::Pass)))
    });
    register("as_expected", "1 if the newest drill came out as expected, else 0", &|run| {
        Some(f64::from(u8::from(run.expected.met)))
    });
    register("started_timestamp_seconds", "When the newest drill began", &|run| {
        Some(run.started_at.as_duration().as_secs_f64())
    });
    let mut encoded = String::new();
    text::encode_registry(&mut encoded, &registry).context("cannot encode the figures for Prometheus")?;
    durable::replace(file, &encoded)
}

fn labels(run: &Essence) -> Labels {
    let series = &run.series;
    Labels {
        scenario: series.scenario.clone(),
        platform: series.platform.clone(),
        recovery: series.recovery.to_string(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 writes")]
fn count(writes: usize) -> f64 {
    writes as f64
}
