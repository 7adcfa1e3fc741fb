//! A restore into the database while the service goes on: `backup restore --into-live`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use backup::restore::{self, Choice, Request, Terms};
use backup::verify::Check;
use backup::{Manifest, Repository, Restored, take};
use reqwest::Method;
use tokio::task::{JoinSet, spawn_blocking};

use crate::harness::{BOUND, Place, until};

fn repository(place: &Place) -> Repository {
    let directory = place.path().join("backup");
    fs::create_dir_all(&directory).unwrap();
    Repository::at(directory)
}

fn take(place: &Place) -> Manifest {
    let writer = repository(place).writer(Duration::ZERO).unwrap();
    take::run(&writer, &take::Request::new(place.database()), &mut |_| {}).unwrap().restore_point
}

async fn restore(place: &Place, point: &Manifest) -> Restored {
    let (repository, database) = (repository(place), place.database());
    let choice = Choice::Name(point.name.clone());
    let request =
        Request { database, choice, lineage: None, source_name: None, force: false, check: Some(Check::Full) };
    let terms = Terms { wait: BOUND, hold: BOUND, reuse_keys: false };
    spawn_blocking(move || restore::into_live(&repository, &request, terms, &mut |_| {})).await.unwrap().unwrap()
}

fn ids(path: &Path) -> BTreeSet<i64> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT id FROM message").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn messages_that_were_deleted_are_back_and_the_service_never_stopped() {
    let place = Place::new();
    let app = place.start();
    for _ in 0..20 {
        app.add("x").await.id();
    }
    let point = take(&place);
    assert_eq!(app.add("later").await.id(), 21);
    place.sqlite().execute("DELETE FROM message WHERE id > 1", []).unwrap();
    assert_eq!((app.count().await, app.ids().await), (1, vec![1]));

    let restored = restore(&place, &point).await;
    assert_eq!(app.count().await, 20);
    assert_eq!(app.ids().await, (1..=20).rev().collect::<Vec<_>>());
    assert_eq!(app.get("/health").await.status, 200);
    assert_eq!(app.add("x").await.id(), 22, "21 was given out already");
    assert_eq!(ids(&restored.safety_copy.unwrap()), BTreeSet::from([1]));
    app.stop();
    assert_eq!(place.start().count().await, 21);
}

#[tokio::test]
async fn writes_that_are_acknowledged_meanwhile_are_kept_on_one_side_or_the_other() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    let point = take(&place);
    let mut acknowledged = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for _ in 0..5 {
        let mut requests = JoinSet::new();
        for _ in 0..300 {
            requests.spawn(app.request(Method::GET, "/add?message=x"));
        }
        // Once the first are there, so that the restore comes in the middle.
        let first = requests.join_next().await.unwrap().unwrap().unwrap().id();
        assert!(acknowledged.insert(first));
        let restored = restore(&place, &point).await;
        kept.extend(ids(&restored.safety_copy.unwrap()));
        for answer in requests.join_all().await {
            assert!(acknowledged.insert(answer.unwrap().id()), "an id was given out twice");
        }
        let found = app.ids().await;
        assert_eq!(app.count().await, i64::try_from(found.len()).unwrap());
        until(async || match app.get("/health").await {
            answer if answer.status == 200 => Ok(()),
            answer => Err(answer.text),
        })
        .await;
    }
    kept.extend(app.ids().await);
    assert_eq!(acknowledged.difference(&kept).count(), 0);
    app.stop();
}
