//! What the examples share: a client for their own servers, and how they end.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;

/// Asks for `GET /path`, or sends `body` with another method, and returns the body of the answer.
///
/// # Errors
/// If there is no answer, or one that does not say 200.
pub(crate) fn ask(address: SocketAddr, what: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    write!(stream, "{what} HTTP/1.1\r\nHost: {address}\r\n{length}Connection: close\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => Err(io::Error::other(format!("{what} was answered with {answer}"))),
    }
}

/// The lines of `text` that begin with one of these.
pub(crate) fn lines(text: &str, begins: &[&str]) -> String {
    let wanted = |line: &&str| begins.iter().any(|begin| line.starts_with(begin));
    text.split_inclusive('\n').filter(wanted).flat_map(|line| ["  ", line]).collect()
}

/// With the argument `--stay` waits for Ctrl-C, else returns at once.
///
/// # Errors
/// If Ctrl-C cannot be waited for.
pub(crate) fn stay_if_asked() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if std::env::args().any(|argument| argument == "--stay") {
        let (pressed, wait) = mpsc::channel();
        ctrlc::set_handler(move || {
            // A second one finds nobody waiting.
            let _ = pressed.send(());
        })?;
        wait.recv()?;
    }
    Ok(())
}
