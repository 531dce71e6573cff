//! Asks a server of the exporter over HTTP: one request, one answer, no more of HTTP than that takes.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// For the connection, and for each piece of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read.
const ANSWER_MAX: u64 = 4 << 20;

/// Where to ask: what stands behind `http://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    path: String,
}

impl Address {
    /// Reads a URL of `http`; without a path it is `path`.
    pub(crate) fn parse(url: &str, path: &str) -> Option<Address> {
        let rest = url.strip_prefix("http://")?;
        let (host, given) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let path = if matches!(given, "" | "/") { path } else { given };
        // Whatever could end a line early, or name a user, has no place here.
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let sound = !host.is_empty() && !host.contains(['@', '#', '?']) && plain(host) && plain(path);
        sound.then(|| Address { host: host.to_owned(), path: path.to_owned() })
    }

    /// The host with its port, which is 80 if none is named.
    fn socket(&self) -> String {
        let has_port = self.host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port { self.host.clone() } else { format!("{}:80", self.host) }
    }
}

/// The body of the answer, whatever its status.
///
/// # Errors
/// Of the network; [`io::ErrorKind::InvalidData`] if the answer is none of HTTP.
pub(crate) fn fetch(address: &Address) -> io::Result<String> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for socket in address.socket().to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, TIMEOUT) {
            Ok(stream) => return exchange(stream, address),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn exchange(mut stream: TcpStream, address: &Address) -> io::Result<String> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let Address { host, path } = address;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let body = text.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1."));
    let body = body.map(|(_, body)| body.to_owned());
    body.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is none of HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_path_or_nothing() {
        let parsed = |url: &str| Address::parse(url, "/health").map(|a| (a.socket(), a.path));
        let found = |socket: &str, path: &str| Some((socket.to_owned(), path.to_owned()));
        assert_eq!(parsed("http://127.0.0.1:9464"), found("127.0.0.1:9464", "/health"));
        assert_eq!(parsed("http://[::1]:9464/"), found("[::1]:9464", "/health"));
        assert_eq!(parsed("http://db1/db/health?db=x"), found("db1:80", "/db/health?db=x"));
        for url in [
            "",
            "127.0.0.1:9464",
            "https://db1/",
            "http://",
            "http://a b/",
            "http://u:p@db1/",
            "http://a/\r\nX: y",
        ] {
            assert_eq!(parsed(url), None, "{url}");
        }
    }
}
