//! A power cut: of whatever was not synced, nothing is left, on one volume or on both.

use std::path::PathBuf;

use super::killed::{add_killed, everything_is_there, starts};
use super::shim::Shim;
use super::volumes::{Volumes, add, state};
use crate::harness::App;

/// More calls than there are in a start.
const CALLS_MAX: usize = 200;

fn start(volumes: &Volumes, shim: &Shim) -> App {
    let mut command = volumes.command();
    shim.load_and_keep(&mut command);
    App::start(command)
}

/// The volumes that lose their power.
fn volumes_of(volumes: &Volumes, which: &str) -> Vec<PathBuf> {
    match which {
        "data" => vec![volumes.data()],
        "backup" => vec![volumes.backup()],
        _ => vec![volumes.data(), volumes.backup()],
    }
}

#[tokio::test]
async fn a_power_cut_at_any_step_of_a_group_loses_nothing_that_was_acknowledged() {
    for which in ["data", "backup", "both"] {
        let mut cuts = 0;
        for call in 1..CALLS_MAX {
            let volumes = Volumes::new();
            let shim = Shim::below(volumes.data().parent().unwrap());
            let app = start(&volumes, &shim);
            let mut acknowledged = add(&app, 2).await;
            let added = add_killed(&app, &shim, "after", call).await;
            acknowledged.extend(added);
            app.kill();
            for volume in volumes_of(&volumes, which) {
                shim.cut_power(&volume);
            }
            let what = format!("{which}, after call {call}");
            everything_is_there(&volumes, &acknowledged, &what).await;
            volumes.lose_and_restore();
            everything_is_there(&volumes, &acknowledged, &format!("{what}, then lost")).await;
            if added.is_some() {
                break;
            }
            cuts += 1;
        }
        assert!(cuts >= 6, "{cuts}: to write and to fsync on two volumes, and to answer, takes more calls");
    }
}

#[tokio::test]
async fn after_a_power_cut_at_any_step_of_the_first_start_the_next_one_succeeds() {
    let mut cuts = 0;
    for call in 1..CALLS_MAX {
        let volumes = Volumes::new();
        let shim = Shim::below(volumes.data().parent().unwrap());
        shim.kill("after", call);
        let mut command = volumes.command();
        shim.load_and_keep(&mut command);
        let started = starts(command);
        for volume in volumes_of(&volumes, "both") {
            shim.cut_power(&volume);
        }
        let app = volumes.start();
        assert_eq!((app.ids().await, state(&app).await.as_str()), (Vec::new(), "protected"), "after call {call}");
        assert_eq!(add(&app, 1).await, [1], "after call {call}");
        app.kill();
        if started {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 20, "{cuts}: a database, a restore point and a journal take more calls");
}

/// What this file relies upon: without the syncs, nothing would be left.
#[tokio::test]
async fn a_power_cut_takes_what_was_not_synced() {
    let volumes = Volumes::new();
    let shim = Shim::below(volumes.data().parent().unwrap());
    let app = start(&volumes, &shim);
    add(&app, 1).await;
    app.kill();
    // Only a program that was loaded to keep it brings anything to disk.
    let foreign = volumes.backup().join("never-synced");
    std::fs::write(&foreign, "x").unwrap();
    for volume in volumes_of(&volumes, "both") {
        shim.cut_power(&volume);
    }
    assert!(!foreign.exists());
    // SQLite syncs no -shm file: it is only an index.
    let shm = std::fs::metadata(volumes.data().join("app.db-shm")).map_or(0, |found| found.len());
    assert_eq!(shm, 0, "the -shm file was kept");
}
