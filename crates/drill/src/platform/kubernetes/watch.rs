//! Notices new restore points by asking a pod of the service, which sees the repository, once a second.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backup::Manifest;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use super::DEPLOYMENT;
use super::kubectl::Kubectl;
use crate::clock::Clock;
use crate::record::{Protected, Recorder};

/// A restore point is known to be published this much too late at the most, and one call.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Listed {
    manifest: Option<Manifest>,
}

/// Adds to the record each restore point that is taken from now on, and each time one is confirmed.
pub async fn watch(kubectl: Kubectl, program: String, recorder: Arc<Recorder>) {
    let mut seen = BTreeSet::new();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let service = format!("deployment/{DEPLOYMENT}");
        let listed = kubectl.call_once(&["exec", &service, "--", &program, "list", "--json"]).await;
        let parsed = listed.and_then(|json| Ok(serde_json::from_str::<Vec<Listed>>(&json)?));
        let published = recorder.clock.now();
        match parsed {
            Ok(listed) => {
                let manifests = listed.into_iter().filter_map(|listed| listed.manifest);
                let new: Vec<Manifest> =
                    manifests.filter(|manifest| is_new(manifest, recorder.clock, &mut seen)).collect();
                recorder.add(|record| {
                    record.repository_unseen = None;
                    record.restore_points.extend(new.into_iter().map(|manifest| {
                        let began = recorder.clock.moment(manifest.current_at());
                        Protected { manifest, began, published }
                    }));
                });
            }
            // Expected while the service is down; whoever waits for a restore point in vain is told the last one.
            Err(error) => recorder.add(|record| record.repository_unseen = Some(format!("{error:#}"))),
        }
    }
}

/// Those of before the drill cannot be placed on its clock.
fn is_new(manifest: &Manifest, clock: Clock, seen: &mut BTreeSet<(u64, Timestamp)>) -> bool {
    let current_at = manifest.current_at();
    current_at >= clock.utc(Duration::ZERO) && seen.insert((manifest.sequence, current_at))
}
