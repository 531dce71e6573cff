//! A client that knows nothing of the server's libraries: it writes bytes, and reads an answer strictly.

use bettong_exporter::Server;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert!(self.header("content-type").unwrap().contains("json"), "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends bytes as they are, and reads until the server closes.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // The server may close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// The one answer to a request.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Answer {
    parse(&raw(address, request.as_bytes()))
}

/// An answer, whatever follows it being its body.
pub(crate) fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer");
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned()));
    let bytes = answer[end + 4..].to_vec();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: status[..3].parse().unwrap(), headers: headers.collect(), bytes, body }
}

/// Asks with further headers, each ended by CR LF.
pub(crate) fn ask_with(server: &Server, method: &str, path: &str, headers: &str) -> Answer {
    let address = server.local_addr();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\r\n");
    exchange(address, &request)
}

pub(crate) fn ask(server: &Server, method: &str, path: &str) -> Answer {
    ask_with(server, method, path, "")
}

pub(crate) fn get(server: &Server, path: &str) -> Answer {
    ask(server, "GET", path)
}
