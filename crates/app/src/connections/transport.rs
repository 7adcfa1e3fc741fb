//! The bytes of a connection between the kernel and hyper, counted and limited per client.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::Quotas;
use super::quota::{Client, Held, Member};
use crate::bounds::{READ_BYTES, REQUEST_BYTES, TAKEN_BYTES_MIN, WIDE_SEND_BUFFER_BYTES};

/// How often it is looked whether a long request may go on.
const POLL: Duration = Duration::from_millis(20);

pub(super) struct Transport {
    stream: TcpStream,
    client: Arc<Client>,
    quotas: Arc<Quotas>,
    patience: Duration,
    /// How many bytes came since something was last answered.
    unanswered: usize,
    /// Held while that is more than every client may send.
    large: Option<Held>,
    /// While it waits for that.
    again: Option<Pin<Box<Sleep>>>,
    stalled: Option<Stalled>,
    is_wide: bool,
}

/// The client is behind with an answer.
struct Stalled {
    held: Held,
    taken: usize,
    /// When enough has to be taken.
    deadline: Pin<Box<Sleep>>,
}

impl Transport {
    pub(super) fn new(stream: TcpStream, client: Arc<Client>, quotas: Arc<Quotas>, patience: Duration) -> Self {
        Self {
            stream,
            client,
            quotas,
            patience,
            unanswered: 0,
            large: None,
            again: None,
            stalled: None,
            is_wide: false,
        }
    }

    /// Ready once more of a request may be read. How long that takes is bounded by whoever wants the request.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.unanswered >= REQUEST_BYTES && self.large.is_none() {
            self.large = self.quotas.large.admit(&self.client, Member::has_had_its_time_to_send);
            if self.large.is_some() {
                self.client.end_after_answer();
                break;
            }
            ready!(self.again.get_or_insert_with(|| Box::pin(sleep(POLL))).as_mut().poll(cx));
            self.again = None;
        }
        Poll::Ready(())
    }

    /// Gives the kernel more room for a client that may have it.
    fn widen(&mut self) {
        if self.client.is_wide() && !self.is_wide {
            self.is_wide = true;
            if let Err(error) = SockRef::from(&self.stream).set_send_buffer_size(WIDE_SEND_BUFFER_BYTES) {
                tracing::debug!(%error, "cannot enlarge a connection's buffer");
            }
        }
    }

    /// What came of writing: whoever takes too little in too long a time is cut off.
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(length)) => {
                (self.unanswered, self.large) = (0, None);
                if let Some(stalled) = &mut self.stalled {
                    stalled.take(*length, self.patience);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => ready!(self.poll_stalled(cx))?,
        }
        written
    }

    /// Pending while the client may still take something.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stalled = match &mut self.stalled {
            Some(stalled) => stalled,
            None => {
                let Some(held) = self.quotas.stalled.admit(&self.client, Member::has_had_its_time) else {
                    return Poll::Ready(Err(io::Error::other("too many clients do not read their responses")));
                };
                self.stalled.insert(Stalled { held, taken: 0, deadline: Box::pin(sleep(self.patience)) })
            }
        };
        ready!(stalled.deadline.as_mut().poll(cx));
        let reason = format!("read {} bytes of its response in {} s", stalled.taken, self.patience.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, reason)))
    }
}

impl Stalled {
    fn take(&mut self, length: usize, patience: Duration) {
        self.taken += length;
        self.held.renew();
        if self.taken >= TAKEN_BYTES_MIN {
            self.taken = 0;
            self.deadline.as_mut().reset(Instant::now() + patience);
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_room(cx));
        // Only now: clearing the buffer would take memory for those who send nothing.
        ready!(this.stream.poll_read_ready(cx))?;
        // hyper would let its buffer grow for a client that always has more to send.
        let length = buffer.remaining().min(READ_BYTES);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(length));
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let length = part.filled().len();
        buffer.advance(length);
        this.unanswered += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.widen();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.widen();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper asks for it once it has nothing more to write.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.stalled = None;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
