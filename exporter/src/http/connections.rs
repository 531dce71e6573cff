//! How connections are bounded, so that a careless or hostile client costs little and cannot keep others out.
//!
//! | limit | value | beyond it |
//! | --- | --- | --- |
//! | connections | 64 | the one that has waited longest for a request is closed; 503 at once if all are being answered |
//! | requests of one connection | 100 | closed after the last |
//! | request line, head, headers | 8 KiB, 16 KiB, 64 | 414, 431, closed |
//! | time | see [`guard`](super::guard) | closed |
//!
//! So connections that are held open without asking for anything keep nobody out: the next one takes their place.

use super::guard::{Guard, Patience};
use super::head::{HEAD_BYTES_MAX, HEADERS_MAX, Refusal};
use super::line::Line;
use super::service::{Hosts, Service};
use super::socket::{Encryption, Socket};
use super::stats::Stats;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::future::{Future, poll_fn};
use std::io::Write as _;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How long to wait after a failed accept: without file descriptors it would fail again at once, and spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a refused client may take to read why, and how much of what it still sends is read away meanwhile: closing a
/// socket with unread bytes would take the answer from it.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: usize = 256 << 10;

const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

/// What one server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) patience: Patience,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, patience: Patience::default() }
    }
}

/// What all connections of a server share.
#[derive(Debug)]
pub(super) struct Connections {
    router: Router,
    hosts: Arc<Hosts>,
    stats: Arc<Stats>,
    limits: Limits,
    encryption: Encryption,
    lines: Mutex<Vec<Arc<Line>>>,
}

impl Connections {
    pub(super) fn new(
        router: Router,
        hosts: Hosts,
        stats: Arc<Stats>,
        encryption: Encryption,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self { router, hosts: Arc::new(hosts), stats, limits, encryption, lines: Mutex::default() })
    }

    /// A place for one more, taken from another if need be.
    fn admit(&self) -> Option<Arc<Line>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= self.limits.connections {
            let idle = lines.iter().enumerate().filter_map(|(at, line)| Some((line.idle_since()?, at)));
            let (_, longest) = idle.min()?;
            lines.swap_remove(longest).evict();
        }
        let line = Arc::new(Line::new());
        lines.push(Arc::clone(&line));
        Some(line)
    }

    fn leave(&self, line: &Arc<Line>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|other| !Arc::ptr_eq(other, line));
    }

    fn service(&self, line: &Arc<Line>) -> Service {
        Service {
            router: TowerToHyperService::new(self.router.clone()),
            hosts: Arc::clone(&self.hosts),
            stats: Arc::clone(&self.stats),
            line: Arc::clone(line),
            requests_max: self.limits.patience.requests,
        }
    }
}

/// Accepts connections and serves each in a task, for ever.
pub(super) async fn serve(listener: TcpListener, connections: Arc<Connections>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Some(line) = connections.admit() {
            let place = Place { connections: Arc::clone(&connections), line };
            tokio::spawn(async move { serve_connection(stream, &place.line, &place.connections).await });
        } else {
            connections.stats.refused(503);
            turn_away(stream);
        }
    }
}

/// The place of a connection, which is free again however its task ends.
struct Place {
    connections: Arc<Connections>,
    line: Arc<Line>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.leave(&self.line);
    }
}

/// Says 503 without waiting: the few bytes fit into the socket's buffer, and if not, so be it.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        // A client that does not hear the answer sees the connection close.
        let _ = stream.write(TOO_MANY);
    }
}

async fn serve_connection(stream: TcpStream, line: &Arc<Line>, connections: &Connections) {
    // Answers are written at once, and there is nothing to wait for. If the system refuses, they come a little later.
    let _ = stream.set_nodelay(true);
    let accepted = connections.encryption.accept(stream);
    let Some(socket) = unless_evicted(line, connections.limits.patience.head, accepted).await else { return };
    let Ok(socket) = socket else { return };
    let guard = Guard::new(socket, Arc::clone(line), connections.limits.patience);
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let connection = builder.serve_connection(TokioIo::new(guard), connections.service(line));
    // What goes wrong on a connection concerns its client alone, who sees it close.
    let Ok(parts) = connection.without_shutdown().await else { return };
    let mut guard = parts.io.into_inner();
    if let Some(refusal) = line.refusal() {
        connections.stats.refused(refusal.code());
        // As above.
        let _ = unless_evicted(line, FAREWELL, refuse(guard.stream(), refusal)).await;
    } else if connections.encryption.is_on() {
        // TLS ends with a word, without which an answer might have been cut.
        let _ = unless_evicted(line, FAREWELL, guard.stream().shutdown()).await;
    }
}

/// What a connection does where nothing is being answered, unless it takes too long or others want its place.
async fn unless_evicted<T>(line: &Line, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(timeout(limit, work));
    let mut evicted = pin!(line.evicted());
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(done.ok()),
        Poll::Pending => evicted.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Says why a request is not answered, once, and that it was the last.
async fn refuse(stream: &mut Socket, refusal: Refusal) -> std::io::Result<()> {
    let (status, what) = refusal.words();
    let body = format!("{{\"error\":\"{what}\"}}\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\
         X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut waste = [0; 4 << 10];
    let mut left = FAREWELL_BYTES;
    while left > 0 {
        match stream.read(&mut waste).await? {
            0 => break,
            bytes => left = left.saturating_sub(bytes),
        }
    }
    Ok(())
}
