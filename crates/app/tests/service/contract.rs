//! Every route and every error of it, as clients see them.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::harness::{Place, ids_of};

#[tokio::test]
async fn a_message_is_added_counted_and_shown() {
    let place = Place::new();
    let app = place.start();
    let answer = app.add("caf%C3%A9+cr%C3%A8me").await;
    let added = answer.json();
    assert_eq!((added["status"].as_str(), added["id"].as_i64()), (Some("added"), Some(1)));
    assert_eq!(added["message"], "café crème");
    let timestamp = added["timestamp"].as_str().unwrap();
    let (seconds, fraction) = timestamp.split_once('.').unwrap();
    assert_eq!((seconds.len(), fraction.len(), &fraction[6..]), (19, 7, "Z"), "{timestamp}");

    assert_eq!(app.get("/count").await.text, r#"{"count":1}"#);
    let shown = app.get("/consultation").await.json();
    assert_eq!(shown, serde_json::json!([{"id": 1, "timestamp": timestamp, "message": "café crème"}]));
    assert_eq!(app.get("/health").await.text, r#"{"status":"ok"}"#);
    assert_eq!(app.get("/live").await.text, r#"{"status":"ok"}"#);
}

#[tokio::test]
async fn programs_get_json_and_browsers_a_page() {
    let place = Place::new();
    let app = place.start();
    assert_eq!(app.get("/").await.text, r#"{"status":"Bonjour tout le monde !"}"#);
    let page = reqwest::Client::new()
        .get(format!("http://{}/", app.address))
        .header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
        .send()
        .await
        .unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("Bonjour tout le monde !"));
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_is_refused_and_not_stored() {
    let place = Place::new();
    let app = place.start();
    let (longest, longer) = ("é".repeat(2048), format!("{}x", "%C3%A9".repeat(2048)));
    assert_eq!(app.add(&longest).await.json()["message"], longest);
    for query in ["", "?", "?message", "?message=", "?other=1", "?message=%FF", &format!("?message={longer}")] {
        let answer = app.get(&format!("/add{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(app.count().await, 1);
}

#[tokio::test]
async fn only_get_adds() {
    let place = Place::new();
    let app = place.start();
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = app.request(method.clone(), "/add?message=x").await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET"), "{method}");
        if method != Method::HEAD {
            assert!(answer.json()["error"].is_string(), "{method}");
        }
    }
    assert_eq!(app.count().await, 0);
}

#[tokio::test]
async fn errors_are_json_and_nothing_is_cached() {
    let place = Place::new();
    let app = place.start();
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::GET, "/count/", 404),
        (Method::POST, "/count", 405),
        (Method::DELETE, "/", 405),
        (Method::GET, "/add", 400),
        (Method::GET, "/consultation?limit=0", 400),
        (Method::GET, "/consultation?limit=1001", 400),
        (Method::GET, "/consultation?limit=", 400),
        (Method::GET, "/consultation?limit=ten", 400),
        (Method::GET, "/consultation?before=-1", 400),
        (Method::GET, "/consultation?after=%FF", 400),
        (Method::GET, "/consultation?before=9223372036854775808", 400),
        (Method::GET, "/consultation?before=1&after=1", 400),
    ] {
        let answer = app.request(method.clone(), path).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(answer.json()["error"].is_string(), "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{method} {path}");
    }
    for path in
        ["/", "/health", "/live", "/add?message=x", "/count", "/consultation", "/status", "/metrics", "/openapi.json"]
    {
        let answer = app.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{path}");
    }
}

#[tokio::test]
async fn paging_reaches_every_message_in_both_directions() {
    let place = Place::new();
    let app = place.start();
    for number in 1..=25 {
        app.add(&number.to_string()).await.id();
    }
    place.sqlite().execute("DELETE FROM message WHERE id IN (7, 8, 25)", []).unwrap();
    let mut all: Vec<i64> = (1..=24).rev().collect();
    all.retain(|id| ![7, 8].contains(id));

    let (mut backward, mut before) = (Vec::new(), i64::MAX);
    loop {
        let page = ids_of(&app.get(&format!("/consultation?limit=5&before={before}")).await);
        let Some(oldest) = page.last() else { break };
        before = *oldest;
        backward.extend(page);
    }
    assert_eq!(backward, all);

    let (mut forward, mut after) = (Vec::new(), 0);
    loop {
        let page = ids_of(&app.get(&format!("/consultation?limit=5&after={after}")).await);
        let Some(newest) = page.first() else { break };
        after = *newest;
        forward.extend(page.into_iter().rev());
    }
    forward.reverse();
    assert_eq!(forward, all);
    assert_eq!(ids_of(&app.get("/consultation?limit=3").await), [24, 23, 22]);
    assert_eq!(ids_of(&app.get("/consultation?limit=2&after=6").await), [10, 9]);
    // An id is never used twice, even if the newest message was deleted.
    assert_eq!(app.add("next").await.id(), 26);
}

#[tokio::test]
async fn fifty_messages_are_shown_by_default() {
    let place = Place::new();
    let app = place.start();
    for _ in 0..51 {
        app.add("x").await.id();
    }
    assert_eq!(ids_of(&app.get("/consultation").await).len(), 50);
}

#[tokio::test]
async fn what_32_clients_add_at_once_is_all_there_with_ids_of_its_own() {
    let place = Place::new();
    let app = place.start();
    let clients = (0..32).map(|_| {
        let requests: Vec<_> = (0..10).map(|_| app.request(Method::GET, "/add?message=x")).collect();
        tokio::spawn(async {
            let mut ids = Vec::new();
            for request in requests {
                ids.push(request.await.unwrap().id());
            }
            ids
        })
    });
    let mut acknowledged = BTreeSet::new();
    for client in clients.collect::<Vec<_>>() {
        acknowledged.extend(client.await.unwrap());
    }
    assert_eq!(acknowledged.len(), 320);
    assert_eq!(app.ids().await.into_iter().collect::<BTreeSet<_>>(), acknowledged);
    assert_eq!(app.count().await, 320);
}

#[tokio::test]
async fn idle_health_checks_leave_the_database_as_it_was() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    app.stop();
    let before = std::fs::read(place.database()).unwrap();
    let app = place.start();
    for _ in 0..5 {
        assert_eq!(app.get("/health").await.status, 200);
    }
    assert!(std::fs::metadata(place.wal()).unwrap().len() > 4096, "a health check must write");
    app.stop();
    assert!(std::fs::read(place.database()).unwrap() == before);
}
