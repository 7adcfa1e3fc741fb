//! Drills on a cluster, with a stand-in for kubectl that runs the real service and the real backups.

mod anew;
mod cluster;
mod failing;
mod interrupted;
mod offsite;
mod passed;
mod refused;
mod silent;
mod stalled;

use std::sync::Mutex;

/// Drills that run side by side: more, and those on a small machine would wait for each other.
const SIDE_BY_SIDE: usize = 3;

/// Runs a check for each case. A check that panics fails the test once the others have ended.
fn for_each<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let cases = Mutex::new(cases.into_iter().collect::<Vec<T>>());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop() } {
                    check(case);
                }
            });
        }
    });
}
