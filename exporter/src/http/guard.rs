//! A socket that hands on nothing but heads that were looked at, one at a time, and that waits for nobody for long.
//!
//! | what is waited for | how long |
//! | --- | --- |
//! | the head of a request, from its first byte or from the beginning of the connection, TLS handshake included | 5 s |
//! | the next request | 30 s |
//! | a client that takes no byte of an answer | 10 s |
//! | an answer as a whole, unless it is a stream | 60 s |
//!
//! While an answer is under way nothing is read: what a client sends ahead waits in the kernel.

use super::head::{HEAD_BYTES_MAX, Progress, Refusal, examine};
use super::line::{Line, Turn};
use super::socket::Socket;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) write: Duration,
    pub(super) answer: Duration,
    /// Requests that a connection serves.
    pub(super) requests: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            write: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            requests: 100,
        }
    }
}

/// Bytes that are read at once.
const READ_BYTES: usize = 4 << 10;

/// The socket of one connection.
pub(super) struct Guard {
    stream: Socket,
    line: Arc<Line>,
    patience: Patience,
    received: Vec<u8>,
    /// How many of the bytes received are a head that is being handed on.
    ready: usize,
    /// When the first byte of the head under way came.
    begun: Option<Instant>,
    reading: Pin<Box<Sleep>>,
    /// Since when the client has taken nothing, and the alarm for that.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Guard {
    pub(super) fn new(stream: Socket, line: Arc<Line>, patience: Patience) -> Self {
        Self {
            stream,
            line,
            patience,
            received: Vec::new(),
            ready: 0,
            begun: None,
            reading: Box::pin(sleep_until(Instant::now() + patience.head)),
            stuck: None,
        }
    }

    /// The socket, for what is to be said outside of HTTP's order.
    pub(super) fn stream(&mut self) -> &mut Socket {
        &mut self.stream
    }

    /// Hands on what is ready of a head.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let bytes = self.ready.min(buffer.remaining());
        buffer.put_slice(self.received.get(..bytes).unwrap_or_default());
        self.received.drain(..bytes);
        self.ready -= bytes;
        if self.ready == 0 {
            self.begun = None;
            if self.received.is_empty() {
                // A connection that waits costs no buffer.
                self.received = Vec::new();
            }
        }
    }

    /// Looks at what was received. Returns whether there is something to do with it.
    fn look(&mut self) -> bool {
        match examine(&self.received) {
            Ok(Progress::Partial) => false,
            Ok(Progress::Complete(bytes)) => {
                self.ready = bytes;
                self.line.begin();
                true
            }
            Err(refusal) => {
                self.line.refuse(refusal);
                true
            }
        }
    }

    /// Waits for the alarm. Ready when it rings.
    fn poll_alarm(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        if self.reading.deadline() != at {
            self.reading.as_mut().reset(at);
        }
        self.reading.as_mut().poll(context)
    }

    /// Reads some bytes of a head. Ready with `false` when no more will come.
    fn poll_more(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; READ_BYTES];
        // One more than a head may have, so that it is seen to be too long.
        let room = (HEAD_BYTES_MAX + 1).saturating_sub(self.received.len()).min(READ_BYTES);
        let mut buffer = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.received.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(!buffer.filled().is_empty()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.poll_alarm(deadline, context));
                if self.begun.is_some() {
                    self.line.refuse(Refusal::TooSlow);
                }
                Poll::Ready(Ok(false))
            }
        }
    }

    /// Notes how a write went.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let deadline = Instant::now() + self.patience.write;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(stuck.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.ready > 0 {
                this.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            let (requests, since) = match this.line.turn(context.waker()) {
                Turn::Stop => return Poll::Ready(Ok(())),
                Turn::Wait { streaming: true, .. } => return Poll::Pending,
                Turn::Wait { since, .. } => {
                    ready!(this.poll_alarm(since + this.patience.answer, context));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Turn::Read { requests, .. } if requests >= this.patience.requests => {
                    return Poll::Ready(Ok(()));
                }
                Turn::Read { requests, since } => (requests, since),
            };
            if !this.received.is_empty() {
                this.begun.get_or_insert_with(Instant::now);
                if this.look() {
                    continue;
                }
            }
            let deadline = match (this.begun, requests) {
                (Some(begun), _) => begun + this.patience.head,
                (None, 0) => since + this.patience.head,
                (None, _) => since + this.patience.idle,
            };
            loop {
                let before = this.received.len();
                if !ready!(this.poll_more(deadline, context))? {
                    return Poll::Ready(Ok(()));
                }
                let new = this.received.get(before..).unwrap_or_default();
                // A line at a time, so that bytes which drip in are not looked at again for each.
                if before == 0 || new.contains(&b'\n') || this.received.len() > HEAD_BYTES_MAX {
                    break;
                }
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            // It is asked for when everything has been written.
            self.line.flushed();
        }
        self.watch(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
