//! Connections: limits on their number, time and memory, and how they end.
//!
//! hyper answers what is no HTTP. Here is what it leaves open: nobody keeps a place by being slow or silent, whoever finds no
//! place is told so, and a stop answers what was sent before it. How much of all that there may be is in [`crate::bounds`].

mod exchange;
mod quota;
mod transport;

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use futures_util::FutureExt;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use prometheus_client::metrics::counter::Counter;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

use crate::bounds::{
    BACKLOG, BODIES_MAX, GRACE, HEAD_BYTES_MAX, LARGE_REQUESTS_MAX, RECEIVE_BUFFER_BYTES, REFUSALS_MAX,
    SEND_BUFFER_BYTES, STALLED_MAX, WIDE_MAX,
};
use crate::stop::Stop;
use exchange::Exchange;
pub(crate) use exchange::Width;
use quota::{Client, Member, Quota};
use transport::Transport;

const REFUSAL_WAIT: Duration = Duration::from_secs(2);

/// How long a connection of a client that asks again and again stays open after a stop was asked for: its next request is
/// answered, and the answer says that it was the last. One that has been idle for [`GRACE`] ends at once.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// How long to wait where no connection can be accepted, for want of memory or files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// How often that is logged.
const TOLD_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked whether there is room for a newcomer.
const ROOM_POLL: Duration = Duration::from_millis(10);

/// How long it may take until the connection of whoever was cut off is closed.
const EVICTION: Duration = Duration::from_millis(2);

/// Files that are no connections, or not for long: the database's, the repository's, the listener.
const OTHER_FILES: u64 = 128;

#[derive(Clone, Debug)]
pub(crate) struct Connections {
    places: Arc<Quota>,
    refusals: Arc<Semaphore>,
    refused: Counter,
    quotas: Arc<Quotas>,
    /// How long a client may take to send a request, or to take its answer.
    patience: Duration,
}

/// What only some of the clients may do at once.
#[derive(Debug)]
struct Quotas {
    large: Arc<Quota>,
    bodies: Arc<Quota>,
    stalled: Arc<Quota>,
    wide: Arc<Quota>,
}

pub(crate) struct Routers {
    pub all: Router,
    pub without_place: Router,
}

/// A place in a conversation, with what it takes to have it.
struct Conversation {
    client: Arc<Client>,
    router: Router,
    quotas: Arc<Quotas>,
    patience: Duration,
    stop: Stop,
}

impl Connections {
    /// At most so many connections at once, and no more than this process may have files.
    pub(crate) fn new(most: u32, patience: Duration) -> io::Result<Self> {
        let files = raise_file_limit()?;
        // Where there are few, all get less.
        let (others, refusals) = (OTHER_FILES.min(files / 2), (REFUSALS_MAX as u64).min(files / 8));
        let room = files.saturating_sub(others + refusals).max(1);
        let most = u64::from(most).min(room);
        Ok(Self {
            places: Quota::new(usize::try_from(most).unwrap_or(usize::MAX)),
            refusals: Arc::new(Semaphore::new(usize::try_from(refusals).unwrap_or(REFUSALS_MAX))),
            refused: Counter::default(),
            quotas: Arc::new(Quotas {
                large: Quota::new(LARGE_REQUESTS_MAX),
                bodies: Quota::new(BODIES_MAX),
                stalled: Quota::new(STALLED_MAX),
                wide: Quota::new(WIDE_MAX),
            }),
            patience,
        })
    }

    /// How many there are, and how many there may be.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.places.count() as u64, self.most() as u64)
    }

    pub(crate) fn most(&self) -> usize {
        self.places.most()
    }

    pub(crate) fn refused(&self) -> &Counter {
        &self.refused
    }

    /// How long a client may take to send a request, or to take its answer.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// How many clients may be behind with their answers, if so many are that a long answer should not be begun.
    pub(crate) fn stalled(&self) -> Option<usize> {
        (!self.quotas.stalled.has_room(Member::has_had_its_time)).then(|| self.quotas.stalled.most())
    }

    /// Answers requests until a stop is asked for, then what was sent before it, for `drain` at most. True if everything
    /// was answered.
    pub(crate) async fn serve(&self, listener: TcpListener, routers: Routers, stop: Stop, drain: Duration) -> bool {
        let mut asked = pin!(stop.clone().asked());
        let mut told = None;
        // Each conversation has a sender, so that nothing is received once all have ended.
        let (conversing, mut ended) = mpsc::channel::<()>(1);
        loop {
            tokio::select! {
                accepted = self.newcomer(&listener) => match accepted {
                    Ok(stream) => self.take(stream, &routers, &stop, &conversing),
                    Err(error) => sleep(self.pause_after(&error, &mut told)).await,
                },
                () = &mut asked => break,
            }
        }
        // Clients whom the kernel told that they are connected. Closing the port would reset them.
        while let Some(Ok((stream, _))) = unconstrained(listener.accept()).now_or_never() {
            self.take(stream, &routers, &stop, &conversing);
        }
        drop((listener, conversing));
        timeout(drain, ended.recv()).await.is_ok()
    }

    /// The next newcomer, once there is something to say to it. Until then it waits in the kernel: closing the connection would
    /// tell a probe that nobody is there.
    async fn newcomer(&self, listener: &TcpListener) -> io::Result<TcpStream> {
        while self.refusals.available_permits() == 0 && !self.places.has_room(Member::can_be_replaced) {
            sleep(ROOM_POLL).await;
        }
        listener.accept().await.map(|(stream, _)| stream)
    }

    /// A newcomer gets a free place, or that of whoever never asked for anything or has asked for nothing in a while. Else it is
    /// told that there is none, and if too many are being told, it gets the place of somebody who has just been answered: a
    /// client that comes again and again must not keep all others out, probes least of all.
    fn take(&self, stream: TcpStream, routers: &Routers, stop: &Stop, conversing: &mpsc::Sender<()>) {
        let client = Arc::new(Client::default());
        if has_something(&stream) {
            client.begin();
        }
        let conversing = conversing.clone();
        let converse = |router: &Router, patience, held| {
            let (client, quotas, stop) = (client.clone(), self.quotas.clone(), stop.clone());
            let conversation = Conversation { client, router: router.clone(), quotas, patience, stop };
            tokio::spawn(async move {
                conversation.hold(stream).await;
                drop((held, conversing));
            });
        };
        let place = self.places.admit(&client, |member| member.can_be_replaced() && member.client().is_of_no_use());
        let refusal = if place.is_none() { self.refusals.clone().try_acquire_owned().ok() } else { None };
        if refusal.is_some() {
            self.refused.inc();
            return converse(&routers.without_place, REFUSAL_WAIT, (None, refusal));
        }
        match place.or_else(|| self.places.admit(&client, Member::can_be_replaced)) {
            Some(place) => converse(&routers.all, self.patience, (Some(place), None)),
            None => _ = self.refused.inc(),
        }
    }

    /// A client that was gone before it was accepted is nobody's problem. Anything else will not be better at once, unless
    /// somebody makes room.
    fn pause_after(&self, error: &io::Error, told: &mut Option<Instant>) -> Duration {
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return Duration::ZERO;
        }
        if self.places.evict(Member::can_be_replaced) {
            return EVICTION;
        }
        if told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
            tracing::warn!(%error, "cannot accept connections");
            *told = Some(Instant::now());
        }
        ACCEPT_AGAIN
    }
}

impl Conversation {
    /// Answers the requests of one connection, one after the other, unless another client gets its place.
    async fn hold(self, stream: TcpStream) {
        let client = self.client.clone();
        tokio::select! {
            () = client.evicted() => tracing::debug!("closed a connection to make room for another"),
            () = self.converse(stream) => {}
        }
    }

    async fn converse(self, stream: TcpStream) {
        if let Err(error) = prepare(&stream, self.patience) {
            tracing::debug!(%error, "cannot prepare a connection");
        }
        let stop = self.stop.clone();
        let mut stopped = pin!(async {
            stop.asked().await;
            self.client.end_after_answer();
            if self.client.idle_for().is_none_or(|time| time < GRACE) {
                sleep(LAST_REQUEST).await;
            }
        });
        // Until something comes, a connection has no buffers. That it is readable is assumed of every new one.
        let mut first = [0];
        tokio::select! {
            begun = timeout(self.patience, stream.peek(&mut first)) => if !matches!(begun, Ok(Ok(1))) { return },
            () = &mut stopped => return,
        }
        self.client.begin();
        let mut builder = Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.patience);
        // A head is measured once it is whole, the buffer only between two reads: neither is enough by itself.
        builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX);
        let transport = Transport::new(stream, self.client.clone(), self.quotas.clone(), self.patience);
        let exchange = Exchange::new(self.router, self.client.clone(), self.quotas);
        let answer = |request| exchange.clone().answer(request);
        // In the heap: a connection that has sent nothing does without it.
        let mut connection = Box::pin(builder.serve_connection(TokioIo::new(transport), service_fn(answer)));
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
}

/// Binds a port. What is set here is so for every connection that comes through it.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether a newcomer has sent something already, as one has that waited for long.
fn has_something(stream: &TcpStream) -> bool {
    SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|length| length > 0)
}

fn prepare(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    // Answers are small: without TCP_NODELAY they would wait for the client's acknowledgement of the one before.
    stream.set_nodelay(true)?;
    // A client that takes nothing of its answer, or is gone without a word, is cut off by the kernel.
    SockRef::from(stream).set_tcp_user_timeout(Some(patience))
}

/// Takes all the files that this process is allowed; gives their number.
fn raise_file_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}
