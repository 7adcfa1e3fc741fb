//! kill -9 before and after every write, every fsync and every answer, from the start to an acknowledgement.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use reqwest::Method;

use super::shim::Shim;
use super::volumes::{Volumes, add, state};
use crate::harness::App;

/// More calls than there are in a start or a group.
const CALLS_MAX: usize = 60;

/// The service with a shim that counts calls on both volumes and on sockets.
fn start(volumes: &Volumes, shim: &Shim) -> App {
    let mut command = volumes.command();
    shim.load(&mut command);
    App::start(command)
}

/// Adds one message, with a kill at a call; gives its id, or `None` if the service died.
pub async fn add_killed(app: &App, shim: &Shim, when: &str, call: usize) -> Option<i64> {
    shim.kill(when, call);
    let answer = app.request(Method::GET, "/add?message=x").await;
    shim.disarm();
    answer.map(|answer| answer.id())
}

/// Starts again, and checks that everything acknowledged is there, nothing twice, and at most one more.
pub async fn everything_is_there(volumes: &Volumes, acknowledged: &[i64], what: &str) {
    let app = volumes.start();
    let found = app.ids().await;
    let (least, most) = (acknowledged.len(), acknowledged.len() + 1);
    let expected: BTreeSet<_> = acknowledged.iter().copied().collect();
    let distinct: BTreeSet<_> = found.iter().copied().collect();
    assert!(expected.is_subset(&distinct), "{what}: {acknowledged:?} acknowledged, found {found:?}");
    assert!(distinct.len() == found.len() && (least..=most).contains(&found.len()), "{what}: found {found:?}");
    assert_eq!(state(&app).await, "protected", "{what}");
    app.kill();
}

#[tokio::test]
async fn a_kill_at_any_step_of_a_group_loses_nothing_that_was_acknowledged() {
    for when in ["before", "after"] {
        let mut kills = 0;
        for call in 1..CALLS_MAX {
            let volumes = Volumes::new();
            let shim = Shim::below(volumes.data().parent().unwrap());
            let app = start(&volumes, &shim);
            let mut acknowledged = add(&app, 2).await;
            let added = add_killed(&app, &shim, when, call).await;
            acknowledged.extend(added);
            app.kill();
            // The volume with the database survives, and then it does not.
            everything_is_there(&volumes, &acknowledged, &format!("{when} call {call}")).await;
            volumes.lose_and_restore();
            everything_is_there(&volumes, &acknowledged, &format!("{when} call {call}, lost")).await;
            if added.is_some() {
                break;
            }
            kills += 1;
        }
        assert!(kills >= 6, "{kills}: to write and to fsync on two volumes, and to answer, takes more calls");
    }
}

#[tokio::test]
async fn a_kill_at_any_step_of_a_recovery_leaves_one_that_can_be_run_again() {
    for when in ["before", "after"] {
        let volumes = Volumes::new();
        let app = volumes.start();
        let acknowledged = add(&app, 3).await;
        app.kill();
        let mut kills = 0;
        for call in 1..CALLS_MAX {
            volumes.lose_and_restore();
            let shim = Shim::below(volumes.data().parent().unwrap());
            shim.kill(when, call);
            let mut command = volumes.command();
            shim.load(&mut command);
            let started = starts(command);
            everything_is_there(&volumes, &acknowledged, &format!("{when} call {call}")).await;
            if started {
                break;
            }
            kills += 1;
        }
        assert!(kills >= 6, "{kills}");
    }
}

/// Whether it gets as far as to say where it listens; it is killed then.
pub fn starts(mut command: Command) -> bool {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    !line.is_empty()
}
