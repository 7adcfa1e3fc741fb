//! Who may write, under which names the service may be asked for, and what every answer tells browsers.

use std::fs;

use reqwest::Method;

use crate::harness::{App, Place, fails};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn start(place: &Place, flags: &[&str]) -> App {
    let mut command = place.command();
    command.args(flags);
    App::start(command)
}

#[tokio::test]
async fn a_page_of_another_site_stores_nothing() {
    let place = Place::new();
    let app = place.start();
    let evil = ("origin", "https://evil.example");
    for headers in [
        vec![FORM, evil, ("sec-fetch-site", "cross-site")],
        vec![FORM, evil],
        vec![FORM, ("origin", "null")],
        vec![FORM, ("sec-fetch-site", "same-site")],
        vec![("content-type", "text/plain"), evil],
    ] {
        let answer = app.request_with(Method::POST, "/messages", &headers, "message=x").await.unwrap();
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(
            answer.json()["error"].as_str().unwrap().starts_with("cross-site writes are not allowed"),
            "{}",
            answer.text
        );
    }
    // As browsers mark an image of that page, and a script of it.
    for headers in [
        vec![("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image"), ("referer", "https://evil.example/")],
        vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate")],
        vec![evil, ("sec-fetch-mode", "cors")],
    ] {
        let answer = app.request_with(Method::GET, "/add?message=x", &headers, "").await.unwrap();
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert_eq!(app.request_with(Method::DELETE, "/", &[evil], "").await.unwrap().status, 403);
    assert_eq!(app.count().await, 0);

    // Programs, who type the address, and the page itself go on.
    let own = format!("http://{}", app.address);
    for headers in [vec![], vec![("sec-fetch-site", "none")], vec![("sec-fetch-site", "same-origin")]] {
        app.request_with(Method::GET, "/add?message=x", &headers, "").await.unwrap().id();
    }
    for headers in [vec![FORM], vec![FORM, ("origin", &own), ("sec-fetch-site", "same-origin")]] {
        // Answered with the way back to the page, which is followed.
        let answer = app.request_with(Method::POST, "/messages", &headers, "message=x").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert_eq!(app.count().await, 5);
    // Reading is not for pages of other sites either: no header gives it to them.
    let answer = app.request_with(Method::GET, "/count", &[evil], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, ""));
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_making_something_else_of_it() {
    let place = Place::new();
    let app = start(&place, &["--connections-max", "5"]);
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/health"),
        (Method::GET, "/live"),
        (Method::GET, "/add?message=x"),
        (Method::GET, "/add"),
        (Method::GET, "/count"),
        (Method::GET, "/consultation"),
        (Method::GET, "/status"),
        (Method::GET, "/metrics"),
        (Method::GET, "/openapi.json"),
        (Method::GET, "/assets/page.js"),
        (Method::GET, "/assets/page.css"),
        (Method::GET, "/assets/icon.svg"),
        (Method::GET, "/nothing"),
        (Method::POST, "/count"),
        (Method::HEAD, "/count"),
        (Method::POST, "/messages"),
    ] {
        for accept in ["*/*", "text/html"] {
            let answer = app.request_as(method.clone(), path, accept).await.unwrap();
            for (name, expected) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cache-control", "no-store"),
                ("access-control-allow-origin", ""),
            ] {
                assert_eq!(answer.header(name), expected, "{method} {path} {name}");
            }
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
        }
    }
}

#[tokio::test]
async fn with_a_token_only_who_has_it_writes() {
    let place = Place::new();
    let file = place.path().join("token");
    fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
    let app = start(&place, &["--write-token-file", file.to_str().unwrap()]);
    let authorized = ("authorization", "Bearer 0123456789abcdef0123456789abcdef");
    for headers in [
        vec![],
        vec![("authorization", "Bearer 0123456789abcdef0123456789abcdeg")],
        vec![("authorization", "Bearer 0123456789abcdef")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Basic MDEyMzQ1Njc4OWFiY2RlZg==")],
    ] {
        let mut form = headers.clone();
        form.push(FORM);
        let added = app.request_with(Method::GET, "/add?message=x", &headers, "").await.unwrap();
        let sent = app.request_with(Method::POST, "/messages", &form, "message=x").await.unwrap();
        for answer in [added, sent] {
            assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"), "{headers:?}");
            assert!(answer.json()["error"].is_string());
        }
    }
    assert_eq!(app.count().await, 0, "reading needs none");
    app.request_with(Method::GET, "/add?message=x", &[authorized], "").await.unwrap().id();
    let answer = app.request_with(Method::POST, "/messages", &[authorized, FORM], "message=x").await.unwrap();
    assert_eq!((answer.status.as_u16(), app.count().await), (200, 2));
    // A token does not make another site's page welcome.
    let foreign = [authorized, ("sec-fetch-site", "cross-site")];
    assert_eq!(app.request_with(Method::GET, "/add?message=x", &foreign, "").await.unwrap().status, 403);
    let page = app.get_as("/", "text/html").await.text;
    assert!(page.contains("Authorization: Bearer TOKEN") && !page.contains("<form"), "{page}");
    assert!(!app.stderr().contains("0123456789abcdef"), "{}", app.stderr());
}

#[test]
fn a_token_that_could_be_guessed_or_is_none_is_refused_at_the_start() {
    let place = Place::new();
    let file = place.path().join("token");
    let refused = |expected: &str| {
        let mut command = place.command();
        command.arg("--write-token-file").arg(&file);
        let (code, stderr) = fails(command);
        assert!(code == Some(1) && stderr.contains(expected), "{stderr}");
    };
    refused("cannot read the write token from");
    for token in ["", "\n", "short", "with a space in the middle", &"x".repeat(5000)] {
        fs::write(&file, token).unwrap();
        refused("expected one line of 16 to 1024 visible ASCII characters");
    }
    assert!(!place.database().exists());
}

#[tokio::test]
async fn a_read_only_service_stores_nothing_and_says_so() {
    let place = Place::new();
    let app = start(&place, &["--read-only"]);
    let form = app.request_with(Method::POST, "/messages", &[FORM], "message=x").await.unwrap();
    for answer in [app.add("x").await, form] {
        assert_eq!(answer.status, 403);
        assert!(answer.json()["error"].as_str().unwrap().contains("read-only (--read-only)"), "{}", answer.text);
    }
    let page = app.get_as("/", "text/html").await.text;
    assert!(page.contains("lecture seule") && !page.contains("<form"), "{page}");
    assert_eq!((app.count().await, app.get("/health").await.status.as_u16()), (0, 200));
}

#[tokio::test]
async fn only_the_names_on_the_list_are_served_if_there_is_one() {
    let place = Place::new();
    let app = start(&place, &["--allowed-hosts", "app.example,Other.example"]);
    for (host, expected) in [
        ("app.example", 200),
        ("other.example:8080", 200),
        ("10.1.2.3:8080", 200),
        ("localhost", 200),
        ("rebind.example", 403),
        ("127.0.0.1.rebind.example:8080", 403),
    ] {
        let answer = app.request_with(Method::GET, "/count", &[("host", host)], "").await.unwrap();
        assert_eq!(answer.status, expected, "{host}: {}", answer.text);
    }
    let app = place.start();
    let answer = app.request_with(Method::GET, "/count", &[("host", "any.example")], "").await.unwrap();
    assert_eq!(answer.status, 200, "without a list any name will do");
}
