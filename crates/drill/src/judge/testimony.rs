//! What the judge is told.

use std::time::Duration;

use backup::{Manifest, Restored};

use super::objectives::Objectives;
use crate::witness::Stop;
use crate::witness::clock::Clock;
use crate::witness::event::Timeline;
use crate::witness::probe::Message;
use crate::witness::record::Record;

/// Everything a verdict rests on.
pub(crate) struct Testimony<'a> {
    /// The drill's clock.
    pub clock: Clock,
    /// The run's name, part of every token.
    pub run: &'a str,
    /// What was seen.
    pub record: &'a Record,
    /// What happened.
    pub timeline: &'a Timeline,
    /// What the service holds after the recovery; `None` if it could not be read.
    pub found: Option<&'a [Message]>,
    /// The restore, if there was one.
    pub restored: Option<&'a Restored>,
    /// What another program was last seen to give back, if it restored the database. Of what it restored, no manifest tells.
    pub copy_restored: Option<&'a Manifest>,
    /// Whether the fault may cost data at all.
    pub may_lose: bool,
    /// Whether the fault is one of the backups: the RPO is then missed as soon as the newest restore point is too old.
    pub backups_on_trial: bool,
    /// Whether the fault destroys the restore points as well: only those that are kept elsewhere too can come back.
    pub repository_lost: bool,
    /// Whether the data were wrong from the request of the fault on, so that a restore point which began later is none to
    /// give back.
    pub wrong_since_request: bool,
    /// At which interval restore points are taken by a schedule that is not the drill's.
    pub schedule: Option<Duration>,
    /// Whether the service keeps a journal, so that more comes back than a restore point holds.
    pub is_journaled: bool,
    /// The targets.
    pub objectives: Objectives,
    /// Why the drill stopped before its end, if it did.
    pub stop: Option<&'a Stop>,
}
