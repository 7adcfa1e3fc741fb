//! The volume is lost, a restore point is restored, and the service starts.

use std::collections::BTreeSet;

use reqwest::Method;
use tokio::task::JoinSet;

use super::volumes::{Volumes, add, down_from, state};
use crate::harness::{App, fails, until};

/// Adds without end from 32 clients; each gives the ids that were acknowledged until it got no answer.
fn load(app: &App) -> JoinSet<BTreeSet<i64>> {
    let mut clients = JoinSet::new();
    for _ in 0..32 {
        let requests: Vec<_> = (0..2000).map(|_| app.request(Method::GET, "/add?message=x")).collect();
        clients.spawn(async {
            let mut ids = BTreeSet::new();
            for request in requests {
                match request.await {
                    Some(answer) if answer.status == 200 => assert!(ids.insert(answer.id())),
                    _ => break,
                }
            }
            ids
        });
    }
    clients
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_with_the_volume() {
    let volumes = Volumes::new();
    let mut acknowledged = BTreeSet::new();
    for _ in 0..3 {
        let app = volumes.start();
        let clients = load(&app);
        let more = i64::try_from(acknowledged.len()).unwrap() + 300;
        until(async || match app.count().await {
            count if count > more => Ok(()),
            count => Err(format!("{count} messages")),
        })
        .await;
        app.kill();
        for ids in clients.join_all().await {
            assert!(ids.is_disjoint(&acknowledged), "an id was given out twice");
            acknowledged.extend(ids);
        }
        volumes.lose_and_restore();
    }
    let app = volumes.start();
    let found: BTreeSet<_> = app.ids().await.into_iter().collect();
    assert_eq!(acknowledged.difference(&found).count(), 0, "of {}", acknowledged.len());
    assert_eq!(app.count().await, i64::try_from(found.len()).unwrap());
}

#[tokio::test]
async fn the_first_write_is_protected_already_and_so_is_what_comes_after_a_recovery() {
    let volumes = Volumes::new();
    for round in 0..4 {
        let app = volumes.start();
        assert_eq!(app.ids().await, down_from(round));
        assert_eq!(state(&app).await, "protected");
        assert_eq!(add(&app, 1).await, [round + 1]);
        app.kill();
        volumes.lose_and_restore();
    }
}

#[tokio::test]
async fn what_is_replayed_is_what_was_stored() {
    let volumes = Volumes::new();
    let app = volumes.start();
    for message in ["plain", "%C3%A9%F0%9F%8E%89", "a%00b%0Ac", &"y".repeat(4096)] {
        app.add(message).await.id();
    }
    let before = app.get("/consultation").await.json();
    app.stop();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().get("/consultation").await.json(), before);
}

#[tokio::test]
async fn a_restart_replays_nothing_and_keeps_the_file() {
    let volumes = Volumes::new();
    for _ in 0..3 {
        let app = volumes.start();
        add(&app, 2).await;
        app.stop();
    }
    assert_eq!(volumes.journal().len(), 1);
    assert_eq!(volumes.repository().entries().unwrap().len(), 1, "one restore point to start from is enough");
    assert_eq!(volumes.start().ids().await, down_from(6));
}

#[tokio::test]
async fn a_restore_point_of_any_moment_leads_to_the_end() {
    let volumes = Volumes::new();
    let app = volumes.start();
    let mut points = Vec::new();
    for _ in 0..4 {
        add(&app, 3).await;
        points.push(volumes.take());
    }
    add(&app, 1).await;
    app.kill();
    for point in &points {
        volumes.lose();
        volumes.restore_named(point);
        let app = volumes.start();
        assert_eq!(app.ids().await, down_from(13));
        app.kill();
    }
}

#[tokio::test]
async fn a_database_that_was_served_unprotected_is_protected_from_a_fresh_restore_point_on() {
    let volumes = Volumes::new();
    let unprotected = || App::start(crate::harness::command(&volumes.database()));
    let app = unprotected();
    add(&app, 2).await;
    let before = volumes.take();
    app.stop();
    let app = volumes.start();
    assert_eq!(state(&app).await, "protected");
    add(&app, 2).await;
    app.stop();
    // In between, somebody forgets the flag.
    let app = unprotected();
    add(&app, 2).await;
    app.stop();
    let app = volumes.start();
    assert_eq!(state(&app).await, "protected");
    add(&app, 2).await;
    app.kill();
    volumes.lose_and_restore();
    let app = volumes.start();
    assert_eq!(app.ids().await, down_from(8));
    app.kill();
    // The restore point of before the journal lacks what nothing else has.
    volumes.lose();
    volumes.restore_named(&before);
    let (code, stderr) = fails(volumes.command());
    assert!(code == Some(1) && stderr.contains("contains no group, but its journal does"), "{stderr}");
    let point = volumes.repository().manifests().unwrap()[1].clone();
    volumes.lose();
    volumes.restore_named(&point);
    let (code, stderr) = fails(volumes.command());
    assert!(code == Some(1) && stderr.contains("were not journaled; later restore points contain them"), "{stderr}");
}

#[tokio::test]
async fn without_protection_it_does_not_start_on_what_lacks_acknowledged_messages() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 3).await;
    app.kill();
    let unprotected = || {
        let mut command = crate::harness::command(&volumes.database());
        command.arg("--repository").arg(volumes.backup());
        command
    };
    App::start(unprotected()).stop();
    volumes.lose_and_restore();
    let (code, stderr) = fails(unprotected());
    assert!(code == Some(1) && stderr.contains("lacks 3 messages"), "{stderr}");
    volumes.start().stop();
    assert_eq!(App::start(unprotected()).ids().await, down_from(3));
}

#[tokio::test]
async fn a_journal_of_another_lineage_beside_it_confuses_nobody() {
    let (volumes, other) = (Volumes::new(), Volumes::new());
    let app = volumes.start();
    add(&app, 2).await;
    app.kill();
    // Another database in the same repository, as after a start with an empty volume.
    let mut command = crate::harness::command(&other.database());
    command.args(["--protect", "sync", "--repository"]).arg(volumes.backup());
    let stranger = App::start(command);
    add(&stranger, 5).await;
    stranger.stop();
    let lineage = volumes.repository().manifests().unwrap()[0].lineage.clone().unwrap();
    volumes.lose();
    let lineage = backup::restore::LineageChoice::Prefix(lineage.as_str().to_owned());
    volumes.restore_lineage(lineage);
    let app = volumes.start();
    assert_eq!(app.ids().await, down_from(2));
    assert_eq!(state(&app).await, "protected");
}
