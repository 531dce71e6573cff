//! The thread that serves, from binding its address to joining it.

use super::connections::{Connections, Limits, serve};
use super::live::Live;
use super::service::Hosts;
use super::socket::Encryption;
use super::stats::Stats;
use crate::error::{Error, Result};
use axum::Router;
use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Listens on `address`.
///
/// # Errors
/// [`Error::NotLoopback`] if other machines can reach it and `any_address` is false; [`Error::Bind`] with the address
/// as given if it is taken, or none.
pub(crate) fn bind(
    address: impl ToSocketAddrs + Display,
    any_address: bool,
    authenticated: bool,
) -> Result<TcpListener> {
    let failed = |source| Error::Bind { address: address.to_string(), source };
    let candidates: Vec<SocketAddr> = address.to_socket_addrs().map_err(failed)?.collect();
    if let Some(reachable) = candidates.iter().find(|candidate| !candidate.ip().is_loopback() && !any_address)
    {
        return Err(Error::NotLoopback(*reachable));
    }
    let listener = TcpListener::bind(candidates.as_slice()).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    if !bound.ip().is_loopback() && !authenticated {
        tracing::warn!(address = %bound, "metrics are served to other machines, without authentication");
    }
    Ok(listener)
}

/// Listens on 127.0.0.1 and `::1`, both with this port; port 0 takes a free one. A machine without one of the two has the other.
///
/// # Errors
/// [`Error::Bind`] if the port is taken on one of them, or neither is there.
pub(crate) fn bind_local(port: u16) -> Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut missing = None;
    for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        // The second takes the port that the first was given.
        let given = listeners.first().and_then(|first| first.local_addr().ok()).map(|first| first.port());
        let address = SocketAddr::new(ip, given.unwrap_or(port));
        match TcpListener::bind(address) {
            Ok(listener) => listeners.push(listener),
            Err(source) if source.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(Error::Bind { address: address.to_string(), source });
            }
            Err(source) => missing = Some(Error::Bind { address: address.to_string(), source }),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
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
    /// Serves `router` on all `listeners`, on one thread of its own, which also keeps what the last 15 minutes were like.
    ///
    /// # Errors
    /// [`Error::Start`] if the operating system refuses a runtime or a thread.
    pub(crate) fn start(
        listeners: Vec<TcpListener>,
        router: Router,
        live: Option<Arc<Live>>,
        hosts: Hosts,
        stats: Arc<Stats>,
        encryption: Encryption,
    ) -> Result<Self> {
        let connections = Connections::new(router, hosts, stats, encryption, Limits::default());
        Self::with(listeners, &connections, live)
    }

    /// Everything that can fail happens here, in the caller's thread.
    fn with(
        listeners: Vec<TcpListener>,
        connections: &Arc<Connections>,
        live: Option<Arc<Live>>,
    ) -> Result<Self> {
        let failed = |action| move |source| Error::Start { action, source };
        let first = listeners.first().ok_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
        let address = first.and_then(TcpListener::local_addr).map_err(failed("read the server's address"))?;
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime =
            builder.enable_io().enable_time().build().map_err(failed("start the server's runtime"))?;
        for listener in listeners {
            listener.set_nonblocking(true).map_err(failed("make the server's socket non-blocking"))?;
            let listener = {
                let _context = runtime.enter();
                tokio::net::TcpListener::from_std(listener).map_err(failed("watch the server's socket"))?
            };
            runtime.spawn(serve(listener, Arc::clone(connections)));
        }
        if let Some(live) = live {
            let _context = runtime.enter();
            live.begin();
        }
        let (running, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("bettong-exporter".to_owned())
            .spawn(move || {
                // The sender is never used, only dropped: the error is the message. Leaving drops the runtime, and
                // with it the listeners and all connections.
                let _ = runtime.block_on(stopped);
            })
            .map_err(failed("start the server's thread"))?;
        Ok(Self { address, running: Some(running), thread: Some(thread) })
    }

    /// The address served, with the port that was really taken: the first, if there are two.
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
mod tests;
