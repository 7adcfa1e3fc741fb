//! What `/status` says of the restore points of this database.

use std::fs;
use std::time::Duration;

use backup::Repository;
use backup::take::{self, Request};
use backup::verify::Check;
use serde_json::{Value, json};

use crate::harness::{App, Place};

/// Starts the service beside a repository in `backup/`.
pub fn start(place: &Place) -> App {
    let mut command = place.command();
    command.arg("--backup-dir").arg(place.path().join("backup"));
    App::start(command)
}

/// Takes a restore point of a database into the repository of a place.
pub fn take(database: &Place, repository: &Place) -> String {
    let directory = repository.path().join("backup");
    fs::create_dir_all(&directory).unwrap();
    let writer = Repository::at(directory).writer(Duration::ZERO).unwrap();
    let request = Request { database: database.database(), check: Check::Quick, deadline: Duration::from_secs(10) };
    take::run(&writer, &request, &mut |_| {}).unwrap().name.database_file()
}

async fn backup_fields(app: &App) -> (Value, Value, Value) {
    let status = app.get("/status").await.json();
    (status["last_backup_file"].clone(), status["backup_age_seconds"].clone(), status["backup_error"].clone())
}

#[tokio::test]
async fn without_a_repository_there_is_no_backup_and_no_error() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    let status = app.get("/status").await.json();
    assert_eq!(status["count"], 1);
    assert_eq!(status["database"], place.database().to_str().unwrap());
    assert_eq!(status["lineage"].as_str().unwrap().len(), 32);
    assert!(status["size_bytes"].as_i64().unwrap() > 0);
    assert!(status["uptime_seconds"].is_u64());
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(backup_fields(&app).await, (Value::Null, Value::Null, Value::Null));
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_told_beside_the_rest() {
    let place = Place::new();
    let app = start(&place);
    let (file, age, error) = backup_fields(&app).await;
    assert_eq!((file, age), (Value::Null, Value::Null));
    assert!(error.as_str().unwrap().contains("backup"), "{error}");
    fs::create_dir(place.path().join("backup")).unwrap();
    assert_eq!(backup_fields(&app).await, (Value::Null, Value::Null, Value::Null));
}

#[tokio::test]
async fn the_newest_restore_point_of_this_lineage_is_shown_with_its_age() {
    let place = Place::new();
    let app = start(&place);
    take(&place, &place);
    let newest = take(&place, &place);
    // A database that took its place before, or one that shares the repository, does not protect this one.
    let other = Place::new();
    let other_app = other.start();
    take(&other, &place);
    drop(other_app);

    let (file, age, error) = backup_fields(&app).await;
    assert_eq!((file, error), (json!(newest), Value::Null));
    assert!((0..30).contains(&age.as_i64().unwrap()), "{age}");
    assert_eq!(app.get("/status").await.json()["backup_sequence"], 2);
}
