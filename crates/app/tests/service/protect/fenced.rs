//! Two services and one journal: with one database they take turns, with two only one of them goes on.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use backup::restore::{self, Choice, Request};
use backup::verify::Check;
use nix::sys::signal::Signal;
use reqwest::Method;
use tokio::task::{JoinSet, spawn_blocking};

use super::volumes::{Volumes, add, down_from, state};
use crate::harness::{App, command, until};

/// A service with a restored copy in another directory, beside the one that runs.
fn newcomer(volumes: &Volumes) -> Command {
    let database = volumes.backup().with_file_name("other").join("app.db");
    fs::create_dir(database.parent().unwrap()).unwrap();
    let (choice, check) = (Choice::Latest, Check::Quick);
    let request = Request {
        database: database.clone(),
        choice,
        lineage: None,
        source_name: None,
        force: false,
        check: Some(check),
    };
    restore::run(&volumes.repository(), &request, &mut |_| {}).unwrap();
    let mut command = command(&database);
    command.args(["--protect", "sync", "--repository"]).arg(volumes.backup());
    command
}

/// As if the newcomer ran on another node, where kernel locks do not reach.
fn forget_lock(volumes: &Volumes) {
    let lock = volumes.newest_file().with_file_name(".lock");
    fs::remove_file(lock).unwrap();
}

fn load(app: &App, clients: usize) -> JoinSet<BTreeSet<i64>> {
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let requests: Vec<_> = (0..3000).map(|_| app.request(Method::GET, "/add?message=x")).collect();
        tasks.spawn(async {
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
    tasks
}

#[tokio::test]
async fn two_services_with_one_database_take_turns_and_lose_nothing() {
    let volumes = Volumes::new();
    let (one, two) = (volumes.start(), volumes.start());
    let mut requests = JoinSet::new();
    for app in [&one, &two] {
        for _ in 0..200 {
            requests.spawn(app.request(Method::GET, "/add?message=x"));
        }
    }
    let acknowledged: BTreeSet<_> = requests.join_all().await.into_iter().map(|answer| answer.unwrap().id()).collect();
    assert_eq!(acknowledged.len(), 400);
    // A graceful replacement: no request fails.
    one.stop();
    assert_eq!(add(&two, 1).await, [401]);
    assert_eq!((volumes.journal().len(), state(&two).await.as_str()), (1, "protected"));
    two.kill();
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, down_from(401));
}

#[tokio::test]
async fn services_that_start_at_once_agree_on_one_journal() {
    let volumes = Volumes::new();
    let starts: Vec<_> = (0..5)
        .map(|_| {
            let command = volumes.command();
            spawn_blocking(|| App::start(command))
        })
        .collect();
    for start in starts {
        let app = start.await.unwrap();
        add(&app, 1).await;
        assert_eq!(state(&app).await, "protected");
    }
    assert_eq!(volumes.journal().len(), 1);
    volumes.lose_and_restore();
    assert_eq!(volumes.start().ids().await, down_from(5));
}

#[tokio::test]
async fn a_service_with_another_database_waits_until_the_first_has_left() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 2).await;
    let command = newcomer(&volumes);
    let mut starting = spawn_blocking(|| App::start(command));
    let early = tokio::time::timeout(Duration::from_secs(1), &mut starting).await;
    assert!(early.is_err(), "it must not start beside a service that lives");
    assert_eq!(add(&app, 2).await, [3, 4]);
    app.stop();
    let newcomer = starting.await.unwrap();
    assert_eq!(newcomer.ids().await, down_from(4));
    assert_eq!(add(&newcomer, 1).await, [5]);
}

#[tokio::test]
async fn whoever_is_taken_over_acknowledges_nothing_that_the_newcomer_lacks() {
    for _ in 0..5 {
        let volumes = Volumes::new();
        let mut app = volumes.start();
        let command = newcomer(&volumes);
        let clients = load(&app, 16);
        until(async || match app.count().await {
            count if count > 50 => Ok(()),
            count => Err(format!("{count} messages")),
        })
        .await;
        forget_lock(&volumes);
        let newcomer = spawn_blocking(|| App::start(command)).await.unwrap();
        let acknowledged: BTreeSet<_> = clients.join_all().await.into_iter().flatten().collect();
        let found: BTreeSet<_> = newcomer.ids().await.into_iter().collect();
        assert!(acknowledged.len() > 50);
        assert_eq!(acknowledged.difference(&found).count(), 0, "of {}", acknowledged.len());

        for path in ["/health", "/live", "/count", "/add?message=x"] {
            assert_eq!(app.get(path).await.status, 503, "{path}");
        }
        assert!(app.get("/live").await.text.contains("has taken over"), "{}", app.stderr());
        app.signal(Signal::SIGTERM);
        assert_eq!(app.ended().code(), Some(1));
        newcomer.add("x").await.id();
        assert_eq!(state(&newcomer).await, "protected");
    }
}

#[tokio::test]
async fn whoever_slept_through_being_taken_over_finds_out() {
    let volumes = Volumes::new();
    let app = volumes.start();
    add(&app, 2).await;
    let command = newcomer(&volumes);
    app.signal(Signal::SIGSTOP);
    forget_lock(&volumes);
    let newcomer = App::start(command);
    add(&newcomer, 2).await;
    // What ended the epoch of the sleeper has been removed since, as if no restore point needed it.
    let files = volumes.journal();
    newcomer.stop();
    fs::copy(&files[1], files[1].with_file_name("0000000003.journal")).unwrap();
    for file in &files {
        fs::remove_file(file).unwrap();
    }
    app.signal(Signal::SIGCONT);
    let answer = app.add("x").await;
    assert!(answer.status == 503 && answer.text.contains("has taken over"), "{}", answer.text);
}
