//! One drill under way: the steps that scenarios are written in, and what performs them.

mod fault;
mod moment;
mod perform;
mod proof;
mod protector;
mod recovery;
mod settings;
mod steady;
mod step;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use backup::lineage::Lineage;
use backup::{Manifest, Restored};
use jiff::Timestamp;

pub(crate) use moment::InjectAt;
pub(crate) use settings::{Protect, Recovery, Settings};
pub(crate) use step::{Onto, Sign, Step};

use crate::intents::Intents;
use crate::interrupt::Interrupt;
use crate::platform::{Placement, Platform, Stage};
use crate::progress::Progress;
use crate::witness::Stop;
use crate::witness::clock::{Clock, Moment};
use crate::witness::event::{Event, Timeline};
use crate::witness::probe::{Client, Expected, Message, ServiceStatus, Streams};
use crate::witness::record::{Recorder, Seen};

/// Who decides to recover where nobody has to be asked.
pub(crate) const NOBODY: &str = "the drill, without a person to ask";

/// A drill under way.
pub(crate) struct Drill<P> {
    /// Where it runs.
    pub platform: P,
    /// The run's name.
    pub name: String,
    /// What happened so far.
    pub timeline: Timeline,
    /// What was seen so far.
    pub recorder: Arc<Recorder>,
    /// The restore, once it is done.
    pub restored: Option<Restored>,
    /// What another program was last seen to give back, once it restored the database.
    pub copy_restored: Option<Manifest>,
    /// What the service holds after the recovery, once it is read.
    pub found: Option<Vec<Message>>,
    /// What the service said of itself in steady state.
    pub service: Option<ServiceStatus>,
    /// When the fault was to strike, once that came.
    pub inject_at: Option<InjectAt>,
    /// How long after the newest restore point, for a moment that is counted from it.
    pub inject_after: Option<Duration>,
    /// Where the safety copy is, once it is taken.
    pub safety_copy: Option<String>,
    /// Where the volumes were, as far as the platform could tell.
    pub placement: Vec<Placement>,
    /// Since when operations succeed, before the fault.
    steady_since: Option<Moment>,
    /// What another program gave back when that was last tried.
    tried: Option<Manifest>,
    pub settings: Settings,
    intents: Intents,
    progress: Progress,
    traffic: Option<Traffic>,
}

/// The clients of the service.
struct Traffic {
    client: Client,
    expected: Arc<Expected>,
    streams: Option<Streams>,
}

impl<P: Platform> Drill<P> {
    /// A drill that has not begun.
    pub(crate) fn new(
        platform: P,
        name: String,
        settings: Settings,
        recorder: Arc<Recorder>,
        intents: Intents,
        progress: Progress,
    ) -> Self {
        let timeline = Timeline::default();
        Self {
            platform,
            name,
            timeline,
            recorder,
            restored: None,
            copy_restored: None,
            tried: None,
            found: None,
            service: None,
            inject_at: None,
            inject_after: None,
            safety_copy: None,
            placement: Vec::new(),
            steady_since: None,
            settings,
            intents,
            progress,
            traffic: None,
        }
    }

    /// The drill's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.recorder.clock
    }

    /// The UTC time of an event that must have happened.
    pub(crate) fn utc_of(&self, event: Event) -> Result<Timestamp, Stop> {
        let at = self.timeline.at(event);
        at.map(|at| self.clock().utc(at)).ok_or_else(|| Stop::Inconclusive(format!("{} did not happen", event.code())))
    }

    fn fault_moments(&self) -> Result<(Moment, Moment), Stop> {
        let both = self.timeline.at(Event::D0).zip(self.timeline.at(Event::D1));
        both.ok_or_else(|| Stop::Inconclusive("the fault was not injected".to_owned()))
    }

    fn lineage(&self) -> anyhow::Result<Lineage> {
        let status = self.service.as_ref().context("the service was not asked for its status")?;
        status.lineage.clone().context("the service did not state the lineage of its database in /status")
    }

    fn traffic(&mut self) -> anyhow::Result<&mut Traffic> {
        self.traffic.as_mut().context("no client was started")
    }

    /// Tells the person who waits that the signal was received.
    pub(crate) fn interrupted(&self, signal: &'static str) -> Stop {
        self.progress.line(&format!("{signal}: cleaning up"));
        Stop::Interrupted(signal)
    }

    fn end_volley(&self) {
        if let Some(streams) = self.traffic.as_ref().and_then(|traffic| traffic.streams.as_ref()) {
            streams.end_volley();
        }
    }

    /// Notes where the volumes are. Nothing depends on it: what cannot be told is said, and missing in the report.
    pub(crate) async fn note_placement(&mut self, at: Stage) {
        match self.platform.placed().await {
            Ok(placed) => self.placement.extend(placed.into_iter().map(|placed| Placement { at, placed })),
            Err(error) => self.progress.line(&format!("cannot tell where the volumes are: {error:#}")),
        }
    }

    /// Leaves the system as it is for a while, if that was wanted.
    pub(crate) async fn linger(&self, interrupt: &mut Interrupt) {
        let Some(time) = self.settings.linger else { return };
        let seconds = time.as_secs_f64();
        self.progress.line(&format!("the drill is over; the service stays up for {seconds} s, Ctrl-C ends it"));
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = interrupt.received() => {}
        }
    }

    fn last_seen(&self) -> String {
        self.recorder.look(|record| match record.reads.last().map(|read| &read.seen) {
            Some(Seen::Correct) => "the last read was correct, writes were not acknowledged".to_owned(),
            Some(Seen::Wrong(what) | Seen::Failed(what)) => format!("the last read: {what}"),
            None => "no read ended".to_owned(),
        })
    }

    /// Something happens now.
    fn happened(&mut self, event: Event, note: impl Into<String>) {
        let happened = self.timeline.add(event, self.recorder.clock.now(), note);
        self.progress.event(happened, self.settings.resolution());
    }

    /// Something turns out to have happened earlier.
    fn found(&mut self, event: Event, at: Moment, note: impl Into<String>) {
        let happened = self.timeline.add(event, at, note);
        self.progress.found(happened, self.settings.resolution());
    }
}
