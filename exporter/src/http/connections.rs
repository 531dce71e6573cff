//! How connections are bounded, so that a careless or hostile client costs little and cannot keep others out.
//!
//! | limit | value | beyond it |
//! | --- | --- | --- |
//! | connections | 64 | 503 at once |
//! | time for a request's headers, and idle between requests | 5 s | closed |
//! | size and number of headers | 16 KiB, 64 | 431 |
//! | life of a connection | 60 s, and 10 s to finish the answer under way | closed |

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

const HEADER_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// How long to wait after a failed accept: without file descriptors it would fail again at once, and spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

/// What one server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) header_time: Duration,
    pub(super) life: Duration,
    pub(super) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            header_time: Duration::from_secs(5),
            life: Duration::from_secs(60),
            grace: Duration::from_secs(10),
        }
    }
}

/// Accepts connections and serves each in a task, for ever.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let free = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        match Arc::clone(&free).try_acquire_owned() {
            Ok(permit) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve_connection(stream, router, limits).await;
                    drop(permit);
                });
            }
            Err(_) => turn_away(stream),
        }
    }
}

/// Says 503 without waiting: the few bytes fit into the socket's buffer, and if not, so be it.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        // A client that does not hear the answer sees the connection close.
        let _ = stream.write(TOO_MANY);
    }
}

async fn serve_connection(stream: TcpStream, router: Router, limits: Limits) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // What goes wrong on a connection concerns its client alone, who sees it close.
    if timeout(limits.life, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(limits.grace, connection).await;
    }
}
