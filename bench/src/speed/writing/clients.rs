//! Clients that write at a fixed rate, whatever the service does: who is kept waiting is not asked to send less.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::load::ADD;

const CLIENTS: u32 = 20;

/// Before anything is measured, so that connections are open and statements prepared.
const WARM_UP: Duration = Duration::from_secs(1);

/// No answer takes longer, or the service hangs.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// A write: when it was due, and how long its client waited from then on.
type Write = (Instant, Duration);

pub struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Write>>>>,
}

impl Clients {
    /// Starts to write so many times a second, and returns when that goes well.
    pub fn start(address: SocketAddr, rate: u32) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (began, pause) = (Instant::now(), Duration::from_secs(1) * CLIENTS / rate);
        let start = |client| {
            let stop = stop.clone();
            let first = began + pause * client / CLIENTS;
            thread::spawn(move || write(address, first, pause, &stop))
        };
        let clients = Self { threads: (0..CLIENTS).map(start).collect(), stop };
        thread::sleep(WARM_UP);
        Ok(clients)
    }

    /// Ends all, and gives the waits of those writes that were due between two instants, in seconds.
    pub fn stop(self, from: Instant, to: Instant) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut waits = Vec::new();
        for thread in self.threads {
            let writes = thread.join().map_err(|_| anyhow!("a client panicked"))??;
            let due = writes.into_iter().filter(|(due, _)| (from..to).contains(due));
            waits.extend(due.map(|(_, wait)| wait.as_secs_f64()));
        }
        ensure!(!waits.is_empty(), "nothing was written meanwhile: what was measured was too short");
        Ok(waits)
    }
}

fn write(address: SocketAddr, first: Instant, pause: Duration, stop: &AtomicBool) -> Result<Vec<Write>> {
    let mut stream = TcpStream::connect(address).context("cannot connect to the service")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    let request = format!("GET {ADD} HTTP/1.1\r\nHost: bench\r\n\r\n");
    let (mut writes, mut due) = (Vec::new(), first);
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream)?;
        writes.push((due, due.elapsed()));
        due += pause;
    }
    Ok(writes)
}

/// Reads one answer to its end, which is that of its JSON object.
fn read_answer(stream: &mut TcpStream) -> Result<()> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"}") {
        let read = stream.read(&mut buffer).context("the service did not answer")?;
        ensure!(read > 0, "the service closed a connection");
        answer.extend_from_slice(&buffer[..read]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "a write failed: {}", String::from_utf8_lossy(&answer));
    Ok(())
}
