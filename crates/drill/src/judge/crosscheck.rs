//! The measured loss held against the manifest of the restore point that was restored. Where the two contradict each
//! other, one of them is wrong, and nothing can be said.

use backup::Manifest;

use super::{Moments, Reconciliation, Testimony, loss};
use crate::witness::clock::Moment;
use crate::witness::record::Write;

/// The id up to which a restore point holds messages, where its manifest leaves no doubt about the table.
pub(super) fn mark(manifest: &Manifest) -> Option<i64> {
    let mut marks = manifest.high_water.values();
    marks.next().copied().filter(|_| marks.next().is_none())
}

/// How the loss contradicts the manifest, if it does.
///
/// By ids: nothing survives that is newer than the restore point. By time: its snapshot began after the last survivor
/// was sent and before the first lost write was acknowledged, as far as the clocks can be compared.
pub(super) fn contradiction(testimony: &Testimony, ledger: &Reconciliation, moments: Moments) -> Option<String> {
    // With a journal, the recovery point is not that of a restore point.
    let manifest = &testimony.restored.filter(|_| !testimony.is_journaled)?.restore_point;
    let before = loss::before(&testimony.record.writes, moments.effective);
    // One that was under way when the fault struck may have come after it.
    let settled = before.iter().filter(|(_, write)| write.done < moments.requested);
    let mut survivors = settled.filter(|(_, write)| !ledger.lost.contains(&write.seq));
    let newer = mark(manifest).and_then(|mark| survivors.clone().find(|(id, _)| *id > mark).map(|found| (mark, found)));
    if let Some((mark, (id, write))) = newer {
        return Some(format!(
            "write {} (id {id}) is there, although the restore point {} ends with id {mark}: something else was restored",
            write.seq, manifest.name
        ));
    }
    let first_lost = before.iter().find(|(_, write)| ledger.lost.contains(&write.seq)).map(|(_, write)| *write);
    by_time(testimony, manifest, survivors.next_back().map(|(_, write)| *write), first_lost)
}

fn by_time(
    testimony: &Testimony,
    manifest: &Manifest,
    survivor: Option<&Write>,
    lost: Option<&Write>,
) -> Option<String> {
    // Where no answer compared the clocks, or the service's was set meanwhile, its times say nothing.
    let (ahead_min, ahead_max) = testimony.record.offset.bounds()?;
    let begun = testimony.clock.seconds(manifest.created_at) - ahead_max;
    let done = testimony.clock.seconds(manifest.verified_at) - ahead_min;
    let seconds = |moment: Moment| moment.as_secs_f64();
    if let Some(lost) = lost.filter(|lost| seconds(lost.done) < begun) {
        return Some(format!(
            "write {} is lost, acknowledged at {:.3} s, although the restore point {} says it began at {begun:.3} s: a \
             clock was set",
            lost.seq,
            seconds(lost.done),
            manifest.name
        ));
    }
    survivor.filter(|survivor| seconds(survivor.sent) > done).map(|survivor| {
        format!(
            "write {} is there, sent at {:.3} s, although the restore point {} says it was complete at {done:.3} s: a \
             clock was set",
            survivor.seq,
            seconds(survivor.sent),
            manifest.name
        )
    })
}
