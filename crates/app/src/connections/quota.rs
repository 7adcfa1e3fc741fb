//! Limits the number of clients in a state that costs memory, and decides which of them makes room for a new one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::bounds::{BEGUN, GRACE, IDLE};

/// What times are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Stands for a time that is not over.
const BUSY: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Client {
    evicted: Notify,
    has_begun: AtomicBool,
    has_asked: AtomicBool,
    /// Since when nothing is being answered, in milliseconds from [`START`], or [`BUSY`].
    idle_since: AtomicU64,
    is_ending: AtomicBool,
    is_wide: AtomicBool,
}

impl Default for Client {
    fn default() -> Self {
        let [has_begun, has_asked, is_ending, is_wide] = Default::default();
        Self { evicted: Notify::new(), has_begun, has_asked, idle_since: AtomicU64::new(now()), is_ending, is_wide }
    }
}

impl Client {
    /// Something of a request is there.
    pub(super) fn begin(&self) {
        self.has_begun.store(true, Relaxed);
    }

    pub(super) fn is_silent(&self) -> bool {
        !self.has_asked.load(Relaxed)
    }

    /// For how long nothing of it has been answered; `None` while something is.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        Some(self.idle_since.load(Relaxed))
            .filter(|since| *since != BUSY)
            .map(|since| Duration::from_millis(now() - since))
    }

    /// Whether it keeps its place for nothing: it never asked, or not for a while.
    pub(super) fn is_of_no_use(&self) -> bool {
        self.is_silent() || self.idle_for().is_some_and(|time| time >= IDLE)
    }

    /// Resolves once another client took a place from it.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// A request of it is being answered until the result is dropped.
    pub(super) fn ask(self: &Arc<Self>) -> Asking {
        self.has_asked.store(true, Relaxed);
        self.idle_since.store(BUSY, Relaxed);
        Asking(self.clone())
    }

    /// Its next answer is to be its last: its buffers have grown, and would keep their size for as long as it is connected,
    /// or the service stops.
    pub(super) fn end_after_answer(&self) {
        self.is_ending.store(true, Relaxed);
    }

    /// It may have wide buffers from now on.
    pub(super) fn widen(&self) {
        self.is_wide.store(true, Relaxed);
    }

    /// Whether it may have wide buffers.
    pub(super) fn is_wide(&self) -> bool {
        self.is_wide.load(Relaxed)
    }

    /// Whether its next answer is to be its last.
    pub(super) fn ends_after_answer(&self) -> bool {
        self.is_ending.load(Relaxed)
    }
}

/// See [`Client::ask`].
pub(super) struct Asking(Arc<Client>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.idle_since.store(now(), Relaxed);
    }
}

fn now() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(BUSY - 1)
}

/// A state, with those who are in it in the order in which they came.
#[derive(Debug)]
pub(super) struct Quota {
    most: usize,
    /// As many as there are members, for whoever only wants to know whether there is room.
    count: AtomicUsize,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    by_number: BTreeMap<u64, Member>,
    next: u64,
}

#[derive(Debug)]
pub(super) struct Member {
    client: Arc<Client>,
    since: Instant,
}

impl Member {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it has been there for so long that it may be asked to leave.
    pub(super) fn has_had_its_time(&self) -> bool {
        self.since.elapsed() >= GRACE
    }

    /// The same for one whose request may be whole by now: a write that waits for a slow disk gets longer.
    pub(super) fn has_had_its_time_to_send(&self) -> bool {
        self.since.elapsed() >= if self.client.idle_for().is_none() { BEGUN } else { GRACE }
    }

    /// Whether it may be cut off for a newcomer: nothing of it is being answered, and what it sent would have been read by now
    /// if it were a request.
    pub(super) fn can_be_replaced(&self) -> bool {
        let has_something = self.client.is_silent() && self.client.has_begun.load(Relaxed);
        self.client.idle_for().is_some() && self.since.elapsed() >= if has_something { BEGUN } else { GRACE }
    }
}

impl Quota {
    /// At most so many at once.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, count: AtomicUsize::new(0), members: Mutex::default() })
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Whether a client could enter now.
    pub(super) fn has_room(&self, may_leave: impl Fn(&Member) -> bool) -> bool {
        self.count() < self.most || self.lock().by_number.values().any(may_leave)
    }

    /// Lets a client in. Where there is no room, the first who may leave is cut off; `None` if nobody may.
    pub(super) fn admit(self: &Arc<Self>, client: &Arc<Client>, may_leave: impl Fn(&Member) -> bool) -> Option<Held> {
        let mut members = self.lock();
        if members.by_number.len() >= self.most && !members.evict(may_leave) {
            return None;
        }
        let number = members.insert(Member { client: client.clone(), since: Instant::now() });
        self.count.store(members.by_number.len(), Relaxed);
        Some(Held { quota: self.clone(), number })
    }

    /// Cuts off the first who may leave, if anybody may.
    pub(super) fn evict(&self, may_leave: impl Fn(&Member) -> bool) -> bool {
        let mut members = self.lock();
        let has_evicted = members.evict(may_leave);
        self.count.store(members.by_number.len(), Relaxed);
        has_evicted
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn insert(&mut self, member: Member) -> u64 {
        self.next += 1;
        self.by_number.insert(self.next, member);
        self.next
    }

    fn evict(&mut self, may_leave: impl Fn(&Member) -> bool) -> bool {
        let found = self.by_number.iter().find_map(|(number, member)| may_leave(member).then_some(*number));
        let evicted = found.and_then(|number| self.by_number.remove(&number));
        evicted.inspect(|member| member.client.evicted.notify_one()).is_some()
    }
}

/// A place in a [`Quota`], left when dropped.
#[derive(Debug)]
pub(super) struct Held {
    quota: Arc<Quota>,
    number: u64,
}

impl Held {
    /// As if it had just come: it makes progress.
    pub(super) fn renew(&mut self) {
        let mut members = self.quota.lock();
        if let Some(member) = members.by_number.remove(&self.number) {
            self.number = members.insert(Member { since: Instant::now(), ..member });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut members = self.quota.lock();
        members.by_number.remove(&self.number);
        self.quota.count.store(members.by_number.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn whoever_came_first_and_may_leave_makes_room() {
        let quota = Quota::new(2);
        let clients: [Arc<Client>; 4] = Default::default();
        let is_gone = |at: usize| clients[at].evicted().now_or_never().is_some();
        let mut first = quota.admit(&clients[0], |_| false).unwrap();
        let second = quota.admit(&clients[1], |_| false).unwrap();
        assert!(quota.admit(&clients[2], |_| false).is_none());
        assert!(!quota.has_room(Member::has_had_its_time), "nobody has had its time");
        first.renew();
        let third = quota.admit(&clients[2], |_| true).unwrap();
        assert_eq!((is_gone(0), is_gone(1), quota.count()), (false, true, 2));
        // Who was cut off gives back nothing that it does not have any more.
        drop(second);
        assert_eq!(quota.count(), 2);
        let asking = clients[0].ask();
        let fourth = quota.admit(&clients[3], |member| member.client().is_silent()).unwrap();
        assert_eq!((is_gone(0), is_gone(2)), (false, true));
        assert_eq!(clients[0].idle_for(), None);
        drop((asking, first, third, fourth));
        assert_eq!((quota.count(), clients[0].idle_for().is_some(), clients[0].is_silent()), (0, true, false));
    }
}
