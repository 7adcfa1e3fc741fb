//! Ten thousand clients of any behaviour: the memory of the service stays within its bound, probes are answered, and so is
//! everybody else once they are gone.
//!
//! Ways to be a burden are taken from those of slow HTTP attacks: say nothing, say it slowly, ask for much and take nothing.

use std::collections::VecDeque;
use std::fs;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use tokio::sync::Mutex;

use crate::harness::{App, MANY_FILES, Place, until};

/// What the book promises.
const MEMORY_MIB_MAX: u64 = 96;

const CLIENTS: usize = 10_000;

/// How long a client waits that is no test: a service that keeps it waiting for longer is as good as down.
const BOUND: Duration = Duration::from_secs(15);

/// What is said of a client that waited for [`BOUND`].
const TIMED_OUT: &str = "timed out";

/// A service with a thousand messages that are as long as can be, in bytes that take six of JSON each.
fn start(place: &Place, flags: &[&str]) -> App {
    let mut command = place.command();
    command.args(["--probe-listen", "127.0.0.1:0"]).args(flags);
    let app = App::start(command);
    place
        .sqlite()
        .execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
             INSERT INTO message (timestamp, message) SELECT '', replace(hex(zeroblob(2048)), '0', char(1)) FROM numbers",
            [],
        )
        .unwrap();
    app
}

/// Each of these tests takes all that a machine has: beside another one, a probe is late for that one's sake.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Connects, and says something as far as it can without waiting. It takes in little by itself.
fn client(address: SocketAddr, request: &[u8]) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect_timeout(&address.into(), BOUND).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from(socket);
    // What does not go at once, or to somebody who was cut off, is not missed.
    let _ = stream.write(request);
    stream
}

/// Asks once; the status of the answer, if there is one.
fn asked(address: &str, path: &str) -> Result<String, String> {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), BOUND)?;
        stream.set_read_timeout(Some(BOUND))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    let said = |error: Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("{path}: {TIMED_OUT}"),
        _ => format!("{path}: {error}"),
    };
    let answer: String = ask().map_err(said)?;
    answer.split(' ').nth(1).map(str::to_owned).ok_or_else(|| format!("{path}: no answer"))
}

/// Asks again and again until told to stop: how often it was answered with 200, and what else came.
fn keep_asking(address: String, path: &'static str, stop: Arc<AtomicBool>) -> JoinHandle<(usize, Vec<String>)> {
    std::thread::spawn(move || {
        let (mut answered, mut else_found) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            match asked(&address, path) {
                Ok(status) if status == "200" => answered += 1,
                Ok(found) | Err(found) => else_found.push(found),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        (answered, else_found)
    })
}

fn peak_mib(app: &App) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", app.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
}

/// The ways to be a burden.
fn behaviours() -> Vec<Vec<u8>> {
    let request = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nhost: app\r\n{rest}").into_bytes();
    let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 16000\r\n\r\nmessage=";
    vec![
        Vec::new(),
        request("GET /count", &format!("x: {}", "x".repeat(31_000))),
        request("GET /consultation?limit=1000", "\r\n"),
        request("GET /count", "\r\n"),
        request("GET /events", "\r\n"),
        request("POST /messages", &format!("{form}{}", "x".repeat(15_000))),
        request("GET /consultation", "\r\n").repeat(400),
        request("GET /metrics", "\r\n").repeat(3),
        request("GET /", "accept: text/html\r\n\r\n").repeat(3),
        request(&format!("GET /add?message={}", "%01".repeat(4096)), "\r\n"),
    ]
}

/// False, and said, where this user may not open so many files.
fn may_open(files: usize) -> bool {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < files as u64 {
        eprintln!("not tested: this user may open no more than {hard} files");
        return false;
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(files as u64), hard).unwrap();
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_of_any_behaviour_cost_less_than_96_mib_and_no_probe() {
    let _alone = ALONE.lock().await;
    let _alone = MANY_FILES.lock().await;
    if !may_open(CLIENTS + 5000) {
        return;
    }
    let place = Place::new();
    let app = start(&place, &[]);
    let (address, behaviours) = (app.address.parse().unwrap(), behaviours());
    let stop = Arc::new(AtomicBool::new(false));
    let probes = keep_asking(app.probes.clone().unwrap(), "/live", stop.clone());
    let live = keep_asking(app.address.clone(), "/live", stop.clone());
    let count = keep_asking(app.address.clone(), "/count", stop.clone());

    let mut clients: Vec<_> =
        (0..CLIENTS).map(|number| client(address, &behaviours[number % behaviours.len()])).collect();
    let began = Instant::now();
    // They say and take a byte now and then.
    while began.elapsed() < Duration::from_secs(5) {
        for stream in &mut clients {
            let _ = (stream.write(b"x"), stream.read(&mut [0]));
        }
    }
    stop.store(true, Ordering::Relaxed);
    let [probes, live, count] = [probes, live, count].map(|asking| asking.join().unwrap());
    eprintln!("{} MiB; on the port for probes {probes:?}, /live {live:?}, /count {count:?}", peak_mib(&app));
    assert!(peak_mib(&app) <= MEMORY_MIB_MAX, "{} MiB", peak_mib(&app));
    assert!(probes.0 > 0 && probes.1.is_empty(), "the port for probes: {:?}", probes.1);
    // On the port that the others keep busy, a machine that is too slow for all of them may take longer, and a newcomer whose
    // request it has not read yet may lose its place to others; nobody is refused.
    let is_late = |found: &&String| found.ends_with(TIMED_OUT) || found.contains("Connection reset");
    let sent_away: Vec<_> = live.1.iter().filter(|found| !is_late(found)).collect();
    assert!(live.0 > 0 && sent_away.is_empty(), "/live: {sent_away:?}");
    assert!(count.0 > 0, "/count: {:?}", count.1);

    drop(clients);
    until(async || match asked(&app.address, "/consultation?limit=1") {
        Ok(status) if status == "200" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    app.add("still here").await.id();
    app.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_somebody_opens_connections_without_end() {
    let _alone = ALONE.lock().await;
    let _alone = MANY_FILES.lock().await;
    if !may_open(9000) {
        return;
    }
    let place = Place::new();
    let app = place.start();
    let address: SocketAddr = app.address.parse().unwrap();
    let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (stopped, counted) = (stop.clone(), opened.clone());
    let opener = std::thread::spawn(move || {
        let mut silent = VecDeque::new();
        while !stopped.load(Ordering::Relaxed) {
            silent.push_back(client(address, b""));
            if silent.len() > 6000 {
                silent.pop_front();
            }
            // Once there are more than places, some seven hundred a second.
            if counted.fetch_add(1, Ordering::Relaxed) > 4300 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    until(async || match opened.load(Ordering::Relaxed) {
        4301.. => Ok(()),
        few => Err(format!("{few} connections")),
    })
    .await;
    let mut times = Vec::new();
    for _ in 0..25 {
        let began = Instant::now();
        assert_eq!(asked(&app.address, "/live"), Ok("200".to_owned()));
        assert_eq!(asked(&app.address, "/health"), Ok("200".to_owned()));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    assert!(times[12] < Duration::from_secs(2), "the newcomers wait behind others: {times:?}");
    stop.store(true, Ordering::Relaxed);
    opener.join().unwrap();
    app.stop();
}

#[tokio::test]
async fn who_takes_an_answer_too_slowly_is_cut_off_however_long_it_goes_on() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let app = start(&place, &["--client-timeout", "1s"]);
    let mut slow = client(app.address.parse().unwrap(), b"GET /consultation?limit=1000 HTTP/1.1\r\nhost: app\r\n\r\n");
    slow.set_nonblocking(false).unwrap();
    slow.set_read_timeout(Some(BOUND)).unwrap();
    let began = Instant::now();
    let mut taken = 0;
    // 24 MB at 5 KB a second: TCP does not call that dead.
    while let Ok(length @ 1..) = slow.read(&mut [0; 500]) {
        taken += length;
        assert!(began.elapsed() < 4 * BOUND, "still served after {taken} bytes");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(taken < 2_000_000, "{taken} bytes");
    assert_eq!(app.get("/count").await.status, 200);
}

#[tokio::test]
async fn a_long_answer_is_whole_or_visibly_is_not() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let app = start(&place, &[]);
    let whole = app.get("/consultation?limit=1000").await.json();
    let ids: Vec<i64> = whole.as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=1000).rev().collect::<Vec<_>>());
    // The database is lost in the middle of the next one.
    let request = b"GET /consultation?limit=1000 HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";
    let mut stream = client(app.address.parse().unwrap(), request);
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let mut answer = vec![0; 1000];
    stream.read_exact(&mut answer).unwrap();
    fs::remove_file(place.database()).unwrap();
    // A reset says it as well.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.len() < 20_000_000, "{} bytes", answer.len());
    assert!(!answer.ends_with(b"0\r\n\r\n"), "the end of the last piece must be missing");
    let _ = stream.shutdown(Shutdown::Both);
    app.stop_lost();
}

#[tokio::test(flavor = "multi_thread")]
async fn long_requests_of_many_clients_at_once_are_all_served() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let app = place.start();
    let message = "%C3%A9".repeat(2048);
    let requests: Vec<_> =
        (0..300).map(|_| tokio::spawn(app.request(reqwest::Method::GET, &format!("/add?message={message}")))).collect();
    for request in requests {
        request.await.unwrap().unwrap().id();
    }
    assert_eq!(app.count().await, 300);
}
