//! History goes back: `--until`, a restore into the live database, and both more than once.

use super::volumes::{Volumes, add, down_from, instant, state};
use crate::harness::fails;

#[tokio::test]
async fn until_a_time_brings_back_that_moment_and_leaves_the_rest_behind_for_good() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 3).await;
    let then = instant().await;
    add(&app, 2).await;
    app.stop();
    volumes.lose_and_restore();
    let app = volumes.start_with(&["--until", &then]);
    assert_eq!(app.ids().await, down_from(3));
    assert_eq!(state(&app).await, "protected");
    assert_eq!(add(&app, 3).await, [4, 5, 6]);
    app.kill();
    for _ in 0..2 {
        volumes.lose_and_restore();
        let app = volumes.start();
        assert_eq!(app.ids().await, down_from(6), "the 4 and 5 of before are not replayed over these");
        app.kill();
    }
}

#[tokio::test]
async fn until_is_for_one_start() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 1).await;
    let then = instant().await;
    add(&app, 1).await;
    app.stop();
    let mut command = volumes.command();
    command.args(["--until", &then]);
    let (code, stderr) = fails(command);
    assert!(code == Some(1) && stderr.contains("restore an older restore point, or start without --until"), "{stderr}");
    assert_eq!(volumes.start().count().await, 2);
}

#[tokio::test]
async fn restoring_and_going_on_twice_in_a_row_keeps_each_history_apart() {
    let volumes = Volumes::new();
    let mut points = Vec::new();
    let app = volumes.start();
    add(&app, 2).await;
    let first = instant().await;
    points.push(volumes.take());
    add(&app, 2).await;
    points.push(volumes.take());
    app.stop();
    // Back to 2, on to 5, back to 4, on to 6.
    volumes.lose();
    volumes.restore_named(&points[0]);
    let app = volumes.start_with(&["--until", &first]);
    assert_eq!(add(&app, 2).await, [3, 4]);
    let second = instant().await;
    points.push(volumes.take());
    assert_eq!(add(&app, 1).await, [5]);
    app.stop();
    volumes.lose();
    volumes.restore_named(&points[0]);
    let app = volumes.start_with(&["--until", &second]);
    assert_eq!(app.ids().await, down_from(4), "the branch that history went on with, up to that time");
    app.stop();
    volumes.lose();
    volumes.restore_named(&points[2]);
    let app = volumes.start_with(&["--until", &second]);
    assert_eq!(add(&app, 2).await, [5, 6]);
    app.kill();

    for (point, expected) in [(&points[2], Ok(6)), (&points[0], Ok(6)), (&points[1], Err("left behind"))] {
        volumes.lose();
        volumes.restore_named(point);
        match expected {
            Ok(count) => {
                let app = volumes.start();
                assert_eq!(app.ids().await, down_from(count));
                app.kill();
            }
            Err(reason) => {
                let (code, stderr) = fails(volumes.command());
                assert!(code == Some(1) && stderr.contains(reason), "{stderr}");
            }
        }
    }
}

#[tokio::test]
async fn a_restore_into_the_live_database_is_noticed_and_goes_on_from_there() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 3).await;
    let point = volumes.take();
    add(&app, 2).await;
    for round in 0..2 {
        volumes.restore_into_live(&point);
        let id = 6 + round;
        assert_eq!(add(&app, 1).await, [id], "what was given out is not given out again");
        assert_eq!(app.ids().await, [id, 3, 2, 1]);
        assert_eq!(state(&app).await, "protected");
    }
    app.kill();
    volumes.lose_and_restore();
    let app = volumes.start();
    assert_eq!(app.ids().await, [7, 3, 2, 1], "neither 4 and 5 nor 6 are replayed over it");
    app.kill();
}

#[tokio::test]
async fn a_restore_into_the_database_of_a_service_that_is_down_is_noticed_at_its_start() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 3).await;
    let point = volumes.take();
    add(&app, 2).await;
    app.kill();
    volumes.restore_into_live(&point);
    for _ in 0..2 {
        let app = volumes.start();
        assert_eq!(app.ids().await, down_from(3));
        app.kill();
    }
    let app = volumes.start();
    assert_eq!(add(&app, 1).await, [6]);
    app.kill();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, [6, 3, 2, 1]);
}

#[tokio::test]
async fn a_restore_point_of_just_after_a_restore_into_the_live_database_leads_on() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 3).await;
    let point = volumes.take();
    add(&app, 2).await;
    volumes.restore_into_live(&point);
    volumes.take();
    add(&app, 2).await;
    app.kill();
    volumes.lose_and_restore();
    let app = volumes.start();
    assert_eq!((app.ids().await, state(&app).await.as_str()), (vec![7, 6, 3, 2, 1], "protected"));
}

#[tokio::test]
async fn going_back_from_what_was_never_replayed_is_asked_about() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 2).await;
    let (old, then) = (volumes.take(), instant().await);
    add(&app, 2).await;
    let new = volumes.take();
    add(&app, 2).await;
    app.kill();
    volumes.lose();
    volumes.restore_named(&new);
    volumes.restore_into_live(&old);
    let (code, stderr) = fails(volumes.command());
    assert!(code == Some(1) && stderr.contains("that were never replayed"), "{stderr}");
    assert_eq!(volumes.start_with(&["--until", &then]).ids().await, down_from(2));
}

#[tokio::test]
async fn a_clock_that_is_set_back_changes_no_order() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 1).await;
    app.kill();
    // What the service wrote last is from the future of its next start.
    let ahead = "UPDATE journal_position SET time = time + 3600 * 1000000";
    volumes.sqlite().execute(ahead, []).unwrap();
    let app = volumes.start();
    let then = instant().await;
    add(&app, 2).await;
    app.kill();
    for (until, expected) in [("2100-01-01T00:00:00Z".to_owned(), 3), (then, 1)] {
        volumes.lose();
        volumes.restore_named(&volumes.repository().manifests().unwrap()[0]);
        let app = volumes.start_with(&["--until", &until]);
        assert_eq!(app.ids().await, down_from(expected), "no group is older than the one before it");
        app.kill();
    }
}
