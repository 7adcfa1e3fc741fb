//! Journal files go once no restore point needs them, and not before.

use super::volumes::{Volumes, add, down_from};

#[tokio::test]
async fn files_that_no_restore_point_needs_are_removed() {
    let volumes = Volumes::new();
    let mut points = Vec::new();
    for _ in 0..4 {
        let app = volumes.start();
        add(&app, 2).await;
        points.push(volumes.take());
        add(&app, 1).await;
        app.kill();
        volumes.lose_and_restore();
    }
    assert_eq!(volumes.journal().len(), 4, "the first restore point needs all of them");
    volumes.keep_last(2);
    volumes.start().kill();
    let names: Vec<_> = volumes.journal().into_iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    assert_eq!(names, ["0000000003", "0000000004", "0000000005"]);
    for point in &points[2..] {
        volumes.lose();
        volumes.restore_named(point);
        let app = volumes.start();
        assert_eq!(app.ids().await, down_from(12));
        app.kill();
    }
}

#[tokio::test]
async fn a_long_journal_goes_on_in_another_file_and_none_is_lost() {
    let volumes = Volumes::new();
    let app = volumes.start();
    let message = "y".repeat(4096);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let requests: Vec<_> =
            (0..300).map(|_| app.request(reqwest::Method::GET, &format!("/add?message={message}"))).collect();
        clients.spawn(async {
            for request in requests {
                request.await.unwrap().id();
            }
        });
    }
    clients.join_all().await;
    assert_eq!(volumes.journal().len(), 2, "4,800 messages of 4 KiB are more than 16 MiB");
    app.kill();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().count().await, 4800);
}
