//! A drill that is killed at any step that it wrote down leaves something that `drill cleanup` finishes.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{LIMIT, Place, Running, assert_exit};

/// Steps of kill-pvc; that it has no more is asserted.
const STEPS: usize = 8;

/// The steps that the drill of this place has written down so far.
fn steps(place: &Place) -> Vec<String> {
    let intents = place.list(".drill").into_iter().map(|folder| folder.join("intents.jsonl"));
    let text: String = intents.filter_map(|file| fs::read_to_string(file).ok()).collect();
    // A torn last line has no end yet.
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
}

/// Kills a drill as soon as it has written down this many steps; `None` if it had fewer.
fn kill_at(place: &Place, wanted: usize) -> Option<()> {
    let mut drill = Running::start(place.drill(&["run", "kill-pvc", "--backup-every", "1s"]));
    let deadline = Instant::now() + LIMIT;
    while steps(place).len() < wanted {
        if drill.has_ended() {
            return None;
        }
        assert!(Instant::now() < deadline, "it has not come to step {wanted}: {:?}", steps(place));
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None, "it ended before it could be killed at step {wanted}");
    Some(())
}

fn cleaned_up(wanted: usize) {
    let place = Place::new();
    kill_at(&place, wanted).unwrap();
    let last = steps(&place).pop().unwrap();
    let output = place.drill(&["cleanup"]).output().unwrap();
    assert_exit(&output, 0);
    let said = String::from_utf8(output.stdout).unwrap();
    let (_, step) = said.trim_end().split_once("that drill was killed at the step: ").unwrap();
    assert!(last.contains(&serde_json::to_string(step).unwrap()), "{said} {last}");
    place.assert_clean();
}

#[test]
fn a_drill_killed_at_each_step_is_cleaned_up() {
    let next = std::sync::atomic::AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let wanted @ ..=STEPS = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                    cleaned_up(wanted);
                }
            });
        }
    });
    assert_eq!(kill_at(&Place::new(), STEPS + 1), None, "kill-pvc has more steps than were tried");
}
