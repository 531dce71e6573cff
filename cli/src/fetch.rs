//! Asks a server of the exporter over HTTP: one request, one answer, no more of HTTP than that takes.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use bettong_exporter::Secret;
use serde_json::Value;

use crate::fault::{Fault, Result};
use crate::text::one_line;

/// For the connection, and for each piece of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are taken.
const ANSWER_MAX: u64 = 64 << 20;

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

/// The token in a file.
pub(crate) fn token(path: &Path) -> Result<Secret> {
    Secret::from_file(path).map_err(|source| Fault::io("read the token in", path, source))
}

/// A JSON document of the server at `base`, a URL of `http`, under a path of the exporter with its query.
///
/// # Errors
/// [`Fault::Io`] of the network, and if the answer is no JSON; [`Fault::Failed`] if the server wants a token; [`Fault::Usage`] for a URL that is
/// none, and with what the server says is wrong with the question.
pub(crate) fn document(base: &str, path: &str, token: Option<&Secret>) -> Result<Value> {
    let failed = |source| Fault::io("ask", Path::new(base), source);
    let usage = || Fault::Usage("the URL has to look like http://127.0.0.1:9464".to_owned());
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    let address = Address::parse(&url, "/").ok_or_else(usage)?;
    let request = Request { address: &address, accept: "application/json", token };
    let answer = fetch(&request).map_err(failed)?;
    if answer.status == 401 {
        return Err(Fault::Failed(format!("{base} wants a token: give it with --token-file")));
    }
    let answer: Value = serde_json::from_str(&answer.body).map_err(|error| failed(error.into()))?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(Fault::Usage(one_line(error))),
        None => Ok(answer),
    }
}

/// A name as part of a query.
pub(crate) fn escaped(name: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    name.bytes().map(byte).collect()
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) address: &'a Address,
    /// The media type that the answer should have.
    pub(crate) accept: &'a str,
    /// What the server wants to hear before it says more.
    pub(crate) token: Option<&'a Secret>,
}

/// What came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks, and waits for the answer, whatever its status.
///
/// # Errors
/// Of the network; [`io::ErrorKind::InvalidData`] if the answer is none of HTTP, or not whole.
pub(crate) fn fetch(request: &Request<'_>) -> io::Result<Answer> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for socket in request.address.socket().to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, TIMEOUT) {
            Ok(stream) => return exchange(stream, request),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn exchange(mut stream: TcpStream, request: &Request<'_>) -> io::Result<Answer> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let Request { address: Address { host, path }, accept, token } = request;
    let token =
        token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.expose()));
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n{token}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > ANSWER_MAX {
        return Err(invalid("the answer is longer than 64 MiB"));
    }
    answer(&bytes)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn answer(bytes: &[u8]) -> io::Result<Answer> {
    const END: &[u8] = b"\r\n\r\n";
    let foreign = || invalid("the answer is none of HTTP");
    let at = bytes.windows(END.len()).position(|window| window == END).ok_or_else(foreign)?;
    let (head, rest) = bytes.split_at(at);
    let (head, body) = (String::from_utf8_lossy(head), rest.get(END.len()..).unwrap_or_default());
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.get(..3)?.parse().ok());
    let status = status.ok_or_else(foreign)?;
    let header = |wanted: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
        pairs.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then(|| value.trim()))
    };
    if header("transfer-encoding").is_some() {
        return Err(invalid(
            "the answer comes in pieces (Transfer-Encoding): ask the exporter itself, not a proxy",
        ));
    }
    if header("content-length").is_some_and(|length| length.parse() != Ok(body.len())) {
        return Err(invalid("the answer is not whole"));
    }
    let body = std::str::from_utf8(body).map_err(|_| invalid("the answer is not UTF-8"))?;
    Ok(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        let whole = answer(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nok").unwrap();
        assert_eq!((whole.status, whole.body.as_str()), (503, "ok"));
        assert_eq!(answer(b"HTTP/1.0 200\r\n\r\nto the end").unwrap().body, "to the end");
        let bad: [&[u8]; 7] = [
            b"",
            b"hello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n\xff",
            b"HTTP/1.1 OK\r\n\r\n",
            b"SSH-2.0\r\n\r\n",
        ];
        for bytes in bad {
            assert!(answer(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }

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
