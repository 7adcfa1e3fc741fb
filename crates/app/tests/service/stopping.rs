//! What was acknowledged is there after every kind of end.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use reqwest::Method;
use tokio::task::JoinSet;

use crate::harness::{App, BOUND, Place, until};

/// Adds without end from several clients; each gives the ids that were acknowledged until it got no answer.
fn load(app: &App) -> JoinSet<BTreeSet<i64>> {
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let requests: Vec<_> = (0..5000).map(|_| app.request(Method::GET, "/add?message=x")).collect();
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

async fn some_are_added(app: &App, more_than: i64) {
    until(async || match app.count().await {
        count if count > more_than => Ok(()),
        count => Err(format!("{count} messages, expected more than {more_than}")),
    })
    .await;
}

async fn acknowledged(clients: JoinSet<BTreeSet<i64>>) -> BTreeSet<i64> {
    clients.join_all().await.into_iter().flatten().collect()
}

#[tokio::test]
async fn acknowledged_writes_survive_sigkill() {
    let place = Place::new();
    let mut expected = BTreeSet::new();
    for _ in 0..4 {
        let app = place.start();
        let clients = load(&app);
        some_are_added(&app, i64::try_from(expected.len()).unwrap() + 100).await;
        app.kill();
        let acknowledged = acknowledged(clients).await;
        assert!(acknowledged.is_disjoint(&expected), "an id was given twice");
        expected.extend(acknowledged);
    }
    let found: BTreeSet<_> = place.start().ids().await.into_iter().collect();
    assert_eq!(expected.difference(&found).count(), 0);
}

#[tokio::test]
async fn sigterm_under_load_loses_nothing_and_empties_the_wal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let place = Place::new();
        let mut app = place.start();
        let clients = load(&app);
        some_are_added(&app, 100).await;
        app.signal(signal);
        assert_eq!(app.ended().code(), Some(0), "{}", app.stderr());
        let expected = acknowledged(clients).await;
        assert!(fs::metadata(place.wal()).map_or(0, |wal| wal.len()) == 0, "the WAL must be empty");
        let found: BTreeSet<_> = place.start().ids().await.into_iter().collect();
        assert_eq!(expected.difference(&found).count(), 0);
    }
}

#[test]
fn idle_connections_do_not_delay_a_stop() {
    let place = Place::new();
    let app = place.start();
    let _silent = TcpStream::connect(&app.address).unwrap();
    let mut kept_alive = TcpStream::connect(&app.address).unwrap();
    kept_alive.set_read_timeout(Some(BOUND)).unwrap();
    kept_alive.write_all(b"GET / HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    assert!(kept_alive.read(&mut answer).unwrap() > 0);
    let mut watching = TcpStream::connect(&app.address).unwrap();
    watching.set_read_timeout(Some(BOUND)).unwrap();
    watching.write_all(b"GET /events HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
    let said = watching.read(&mut answer).unwrap();
    let said = String::from_utf8_lossy(&answer[..said]).into_owned();
    assert!(said.contains("connection: close"), "nothing comes after the stream: {said}");
    let asked = Instant::now();
    app.stop();
    assert!(asked.elapsed() < Duration::from_secs(5), "took {:?}", asked.elapsed());
}

/// One client on one connection, until an answer says that it was the last. Gives the ids that were acknowledged.
fn keep_asking(mut stream: TcpStream, stopped: &OnceLock<Instant>) -> BTreeSet<i64> {
    let (mut ids, mut answered) = (BTreeSet::new(), Instant::now());
    loop {
        let (idle, sent) = (answered.elapsed(), Instant::now());
        stream.write_all(b"GET /add?message=x HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap_or(0);
        answered = Instant::now();
        let answer = String::from_utf8_lossy(&buffer[..length]);
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            // A machine that did not run this thread for so long makes it an idle client, or a new one of a service that is
            // gone.
            let excused = stopped.get().is_some_and(|stopped| {
                idle > Duration::from_millis(200) || sent > *stopped + Duration::from_millis(800)
            });
            assert!(excused, "no answer to a request that was sent in time");
            return ids;
        };
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        let added: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(ids.insert(added["id"].as_i64().unwrap()));
        if head.contains("connection: close") {
            assert_eq!(stream.read(&mut buffer).unwrap(), 0, "the service closes the connection");
            return ids;
        }
    }
}

#[tokio::test]
async fn requests_on_open_connections_are_answered_and_told_that_they_are_the_last() {
    let place = Place::new();
    let mut app = place.start();
    let stopped = Arc::new(OnceLock::new());
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (stream, stopped) = (TcpStream::connect(&app.address).unwrap(), stopped.clone());
            stream.set_read_timeout(Some(BOUND)).unwrap();
            std::thread::spawn(move || keep_asking(stream, &stopped))
        })
        .collect();
    some_are_added(&app, 200).await;
    app.signal(Signal::SIGTERM);
    stopped.set(Instant::now()).unwrap();
    assert_eq!(app.ended().code(), Some(0), "{}", app.stderr());
    let acknowledged: BTreeSet<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let found: BTreeSet<_> = place.start().ids().await.into_iter().collect();
    assert!(acknowledged.len() >= 200 && acknowledged.is_subset(&found));
}
