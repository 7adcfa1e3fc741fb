//! Clients that are slow, many or make no sense: they are cut off or told so, and nobody else notices.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::harness::{App, BOUND, MANY_FILES, Place, until};

/// Starts the service with little patience, or few places.
fn start(place: &Place, flags: &[&str]) -> App {
    let mut command = place.command();
    command.args(flags);
    App::start(command)
}

fn connect(app: &App) -> TcpStream {
    let stream = TcpStream::connect(&app.address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream
}

/// Everything until the service closes the connection; a reset ends it as well.
fn rest(stream: &mut TcpStream) -> String {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
    String::from_utf8(answer).unwrap()
}

/// What the service says to some bytes before it closes the connection.
fn said(app: &App, bytes: &[u8]) -> String {
    let mut stream = connect(app);
    // The service may have closed the connection before all of it was sent.
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

/// One answer on a connection that stays open.
fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /count HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

async fn metric(app: &App, name: &str) -> f64 {
    let text = app.get("/metrics").await.text;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().parse().unwrap()
}

/// Waits until nobody is connected but who asks.
async fn everyone_is_gone(app: &App) {
    until(async || match metric(app, "pra_connections").await {
        1.0 => Ok(()),
        others => Err(format!("{others} connections")),
    })
    .await;
}

#[tokio::test]
async fn who_sends_a_request_too_slowly_is_cut_off() {
    let place = Place::new();
    let app = start(&place, &["--client-timeout", "1s"]);
    let began = Instant::now();
    let mut silent = connect(&app);
    let mut slow = connect(&app);
    slow.write_all(b"GET /count HTTP/1.1\r\nx: ").unwrap();
    // A byte now and then must not buy more time.
    let mut dribble = slow.try_clone().unwrap();
    let dribbling = std::thread::spawn(move || {
        while dribble.write_all(b"x").is_ok() {
            assert!(began.elapsed() < BOUND, "still connected");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!((rest(&mut silent), rest(&mut slow)), (String::new(), String::new()));
    dribbling.join().unwrap();
    let mut body = connect(&app);
    let head = "POST /messages HTTP/1.1\r\nhost: app\r\ncontent-type: application/x-www-form-urlencoded";
    write!(body, "{head}\r\ncontent-length: 100\r\n\r\nmessage=").unwrap();
    let answer = rest(&mut body);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("{\"error\":\"the body"), "{answer}");
    assert_eq!(app.count().await, 0);
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_cut_off() {
    let place = Place::new();
    let app = start(&place, &["--client-timeout", "2s"]);
    place
        .sqlite()
        .execute_batch(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
         INSERT INTO message (timestamp, message) SELECT '', hex(zeroblob(8000)) FROM numbers",
        )
        .unwrap();
    let mut greedy = connect(&app);
    // 16 MB: more than the kernel keeps for the two of them.
    greedy.write_all(b"GET /consultation?limit=1000 HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
    until(async || match metric(&app, "pra_connections").await {
        2.0 => Ok(()),
        others => Err(format!("{others} connections")),
    })
    .await;
    everyone_is_gone(&app).await;
}

#[tokio::test]
async fn requests_that_are_too_long_are_refused() {
    let place = Place::new();
    let app = place.start();
    let long = |bytes: usize| "x".repeat(bytes);
    let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 20000";
    for (line, headers, body, status) in [
        (format!("GET /add?message={}", long(40_000)), String::new(), String::new(), "431"),
        ("GET /count".to_owned(), format!("x: {}\r\n", long(40_000)), String::new(), "431"),
        ("GET /count".to_owned(), "x: y\r\n".repeat(101), String::new(), "431"),
        ("POST /messages".to_owned(), format!("{form}\r\n"), long(20_000), "413"),
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n{headers}\r\n{body}");
        let answer = said(&app, request.as_bytes());
        // The answer may be lost to the reset that follows where not all of the request was read.
        let refused = answer.starts_with(&format!("HTTP/1.1 {status} ")) || answer.is_empty();
        assert!(refused, "expected {status}, found {answer:?}");
    }
    // The longest message fits, whatever it is made of.
    app.add(&"%C3%A9".repeat(2048)).await.id();
    assert_eq!(app.count().await, 1);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_adds_nothing() {
    let place = Place::new();
    let app = place.start();
    for request in [
        &b"\r\n\r\nGET\r\n\r\n"[..],
        b"GET\x00/add?message=x HTTP/1.1\r\n\r\n",
        b"GET /add?message=x HTTP/9.9\r\n\r\n",
        b"GET /add?message=x HTTP/1.1\r\nhost : app\r\n\r\n",
        b"GET /add?message=x HTTP/1.1\r\nho\x00st: app\r\n\r\n",
        b"GET /add?message=\xFF\x01 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        // Two lengths, or a length beside chunks: what one server takes for a body, another takes for a request.
        b"POST /messages HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"POST /messages HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /messages HTTP/1.1\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let answer = said(&app, request);
        let shown = String::from_utf8_lossy(request);
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.is_empty(), "{shown:?} was answered with {answer:?}");
    }
    assert_eq!(app.count().await, 0);
}

fn refused(metrics: &str) -> u64 {
    let count = metrics.lines().find_map(|line| line.strip_prefix("pra_connections_refused_total "));
    count.unwrap().parse().unwrap()
}

#[tokio::test]
async fn whoever_finds_no_place_is_told_and_finds_one_later() {
    let place = Place::new();
    let app = start(&place, &["--connections-max", "20"]);
    let mut connected: Vec<_> = (0..20).map(|_| connect(&app)).collect();
    for stream in &mut connected {
        assert!(ask(stream).starts_with("HTTP/1.1 200 "));
    }
    for _ in 0..50 {
        let answer = said(&app, b"GET /count HTTP/1.1\r\nhost: app\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 1") && answer.contains("20 clients are connected"), "{answer}");
    }
    let live = said(&app, b"GET /live HTTP/1.1\r\nhost: app\r\n\r\n");
    assert!(live.starts_with("HTTP/1.1 200 "), "who fills the places must not have the process restarted: {live}");
    for stream in &mut connected {
        assert!(ask(stream).starts_with("HTTP/1.1 200 "), "those who are connected notice nothing");
    }
    drop(connected);
    until(async || match app.get("/metrics").await {
        // Who asks before the places are free again is refused and counted too.
        answer if answer.status == 200 && refused(&answer.text) >= 51 => Ok(()),
        answer => Err(answer.text),
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_clients_are_answered_at_once() {
    const CLIENTS: usize = 10_000;
    let _alone = MANY_FILES.lock().await;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < 2 * CLIENTS as u64 {
        eprintln!("not tested: this user may open no more than {hard} files");
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(2 * CLIENTS as u64), hard).unwrap();
    let place = Place::new();
    let app = start(&place, &["--connections-max", "10100", "--client-timeout", "600s"]);
    let mut connected: Vec<_> = (0..CLIENTS).map(|_| connect(&app)).collect();
    for stream in &mut connected {
        assert!(ask(stream).starts_with("HTTP/1.1 200 "));
    }
    assert!(metric(&app, "pra_connections").await > CLIENTS as f64);
    let status = fs::read_to_string(format!("/proc/{}/status", app.pid())).unwrap();
    eprintln!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
    app.add("still here").await.id();
    drop(connected);
    everyone_is_gone(&app).await;
}

#[tokio::test]
async fn clients_that_come_and_go_leave_nothing_behind() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    let files = || fs::read_dir(format!("/proc/{}/fd", app.pid())).unwrap().count();
    everyone_is_gone(&app).await;
    let before = files();
    for number in 0..1000 {
        let mut stream = connect(&app);
        match number % 3 {
            0 => drop(ask(&mut stream)),
            1 => stream.write_all(b"GET /consultation HTTP/1.1\r\nhost: app\r\n\r\n").unwrap(),
            _ => stream.write_all(b"GET /cou").unwrap(),
        }
    }
    everyone_is_gone(&app).await;
    assert!(files() < before + 20, "{before} files before, {} after", files());
}
