//! The thread that serves, from binding its address to joining it.

use super::connections::{Limits, serve};
use crate::error::{Error, Result};
use axum::Router;
use std::fmt::Display;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Listens on `address`.
///
/// # Errors
/// [`Error::NotLoopback`] if other machines can reach it and `any_address` is false; [`Error::Bind`] with the address
/// as given if it is taken, or none.
pub(crate) fn bind(address: impl ToSocketAddrs + Display, any_address: bool) -> Result<TcpListener> {
    let failed = |source| Error::Bind { address: address.to_string(), source };
    let candidates: Vec<SocketAddr> = address.to_socket_addrs().map_err(failed)?.collect();
    if let Some(reachable) = candidates.iter().find(|candidate| !candidate.ip().is_loopback() && !any_address)
    {
        return Err(Error::NotLoopback(*reachable));
    }
    TcpListener::bind(candidates.as_slice()).map_err(failed)
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
#[must_use = "the server stops when it is dropped"]
pub struct Server {
    address: SocketAddr,
    /// Dropped to make the thread leave.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `router` on `listener`, on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Start`] if the operating system refuses a runtime or a thread.
    pub(crate) fn start(listener: TcpListener, router: Router) -> Result<Self> {
        Self::with_limits(listener, router, Limits::default())
    }

    /// Everything that can fail happens here, in the caller's thread.
    fn with_limits(listener: TcpListener, router: Router, limits: Limits) -> Result<Self> {
        let failed = |action| move |source| Error::Start { action, source };
        let address = listener.local_addr().map_err(failed("read the server's address"))?;
        listener.set_nonblocking(true).map_err(failed("make the server's socket non-blocking"))?;
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime =
            builder.enable_io().enable_time().build().map_err(failed("start the server's runtime"))?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed("watch the server's socket"))?
        };
        let (running, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("bettong-exporter".to_owned())
            .spawn(move || {
                runtime.spawn(serve(listener, router, limits));
                // The sender is never used, only dropped: the error is the message. Leaving drops the runtime, and
                // with it the listener and all connections.
                let _ = runtime.block_on(stopped);
            })
            .map_err(failed("start the server's thread"))?;
        Ok(Self { address, running: Some(running), thread: Some(thread) })
    }

    /// The address served, with the port that was really taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops serving and waits for the thread; the port is free afterwards. Connections are closed as they are.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been reported by the panic hook; it is not the caller's.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    fn server(limits: Limits) -> Server {
        let router = Router::new().route("/", axum::routing::get(|| async { "hello" }));
        Server::with_limits(bind("127.0.0.1:0", false).unwrap(), router, limits).unwrap()
    }

    fn connect(server: &Server) -> TcpStream {
        let stream = TcpStream::connect(server.local_addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    #[test]
    fn a_client_that_does_not_finish_its_headers_is_disconnected() {
        let server = server(Limits { header_time: Duration::from_millis(100), ..Limits::default() });
        for start in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let mut stream = connect(&server);
            stream.write_all(start.as_bytes()).unwrap();
            let begun = Instant::now();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(5), "{start:?}");
        }
    }

    #[test]
    fn a_connection_too_many_is_turned_away() {
        let server = server(Limits { connections: 2, ..Limits::default() });
        let held = [connect(&server), connect(&server)];
        let mut answer = String::new();
        connect(&server).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(held);
    }

    #[test]
    fn a_connection_ends_after_its_life() {
        let server = server(Limits { life: Duration::from_secs(1), ..Limits::default() });
        let mut stream = connect(&server);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
    }

    #[test]
    fn headers_over_the_limit_are_refused() {
        let server = server(Limits::default());
        let mut stream = connect(&server);
        let header = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(40 << 10));
        // The server may close before it has read all of it.
        let _ = stream.write_all(header.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
