//! Connections: how many there may be, how long a client may take, and how they end.
//!
//! hyper answers what is no HTTP. Here is what it leaves open: nobody keeps a place by being slow, whoever finds no place
//! is told so, and a stop answers what was sent before it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use prometheus_client::metrics::counter::Counter;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::stop::Stop;

/// The most bytes of a request line with its headers: the longest message, each byte of it percent-encoded, and as much
/// again. Also what hyper keeps of an answer before it writes.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// How many clients that found no place are told so at once; more are cut off without a word.
const REFUSALS_MAX: usize = 128;

/// How long those may take.
const REFUSAL_WAIT: Duration = Duration::from_secs(2);

/// How long a connection without a request stays open after a stop was asked for: a request that was sent meanwhile is
/// answered, and its answer says that it was the last.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// How long to wait where no connection can be accepted, for want of memory or files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Files that are no connections, or not for long: the database's, the repository's, the listener.
const OTHER_FILES: u64 = 128;

/// The places for connections.
#[derive(Clone, Debug)]
pub struct Connections {
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    most: u32,
    refused: Counter,
    /// How long a client may take to send a request, or to take its answer.
    patience: Duration,
}

/// Who answers.
pub struct Routers {
    /// Whoever has a place.
    pub all: Router,
    /// Whoever found none.
    pub without_place: Router,
}

impl Connections {
    /// At most so many connections at once, and no more than this process may have files.
    pub fn new(most: u32, patience: Duration) -> io::Result<Self> {
        let room = raise_file_limit()?.saturating_sub(OTHER_FILES + REFUSALS_MAX as u64).max(1);
        let most = most.min(u32::try_from(room).unwrap_or(u32::MAX));
        let (places, refusals) = (Semaphore::new(most as usize), Semaphore::new(REFUSALS_MAX));
        let refused = Counter::default();
        Ok(Self { places: Arc::new(places), refusals: Arc::new(refusals), most, refused, patience })
    }

    /// How many there are, and how many there may be.
    pub fn count(&self) -> (u64, u64) {
        (u64::from(self.most) - self.places.available_permits() as u64, self.most.into())
    }

    /// How many clients found no place.
    pub fn refused(&self) -> &Counter {
        &self.refused
    }

    /// How long a client may take to send a request, or to take its answer.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Answers requests until a stop is asked for, then what was sent before it, for `drain` at most. True if everything
    /// was answered.
    pub async fn serve(&self, listener: TcpListener, routers: Routers, stop: Stop, drain: Duration) -> bool {
        let mut asked = pin!(stop.clone().asked());
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.take(stream, &routers, &stop),
                    Err(error) => sleep(pause_after(&error)).await,
                },
                () = &mut asked => break,
            }
        }
        // Clients whom the kernel told that they are connected. Closing the port would reset them.
        while let Some(Ok((stream, _))) = unconstrained(listener.accept()).now_or_never() {
            self.take(stream, &routers, &stop);
        }
        drop(listener);
        timeout(drain, self.places.acquire_many(self.most)).await.is_ok()
    }

    fn take(&self, stream: TcpStream, routers: &Routers, stop: &Stop) {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            tokio::spawn(converse(stream, routers.all.clone(), self.patience, stop.clone(), place));
            return;
        }
        self.refused.inc();
        if let Ok(place) = self.refusals.clone().try_acquire_owned() {
            tokio::spawn(converse(stream, routers.without_place.clone(), REFUSAL_WAIT, stop.clone(), place));
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(stream: TcpStream, router: Router, patience: Duration, stop: Stop, _place: OwnedSemaphorePermit) {
    if let Err(error) = prepare(&stream, patience) {
        tracing::debug!(%error, "cannot prepare a connection");
    }
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    // A head is measured once it is whole, the buffer only between two reads: neither is enough by itself.
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let stopped = async {
        stop.asked().await;
        sleep(LAST_REQUEST).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn prepare(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    // Answers are small: without TCP_NODELAY they would wait for the client's acknowledgement of the one before.
    stream.set_nodelay(true)?;
    // A client that takes nothing of its answer, or is gone without a word, is cut off by the kernel.
    SockRef::from(stream).set_tcp_user_timeout(Some(patience))
}

/// A client that was gone before it was accepted is nobody's problem; anything else will not be better at once.
fn pause_after(error: &io::Error) -> Duration {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return Duration::ZERO;
    }
    tracing::warn!(%error, "cannot accept connections");
    ACCEPT_AGAIN
}

/// Takes all the files that this process is allowed; gives their number.
fn raise_file_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}
