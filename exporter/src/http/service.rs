//! What every request that comes through the server passes, whatever its path: whose name it calls the server by, and who
//! notices when its answer is sent.
//!
//! A page of another site can make a browser send requests here. It cannot read the answers as long as its name is another
//! one; but a name of its own can be made to mean 127.0.0.1 (DNS rebinding). So a request has to call the server by an address, by
//! `localhost`, or by a name that the application gave.

use super::answer;
use super::line::{Line, Permit};
use super::stats::Stats;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The names that a server may be called by, beside addresses and `localhost`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn add(&mut self, name: String) {
        self.0.push(name);
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether a header `Host` names this server. Its port may be any: a forwarded one is another.
    fn allow(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((address, port)) if port.is_empty() || is_port(port.strip_prefix(':')) => {
                    return address.parse::<std::net::Ipv6Addr>().is_ok();
                }
                _ => return false,
            },
            None => match host.split_once(':') {
                Some((name, port)) if is_port(Some(port)) => name,
                Some(_) => return false,
                None => host,
            },
        };
        let is_address = name.parse::<IpAddr>().is_ok();
        let known = self.0.iter().map(String::as_str).chain(["localhost"]);
        is_address || known.into_iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn is_port(text: Option<&str>) -> bool {
    text.is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// Answers the requests of one connection.
pub(super) struct Service {
    pub(super) router: TowerToHyperService<Router>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) stats: Arc<Stats>,
    pub(super) line: Arc<Line>,
    pub(super) requests_max: u32,
}

/// What an answer that does not end carries among its extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endless;

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Watched>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let end = End(Arc::clone(&self.line));
        let is_last = self.line.requests() >= self.requests_max;
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let answer = if host.is_some_and(|host| self.hosts.allow(host)) {
            Ok(hyper::service::Service::call(&self.router, request))
        } else {
            self.stats.refused(421);
            let message = "this server goes by another name: see Exporter::allow_host";
            Err(answer::secured(answer::error(StatusCode::MISDIRECTED_REQUEST, message)))
        };
        Box::pin(async move {
            let mut response = match answer {
                Ok(answered) => answered.await?,
                Err(refused) => refused,
            };
            if is_last {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            if response.extensions().get::<Endless>().is_some() {
                end.0.stream();
            }
            response.extensions_mut().remove::<Permit>().into_iter().for_each(|permit| end.0.hold(permit));
            Ok(response.map(|body| Watched { body, _end: end }))
        })
    }
}

/// Tells the connection that the answer is handed over, or will not be.
struct End(Arc<Line>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// A body of which somebody notices when it is gone.
pub(super) struct Watched {
    body: Body,
    _end: End,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_names_that_were_given_are_allowed() {
        let mut hosts = Hosts::default();
        hosts.add("db1.example".to_owned());
        for host in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "10.0.0.7:80",
            "[::1]",
            "[::1]:9464",
            "localhost",
            "LOCALHOST:1",
            "db1.example:443",
            "DB1.Example",
        ] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:",
            "localhost:x",
            "localhost:+1",
            "localhost:99999",
            "[::1",
            "[::1]x",
            "[localhost]",
            "::1",
            "a@localhost",
            "db1.example.evil",
            "127.0.0.1:80:80",
            "0x7f000001",
            "2130706433",
        ] {
            assert!(!hosts.allow(host), "{host}");
        }
    }
}
