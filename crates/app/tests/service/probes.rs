//! The port for probes: `--probe-listen`.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{App, BOUND, Place, fails};

fn start(place: &Place) -> App {
    let mut command = place.command();
    command.args(["--probe-listen", "127.0.0.1:0"]);
    App::start(command)
}

fn said(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn probes_have_a_port_of_their_own_where_nothing_else_is_answered() {
    let place = Place::new();
    let app = start(&place);
    let probes = app.probes.clone().unwrap();
    assert_ne!(probes, app.address);
    for path in ["/live", "/health"] {
        let answer = said(&probes, &format!("GET {path}"));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
        assert_eq!(app.get(path).await.status, 200, "the first port answers it as well");
    }
    for (request, status) in
        [("GET /count", 404), ("GET /add?message=x", 404), ("GET /", 404), ("GET /metrics", 404), ("POST /live", 405)]
    {
        let answer = said(&probes, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains("{\"error\":"), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    }
    assert_eq!(app.count().await, 0);
    std::fs::remove_file(place.database()).unwrap();
    for path in ["/live", "/health"] {
        assert!(said(&probes, &format!("GET {path}")).starts_with("HTTP/1.1 503 "), "{path}");
    }
    app.stop_lost();
}

#[test]
fn clients_that_keep_the_port_for_probes_busy_make_no_probe_fail() {
    let place = Place::new();
    let app = start(&place);
    let probes = app.probes.clone().unwrap();
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.extend((0..100).map(|_| TcpStream::connect(&probes).unwrap()));
        assert!(said(&probes, "GET /live").starts_with("HTTP/1.1 200 "));
    }
    app.stop();
}

#[test]
fn a_port_for_probes_that_is_in_use_is_told_before_anything_is_created() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = place.command();
    command.args(["--probe-listen", &taken.local_addr().unwrap().to_string()]);
    let (code, stderr) = fails(command);
    assert!(code == Some(1) && stderr.contains("choose another address with --probe-listen"), "{stderr}");
    assert!(!place.database().exists());
}
