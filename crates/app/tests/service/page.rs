//! The page as a browser gets it, before anything runs in it.

use std::fs;
use std::time::Instant;

use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};

use crate::harness::{App, BOUND, Place, until};

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser that does not follow redirections by itself.
async fn browse(app: &App, method: Method, path: &str, language: &str, form: &'static str) -> Response {
    let browser =
        Client::builder().redirect(Policy::none()).connect_timeout(BOUND).read_timeout(BOUND).build().unwrap();
    let request =
        browser.request(method, format!("http://{}{path}", app.address)).header(ACCEPT, "text/html,*/*;q=0.8");
    request.header(ACCEPT_LANGUAGE, language).header(CONTENT_TYPE, FORM).body(form).send().await.unwrap()
}

async fn page(app: &App, language: &str) -> String {
    browse(app, Method::GET, "/", language, "").await.text().await.unwrap()
}

#[tokio::test]
async fn the_form_stores_a_message_and_leads_back_to_the_page() {
    let place = Place::new();
    let app = place.start();
    let stored = browse(&app, Method::POST, "/messages", "fr", "message=caf%C3%A9+%26+cr%C3%A8me").await;
    assert_eq!((stored.status().as_u16(), stored.headers()["location"].to_str().unwrap()), (303, "/?added=1"));
    let shown = browse(&app, Method::GET, "/?added=1", "fr", "").await.text().await.unwrap();
    assert!(shown.contains("Message enregistré sur le disque, numéro 1"), "{shown}");
    assert!(shown.contains("<td>café &amp; crème</td>"), "{shown}");
    // A link that claims a message which is not there says nothing.
    assert!(!browse(&app, Method::GET, "/?added=2", "fr", "").await.text().await.unwrap().contains("numéro 2"));
}

#[tokio::test]
async fn a_message_that_cannot_be_stored_stays_in_its_field() {
    let place = Place::new();
    let app = place.start();
    let refused = browse(&app, Method::POST, "/messages", "fr", "message=").await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("Message non enregistré : message is missing or empty"));

    fs::remove_file(place.database()).unwrap();
    let refused = browse(&app, Method::POST, "/messages", "en", "message=%22kept%22").await;
    assert_eq!(refused.status(), 503);
    let page = refused.text().await.unwrap();
    assert!(
        page.contains("value=\"&quot;kept&quot;\"") && page.contains("<strong id=\"state-text\">unavailable"),
        "{page}"
    );
    app.stop_lost();
}

#[tokio::test]
async fn programs_that_use_the_form_wrongly_get_json() {
    let place = Place::new();
    let app = place.start();
    let post = |media_type: &'static str, body: Vec<u8>| {
        let request = Client::new().post(format!("http://{}/messages", app.address)).timeout(BOUND);
        request.header(CONTENT_TYPE, media_type).body(body).send()
    };
    for (media_type, body, status) in [
        ("application/json", b"{\"message\":\"x\"}".to_vec(), 415),
        (FORM, b"other=x".to_vec(), 400),
        (FORM, b"message=%FF".to_vec(), 400),
        (FORM, b"message=\xFF".to_vec(), 400),
        (FORM, vec![b'x'; 20_000], 413),
    ] {
        let answer = post(media_type, body).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
            (status, "application/json")
        );
        assert!(answer.text().await.unwrap().contains("\"error\""));
    }
    let answer = app.get("/messages").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    assert_eq!(app.count().await, 0);
}

#[tokio::test]
async fn stored_markup_stays_text_and_nothing_in_the_page_may_run() {
    let place = Place::new();
    let app = place.start();
    for hostile in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "</td><h1>", "&lt;b&gt;"] {
        let encoded: String = hostile.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(app.add(&encoded).await.json()["message"], hostile);
    }
    let answer = browse(&app, Method::GET, "/?added=%22%3E%3Cb%3E", "fr", "").await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let page = answer.text().await.unwrap();
    for stored in ["<script>alert", "<img", "</td><h1></td>", "<b>", "onerror=\"", " style="] {
        assert!(!page.contains(stored), "{stored} in {page}");
    }
    assert!(
        page.contains("<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>") && page.contains("<td>&amp;lt;b&amp;gt;</td>")
    );
    assert_eq!(page.matches("<script").count(), 1, "only the script of the service itself");
}

#[tokio::test]
async fn the_page_speaks_french_and_english_to_whoever_prefers_it() {
    let place = Place::new();
    let app = place.start();
    for (language, lang, words) in
        [("de", "fr", "Derniers messages"), ("fr-CA", "fr", "Exposition"), ("en-GB,fr;q=0.5", "en", "Newest messages")]
    {
        let page = page(&app, language).await;
        assert!(page.contains(&format!("<html lang=\"{lang}\">")) && page.contains(words), "{language}: {page}");
    }
}

#[tokio::test]
async fn head_and_the_assets_are_answered() {
    let place = Place::new();
    let app = place.start();
    for (path, media_type) in [
        ("/assets/page.css", "text/css"),
        ("/assets/page.js", "text/javascript"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let answer = app.get(path).await;
        assert!(answer.status == 200 && answer.header("content-type").starts_with(media_type), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let head = browse(&app, Method::HEAD, "/", "fr", "").await;
    assert_eq!(
        (head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
    assert!(head.text().await.unwrap().is_empty());
}

/// Reads events until one fits.
async fn event(stream: &mut Response, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut text = String::new();
    until(async || {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().expect("the stream ended")).unwrap());
        let bulletins = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let found =
            bulletins.filter_map(|bulletin| serde_json::from_str(bulletin).ok()).find(|bulletin| fits(bulletin));
        found.ok_or_else(|| format!("no such event yet: {text}"))
    })
    .await
}

#[tokio::test]
async fn viewers_are_told_what_changes_and_cost_the_database_no_more_than_one() {
    let place = Place::new();
    let app = place.start();
    let mut viewers = Vec::new();
    for _ in 0..200 {
        viewers.push(browse(&app, Method::GET, "/events", "fr", "").await);
    }
    assert_eq!(viewers[0].headers()["content-type"], "text/event-stream");
    let commits = async || {
        let text = app.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix("pra_commit_writes_sum ")).unwrap().to_owned();
        line.parse::<f64>().unwrap()
    };
    event(&mut viewers[0], |_| true).await;
    let (before, began) = (commits().await, Instant::now());
    app.add("live").await.id();
    for viewer in &mut viewers {
        let seen = event(viewer, |bulletin| bulletin["contents"]["count"] == 1).await;
        assert_eq!((&seen["failure"], &seen["contents"]["messages"][0]["message"]), (&().into(), &"live".into()));
    }
    // Each bulletin proves one durable write; everyone had one at least.
    let after = commits().await;
    let most = 20.0 + 2.0 * began.elapsed().as_secs_f64();
    assert!(after - before < most, "{before} {after} {most}");
    app.stop();
}
