//! Notices new restore points by asking a pod of the service, which sees the repository, once a second.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backup::Manifest;
use backup::take::Taken;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use super::DEPLOYMENT;
use super::kubectl::Kubectl;
use super::kubectl::result_in;
use super::objects::{Job, JobStatus};
use crate::witness::clock::Clock;
use crate::witness::record::{Protected, Recorder};

/// A restore point is known to be published this much too late at the most, and one call.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Listed {
    manifest: Option<Manifest>,
}

/// Adds to the record each restore point that is taken from now on, and each time one is confirmed.
pub(super) async fn watch(kubectl: Kubectl, program: String, recorder: Arc<Recorder>) {
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
                let manifests: Vec<Manifest> = listed.into_iter().filter_map(|listed| listed.manifest).collect();
                let age = age_at_start(&manifests, recorder.clock);
                let new: Vec<Manifest> =
                    manifests.into_iter().filter(|manifest| is_new(manifest, recorder.clock, &mut seen)).collect();
                recorder.add(|record| {
                    record.repository_unseen = None;
                    record.age_at_start = record.age_at_start.or(age);
                    record.restore_points.extend(new.into_iter().map(|manifest| {
                        let began = recorder.clock.moment(manifest.current_at(Timestamp::now()));
                        Protected { manifest, began, published }
                    }));
                });
            }
            // Expected while the service is down; whoever waits for a restore point in vain is told the last one.
            Err(error) => recorder.add(|record| record.repository_unseen = Some(format!("{error:#}"))),
        }
    }
}

/// Follows a backup that the drill asked for to its end: what it took is none of the schedule's, and if it fails, nobody has
/// to wait to learn why.
pub(super) async fn follow(kubectl: Kubectl, job: String, recorder: Arc<Recorder>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let has_failed = loop {
        ticks.tick().await;
        match kubectl.get::<Job>("job", &job).await.map(|job| job.map(|job| job.status)) {
            Ok(Some(JobStatus { succeeded: 0, failed: 0 })) | Err(_) => {}
            Ok(Some(status)) => break status.succeeded == 0,
            // Who deleted it knows why.
            Ok(None) => return,
        }
    };
    let log = kubectl.call_once(&["logs", &format!("job/{job}")]).await;
    let log = log.unwrap_or_else(|error| format!("its log cannot be had: {error:#}"));
    let now = recorder.clock.now();
    // One that published a suspect restore point has failed too.
    match result_in::<Taken>(&log) {
        Ok(Taken { restore_point, .. }) => {
            let key = (restore_point.sequence, restore_point.current_at(Timestamp::MAX));
            recorder.add(|record| record.asked_for.extend([key]));
        }
        Err(_) if has_failed => {
            let why = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
            recorder.add(|record| record.failed_backups.push((now, format!("job {job}: {why}"))));
        }
        Err(_) => {}
    }
}

/// How old the newest one of before the drill was when it began.
fn age_at_start(manifests: &[Manifest], clock: Clock) -> Option<Duration> {
    let ages = manifests.iter().map(|manifest| -clock.seconds(manifest.current_at(Timestamp::now())));
    ages.filter(|age| *age > 0.0).min_by(f64::total_cmp).and_then(|age| Duration::try_from_secs_f64(age).ok())
}

/// Those of before the drill cannot be placed on its clock.
fn is_new(manifest: &Manifest, clock: Clock, seen: &mut BTreeSet<(u64, Timestamp)>) -> bool {
    let current_at = manifest.current_at(Timestamp::now());
    current_at >= clock.utc(Duration::ZERO) && seen.insert((manifest.sequence, current_at))
}
