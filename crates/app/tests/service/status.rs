//! What `/status` says of the restore points of this database.

use std::fs;
use std::time::Duration;

use backup::Repository;
use backup::take::{self, Request};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, Place};

/// Starts the service beside a repository in `backup/`.
pub fn start(place: &Place) -> App {
    let mut command = place.command();
    command.arg("--repository").arg(place.path().join("backup"));
    App::start(command)
}

/// Takes a restore point of a database into the repository of a place.
pub fn take(database: &Place, repository: &Place) -> String {
    let directory = repository.path().join("backup");
    fs::create_dir_all(&directory).unwrap();
    let writer = Repository::at(directory).writer(Duration::ZERO).unwrap();
    let request = Request::new(database.database());
    take::run(&writer, &request, &mut |_| {}).unwrap().restore_point.stored_file()
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
    assert_eq!(status["database"], "app.db");
    assert_eq!(status["lineage"].as_str().unwrap().len(), 32);
    assert!(status["size_bytes"].as_i64().unwrap() > 0);
    assert!(status["uptime_seconds"].is_u64());
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(backup_fields(&app).await, (Value::Null, Value::Null, Value::Null));
}

#[tokio::test]
async fn paths_are_told_only_if_that_is_asked_for() {
    let place = Place::new();
    let directory = place.path().to_str().unwrap();
    for is_asked in [false, true] {
        let mut command = place.command();
        command.arg("--repository").arg(place.path().join("backup"));
        if is_asked {
            command.arg("--status-paths");
        }
        let app = App::start(command);
        let status = app.get("/status").await;
        for field in ["database", "backup_dir", "backup_error"] {
            let told = status.json()[field].as_str().unwrap().to_owned();
            assert_eq!(told.contains(directory), is_asked, "{field}: {told}");
        }
        assert!(status.text.contains("backup") && status.text.contains("app.db"), "{}", status.text);
        // What keeps the service from writing is told without saying where.
        fs::remove_file(place.database()).unwrap();
        for path in ["/health", "/live", "/add?message=x", "/count"] {
            let answer = app.get(path).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(answer.text.contains("app.db was deleted") && !answer.text.contains(directory), "{}", answer.text);
        }
        let page = app.get_as("/", "text/html").await.text;
        assert!(page.contains("app.db was deleted") && !page.contains(directory), "{page}");
        app.stop_lost();
        ["-wal", "-shm"].iter().for_each(|suffix| drop(fs::remove_file(place.path().join(format!("app.db{suffix}")))));
    }
}

#[tokio::test]
async fn however_many_ask_the_repository_is_read_by_one_at_a_time_and_never_from_before() {
    let place = Place::new();
    let app = start(&place);
    app.add("x").await.id();
    take(&place, &place);
    for number in 2..6 {
        app.add("x").await.id();
        let asked: Vec<_> = (0..64).map(|_| tokio::spawn(app.request(Method::GET, "/status"))).collect();
        for answer in asked {
            let status = answer.await.unwrap().unwrap().json();
            assert_eq!((&status["count"], &status["exposed_messages"]), (&json!(number), &json!(number - 1)));
        }
    }
}

#[tokio::test]
async fn a_repository_that_is_never_read_to_its_end_keeps_nobody_waiting() {
    let place = Place::new();
    let directory = place.path().join("backup");
    fs::create_dir(&directory).unwrap();
    nix::unistd::mkfifo(&directory.join("rehearsals.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let app = start(&place);
    app.add("x").await.id();
    for path in ["/status", "/status", "/metrics"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.contains("backup_error") || answer.text.contains("pra_messages 1"), "{}", answer.text);
    }
    assert_eq!(app.get("/health").await.status, 200);
    app.stop();
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
    app.add("x").await.id();
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

/// Changes what the manifest of a stored file says, without the digest that would tell.
fn edit(place: &Place, stored_file: &str, field: &str, value: Value) {
    let path = place.path().join("backup").join(stored_file.replace(".db", ".json"));
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest[field] = value;
    manifest.as_object_mut().unwrap().remove("manifest_blake3");
    fs::write(path, manifest.to_string()).unwrap();
}

#[tokio::test]
async fn a_restore_point_of_the_future_does_not_look_fresh() {
    let place = Place::new();
    let app = start(&place);
    let old = take(&place, &place);
    app.add("x").await.id();
    let newest = take(&place, &place);
    edit(&place, &old, "created_at", json!("2020-01-01T00:00:00Z"));
    edit(&place, &newest, "created_at", json!("2999-01-01T00:00:00Z"));
    let (file, age, _) = backup_fields(&app).await;
    assert_eq!(file, json!(newest));
    assert!(age.as_i64().unwrap() > 6 * 365 * 86_400, "since the last time that can be believed: {age}");
    edit(&place, &old, "created_at", json!("2998-01-01T00:00:00Z"));
    assert_eq!(backup_fields(&app).await.1, Value::Null);
    let metrics = app.get("/metrics").await.text;
    assert!(!metrics.contains("\npra_restore_point_age_seconds"), "{metrics}");
}

#[tokio::test]
async fn what_is_known_of_the_newest_restore_point_is_told() {
    let place = Place::new();
    let app = start(&place);
    app.add("x").await.id();
    let newest = take(&place, &place);
    let known = async || {
        let status = app.get("/status").await.json();
        let metrics = app.get("/metrics").await.text;
        (
            status["backup_suspect"].clone(),
            status["backup_verdict"].clone(),
            metrics.contains("pra_restore_point_sound 1"),
        )
    };
    assert_eq!(known().await, (json!(false), json!("sound"), true));
    let findings = json!({"check": "quick", "verdict": "inconsistent", "findings": ["NULL value in t.n"]});
    edit(&place, &newest, "checked", findings);
    assert_eq!(known().await, (json!(false), json!("inconsistent"), false));
}

#[tokio::test]
async fn an_idle_service_stays_as_its_restore_point_holds_it() {
    let place = Place::new();
    let app = start(&place);
    app.add("x").await.id();
    let newest = take(&place, &place);
    for _ in 0..3 {
        assert_eq!(app.get("/health").await.status, 200);
    }
    // Health checks commit; nothing has changed all the same, and the newest restore point is confirmed.
    assert_eq!(take(&place, &place), newest);
    assert_eq!(fs::read_dir(place.path().join("backup")).unwrap().count(), 3, "database, manifest, lock");
}

#[tokio::test]
async fn the_last_restore_that_was_proven_shows_with_its_age() {
    let place = Place::new();
    let app = start(&place);
    take(&place, &place);
    assert_eq!(app.get("/status").await.json()["last_verified_restore_seconds"], Value::Null);
    let repository = Repository::at(place.path().join("backup"));
    let newest = repository.newest(None).unwrap().unwrap();
    let rehearsal = backup::rehearse(&repository, &newest, place.path()).unwrap();
    repository.writer(Duration::ZERO).unwrap().remember(&rehearsal).unwrap();
    let age = app.get("/status").await.json()["last_verified_restore_seconds"].clone();
    assert!((0..30).contains(&age.as_i64().unwrap()), "{age}");
}
