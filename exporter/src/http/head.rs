//! The head of a request, looked at before anybody else reads it: HTTP/1.1 without any of its ambiguities.
//!
//! ```text
//!   GET /metrics HTTP/1.1␍␊         method SP target SP version
//!   Host: 127.0.0.1:9464␍␊         name ":" value, no space before the colon, no folded lines
//!   ␍␊
//! ```
//! A request that two readers could take for two different ones is refused, since one of them may be a proxy: bare CR or LF,
//! NUL and other control characters, a header name with spaces, two hosts, two lengths, a length that is no number, any
//! transfer encoding, a body. Requests have no body here, so that the next one begins where a head ends.
//!
//! Sources: RFC 9112, RFC 9110; the rules E6, E9 and E10 of `docs/exporter.md`.

/// Bytes that a request line may have.
pub(super) const LINE_BYTES_MAX: usize = 8 << 10;

/// Bytes that a head may have.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;

/// Headers that a request may have.
pub(super) const HEADERS_MAX: usize = 64;

/// Why a request is not answered as it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400, with what is wrong.
    Malformed(&'static str),
    /// 408.
    TooSlow,
    /// 414.
    LineTooLong,
    /// 431.
    HeadersTooLarge,
}

impl Refusal {
    /// The status.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TooSlow => 408,
            Self::LineTooLong => 414,
            Self::HeadersTooLarge => 431,
        }
    }

    /// Status line and sentence.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed(what) => ("400 Bad Request", what),
            Self::TooSlow => ("408 Request Timeout", "the request was not complete in time"),
            Self::LineTooLong => ("414 URI Too Long", "the request line is longer than 8 KiB"),
            Self::HeadersTooLarge => {
                ("431 Request Header Fields Too Large", "the headers are more than 64, or longer than 16 KiB")
            }
        }
    }
}

/// What is known of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is not complete yet, and nothing is wrong so far.
    Partial,
    /// It has so many bytes.
    Complete(usize),
}

/// Looks at what was received so far. Called again with more, it looks again: a head has 16 KiB at most.
///
/// # Errors
/// A [`Refusal`] as soon as something is wrong.
pub(super) fn examine(received: &[u8]) -> Result<Progress, Refusal> {
    let window = received.get(..received.len().min(HEAD_BYTES_MAX)).unwrap_or_default();
    let mut fields = Fields::default();
    let mut at = 0;
    loop {
        let rest = window.get(at..).unwrap_or_default();
        let Some(line) = next_line(rest)? else {
            return match (at, window.len() - at) {
                (0, bytes) if bytes >= LINE_BYTES_MAX => Err(Refusal::LineTooLong),
                _ if received.len() >= HEAD_BYTES_MAX => Err(Refusal::HeadersTooLarge),
                _ => Ok(Progress::Partial),
            };
        };
        let start = at;
        at += line.len() + 2;
        if start == 0 {
            if line.len() > LINE_BYTES_MAX {
                return Err(Refusal::LineTooLong);
            }
            request_line(line)?;
        } else if line.is_empty() {
            return fields.finish().map(|()| Progress::Complete(at));
        } else {
            fields.add(line)?;
        }
    }
}

/// The line up to its CR LF; `None` if it has not ended yet.
fn next_line(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => {
                return match bytes.get(at + 1) {
                    Some(b'\n') => Ok(bytes.get(..at)),
                    Some(_) => Err(Refusal::Malformed("a carriage return without a line feed")),
                    None => Ok(None),
                };
            }
            b'\n' => return Err(Refusal::Malformed("a line feed without a carriage return")),
            b'\t' | b' '..=b'~' | 0x80.. => {}
            _ => return Err(Refusal::Malformed("a control character")),
        }
    }
    Ok(None)
}

fn request_line(line: &[u8]) -> Result<(), Refusal> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed("the request line is not method, target and version"));
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Refusal::Malformed("the method is not a word"));
    }
    if target.first() != Some(&b'/') || !target.iter().all(|byte| is_of_target(*byte)) {
        return Err(Refusal::Malformed("the target is not a path"));
    }
    match version {
        b"HTTP/1.1" => Ok(()),
        _ => Err(Refusal::Malformed("the version is not HTTP/1.1")),
    }
}

/// The characters of names, RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The characters of paths and queries, RFC 3986, 3.3 and 3.4, with the brackets that some clients leave as they are. Others
/// would be refused by whoever takes the target apart, in words of its own.
fn is_of_target(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]|".contains(&byte)
}

/// What the headers of a request say.
#[derive(Default)]
struct Fields {
    count: usize,
    has_host: bool,
    has_length: bool,
}

impl Fields {
    fn add(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.count += 1;
        if self.count > HEADERS_MAX {
            return Err(Refusal::HeadersTooLarge);
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Refusal::Malformed("a folded header"));
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = colon
            .and_then(|at| line.split_at_checked(at))
            .ok_or(Refusal::Malformed("a header without a colon"))?;
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Refusal::Malformed("the name of a header is not a word"));
        }
        let value = value.get(1..).unwrap_or_default();
        let trimmed = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"host") {
            if std::mem::replace(&mut self.has_host, true) {
                return Err(Refusal::Malformed("more than one Host"));
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if std::mem::replace(&mut self.has_length, true) {
                return Err(Refusal::Malformed("more than one Content-Length"));
            }
            // Whatever else it is: another length, a negative one, one too large, none.
            if trimmed != b"0" {
                return Err(Refusal::Malformed("a request has no body here"));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(Refusal::Malformed("a request has no body here"));
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Refusal> {
        if self.has_host { Ok(()) } else { Err(Refusal::Malformed("no Host")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "GET /metrics?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9464\r\nAccept: */*\r\n\r\n";

    #[test]
    fn a_head_is_complete_when_it_is_and_the_next_one_is_left_alone() {
        let two = format!("{GOOD}{GOOD}");
        assert_eq!(examine(two.as_bytes()), Ok(Progress::Complete(GOOD.len())));
        for end in 0..GOOD.len() {
            assert_eq!(examine(&GOOD.as_bytes()[..end]), Ok(Progress::Partial), "{end}");
        }
    }

    #[test]
    fn limits_are_kept_to_the_byte() {
        let line = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(bytes - 14));
        assert!(matches!(examine(line(LINE_BYTES_MAX).as_bytes()), Ok(Progress::Complete(_))));
        assert_eq!(examine(line(LINE_BYTES_MAX + 1).as_bytes()), Err(Refusal::LineTooLong));
        let start = "GET / HTTP/1.1\r\nHost: x\r\nA: ";
        let head = |bytes: usize| format!("{start}{}\r\n\r\n", "b".repeat(bytes - start.len() - 4));
        assert!(matches!(examine(head(HEAD_BYTES_MAX).as_bytes()), Ok(Progress::Complete(_))));
        assert_eq!(examine(head(HEAD_BYTES_MAX + 1).as_bytes()), Err(Refusal::HeadersTooLarge));
        let headers =
            |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
        assert!(matches!(examine(headers(HEADERS_MAX).as_bytes()), Ok(Progress::Complete(_))));
        assert_eq!(examine(headers(HEADERS_MAX + 1).as_bytes()), Err(Refusal::HeadersTooLarge));
    }

    proptest! {
        #[test]
        fn bytes_from_the_network_are_looked_at_in_pieces_as_they_are_as_a_whole(
            bytes in prop::collection::vec(prop_oneof![
                any::<u8>().prop_map(|byte| vec![byte]),
                "GET |/a|HTTP/1.1|\r\n|Host|: |:|x|Content-Length|[ -~]{0,9}".prop_map(String::into_bytes),
            ], 0..40),
        ) {
            let bytes = bytes.concat();
            let whole = examine(&bytes);
            let mut first = None;
            for end in 0..=bytes.len() {
                match examine(&bytes[..end]) {
                    Ok(Progress::Partial) => prop_assert!(first.is_none(), "what was decided is undone"),
                    decided => {
                        // More bytes change nothing of what was decided.
                        let first = first.get_or_insert_with(|| decided.clone());
                        prop_assert_eq!(&decided, &*first);
                    }
                }
            }
            prop_assert_eq!(first.unwrap_or(Ok(Progress::Partial)), whole);
        }
    }
}
