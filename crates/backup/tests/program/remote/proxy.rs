//! Stands between the program and a store, and breaks what it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::store::Store;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    None,
    /// It is answered by this status, and does not reach the store.
    Status(u16),
    /// It is never answered, and does not reach the store.
    Silence,
    /// The store does it, but half of its answer is cut off.
    Cut,
    /// The store does it, but its answer is lost.
    Lose,
}

/// A request, and how many of its method and path came before it.
pub struct Request {
    pub method: String,
    pub path: String,
    pub earlier: usize,
}

impl Request {
    pub fn is_piece(&self, method: &str) -> bool {
        self.method == method && self.path.matches('-').count() > 2 && !self.path.ends_with(".json")
    }

    pub fn is_manifest(&self, method: &str) -> bool {
        self.method == method && self.path.ends_with(".json")
    }
}

type Choose = dyn Fn(&Request) -> Fault + Send + Sync;

/// The same store, behind faults.
pub fn before(store: &Store, choose: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> String {
    let upstream = store.endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (choose, seen): (Arc<Choose>, Arc<Mutex<BTreeMap<_, _>>>) = (Arc::new(choose), Arc::default());
    // Both end with the process of the tests.
    thread::spawn(move || {
        for client in listener.incoming() {
            let (upstream, choose, seen) = (upstream.clone(), choose.clone(), seen.clone());
            // A client that gives up is part of the game.
            thread::spawn(move || pass(client?, &upstream, &*choose, &seen));
        }
    });
    endpoint
}

fn pass(
    client: TcpStream,
    upstream: &str,
    choose: &Choose,
    seen: &Mutex<BTreeMap<(String, String), usize>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        let lower = header.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if !lower.starts_with("connection:") {
            head += &header;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut parts = line.split(' ').map(str::to_owned);
    let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
    let earlier = {
        let mut seen = seen.lock().unwrap();
        let count = seen.entry((method.clone(), path.clone())).or_default();
        *count += 1;
        *count - 1
    };
    let fault = choose(&Request { method, path, earlier });
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut store = TcpStream::connect(upstream)?;
        store.write_all(format!("{line}{head}connection: close\r\n\r\n").as_bytes())?;
        store.write_all(&body)?;
        let mut answer = Vec::new();
        store.read_to_end(&mut answer)?;
        // Else the client would send its next request here, perhaps before it notices that nobody listens any more.
        let end = answer.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
        answer.splice(end..end, *b"connection: close\r\n");
        Ok(answer)
    };
    answer(client, fault, &head, ask)
}

fn answer(
    mut client: TcpStream,
    fault: Fault,
    head: &str,
    ask: impl FnOnce() -> std::io::Result<Vec<u8>>,
) -> std::io::Result<()> {
    match fault {
        Fault::None => client.write_all(&ask()?),
        Fault::Status(status) => {
            // Some stores repeat what they were sent.
            let length = head.len();
            let answer =
                format!("HTTP/1.1 {status} Broken\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{head}");
            client.write_all(answer.as_bytes())
        }
        // Until the client gives up.
        Fault::Silence => client.read(&mut [0]).map(drop),
        Fault::Cut => {
            let answer = ask()?;
            let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
            client.write_all(&answer[..body + (answer.len() - body) / 2])
        }
        Fault::Lose => ask().map(drop),
    }
}
