//! One of the volumes is full, broken or gone: refuse, or serve on and say so.

use std::fs;

use super::shim::{EIO, ENOSPC, Shim};
use super::volumes::{Volumes, add, down_from, state};
use crate::harness::{App, fails, until};

/// The service with a shim on the journal.
fn start(volumes: &Volumes, flags: &[&str]) -> (App, Shim) {
    let shim = Shim::below(&volumes.backup().join("journal"));
    let mut command = volumes.command();
    command.args(flags);
    shim.load(&mut command);
    (App::start(command), shim)
}

/// Waits until what is stored is protected again: it is looked for with each health check.
async fn protected_again(app: &App) {
    until(async || match app.get("/health").await {
        health if health.status == 200 && health.json()["protection"]["state"] == "protected" => Ok(()),
        health => Err(health.text),
    })
    .await;
}

#[tokio::test]
async fn where_the_policy_is_to_refuse_a_broken_journal_stops_writes_and_nothing_else() {
    for errno in [ENOSPC, EIO] {
        let volumes = Volumes::new();
        let (app, shim) = start(&volumes, &[]);
        add(&app, 2).await;
        shim.fail(errno);
        let answer = app.add("x").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["outcome"]), (503, &"indeterminate".into()));
        let answer = app.add("x").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["outcome"]), (503, &"refused".into()));
        assert!(
            answer.text.contains("cannot protect new writes against the loss of the database's volume"),
            "{}",
            answer.text
        );
        assert_eq!((app.get("/health").await.status.as_u16(), app.get("/live").await.status.as_u16()), (503, 200));
        let status = app.get("/status").await.json();
        assert_eq!(status["protection"]["state"], "refusing");
        assert!(status["protection"]["reason"].as_str().unwrap().contains(".journal"), "{status}");
        assert_eq!(app.ids().await, down_from(2), "reading goes on, and what was not acknowledged is not there");

        shim.disarm();
        protected_again(&app).await;
        add(&app, 1).await;
        let ids = app.ids().await;
        app.kill();
        volumes.lose_and_restore();
        assert_eq!(volumes.start().ids().await, ids);
    }
}

#[tokio::test]
async fn where_the_policy_is_to_degrade_it_serves_on_says_so_and_takes_a_fresh_restore_point() {
    for errno in [ENOSPC, EIO] {
        let volumes = Volumes::new();
        let (app, shim) = start(&volumes, &["--protect-on-error", "degrade"]);
        add(&app, 2).await;
        assert_eq!(state(&app).await, "protected");
        shim.fail(errno);
        add(&app, 3).await;
        let health = app.get("/health").await;
        assert_eq!((health.status.as_u16(), &health.json()["protection"]["state"]), (200, &"degraded".into()));
        assert!(health.json()["protection"]["reason"].as_str().unwrap().contains(".journal"), "{}", health.text);
        let page = reqwest::Client::new().get(format!("http://{}/", app.address)).header("accept", "text/html");
        let page = page.send().await.unwrap().text().await.unwrap();
        assert!(page.contains("<p class=\"bad\" id=\"unprotected\">"), "{page}");
        let metrics = app.get("/metrics").await.text;
        assert!(metrics.contains("\npra_protected 0\n"), "{metrics}");
        assert_eq!(volumes.repository().manifests().unwrap().len(), 1);

        shim.disarm();
        protected_again(&app).await;
        assert_eq!(volumes.repository().manifests().unwrap().len(), 2, "which holds what the journal does not");
        add(&app, 1).await;
        app.kill();
        volumes.lose_and_restore();
        assert_eq!(volumes.start().ids().await, down_from(6));
    }
}

#[tokio::test]
async fn what_was_stored_in_a_degraded_time_is_protected_after_a_crash_too() {
    let volumes = Volumes::new();
    let (app, shim) = start(&volumes, &["--protect-on-error", "degrade"]);
    add(&app, 2).await;
    shim.fail(EIO);
    add(&app, 2).await;
    app.kill();
    let app = volumes.start();
    assert_eq!((app.ids().await, state(&app).await.as_str()), (down_from(4), "protected"));
    app.kill();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, down_from(4));
}

/// The journal has the group, the database could not take it: it is stored all the same, before the next one.
#[tokio::test]
async fn a_group_that_the_database_could_not_take_is_replayed_into_it() {
    for errno in [ENOSPC, EIO] {
        for is_restarted in [false, true] {
            let volumes = Volumes::new();
            let shim = Shim::below(&volumes.data());
            let mut command = volumes.command();
            shim.load(&mut command);
            let app = App::start(command);
            add(&app, 2).await;
            shim.fail(errno);
            let answer = app.add("x").await;
            assert_eq!((answer.status.as_u16(), &answer.json()["outcome"]), (503, &"indeterminate".into()));
            assert_eq!(app.get("/health").await.status, 503);
            shim.disarm();
            let app = if is_restarted {
                app.kill();
                volumes.start()
            } else {
                protected_again(&app).await;
                app
            };
            assert_eq!(app.ids().await, down_from(3), "{errno} {is_restarted}");
            assert_eq!(add(&app, 1).await, [4]);
            app.kill();
            volumes.lose_and_restore();
            assert_eq!(volumes.start().ids().await, down_from(4));
        }
    }
}

#[tokio::test]
async fn a_repository_that_goes_away_and_comes_back_is_noticed_both_times() {
    for policy in ["refuse", "degrade"] {
        let volumes = Volumes::new();
        let app = volumes.start_with(&["--protect-on-error", policy]);
        add(&app, 2).await;
        let away = volumes.backup().with_file_name("away");
        fs::rename(volumes.backup(), &away).unwrap();
        let answer = app.add("x").await;
        assert_eq!(answer.status, if policy == "refuse" { 503 } else { 200 }, "{}", answer.text);
        assert_ne!(state(&app).await, "protected");
        fs::rename(&away, volumes.backup()).unwrap();
        protected_again(&app).await;
        add(&app, 1).await;
        let ids = app.ids().await;
        app.kill();
        volumes.lose_and_restore();
        assert_eq!(volumes.start().ids().await, ids);
    }
}

#[tokio::test]
async fn a_journal_that_is_deleted_under_the_service_is_replaced() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 2).await;
    fs::remove_dir_all(volumes.backup().join("journal")).unwrap();
    assert_eq!(app.add("x").await.status, 503, "that one is in a file that nobody can ever read");
    protected_again(&app).await;
    add(&app, 1).await;
    let ids = app.ids().await;
    app.kill();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, ids);
}

#[tokio::test]
async fn it_does_not_start_where_it_cannot_know_what_was_acknowledged() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 1).await;
    app.stop();
    fs::rename(volumes.backup(), volumes.backup().with_file_name("away")).unwrap();
    for policy in ["refuse", "degrade"] {
        let mut command = volumes.command();
        command.args(["--protect-on-error", policy]);
        let (code, stderr) = fails(command);
        assert!(code == Some(1) && stderr.contains("cannot create the journal"), "{stderr}");
    }
}

#[tokio::test]
async fn on_volumes_whose_directories_cannot_be_synced_it_serves_and_protects() {
    let volumes = Volumes::new();
    let shim = Shim::below(volumes.data().parent().unwrap());
    let mut command = volumes.command();
    shim.load(&mut command);
    command.env("FAULT_DIRECTORY", "1");
    let app = App::start(command);
    add(&app, 3).await;
    assert_eq!(state(&app).await, "protected");
    app.kill();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, down_from(3));
}
