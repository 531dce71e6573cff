//! Lines with their numbers. A line that is too long is passed over in pieces, so that no input can fill the memory.

use std::io::{self, BufRead};

/// The lines of an input.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    most: usize,
    line: Vec<u8>,
    number: u64,
    position: u64,
}

/// What a step found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A line: [`Lines::line`] has it.
    Line,
    /// A line with more bytes than allowed.
    TooLong,
    /// The end.
    End,
}

impl<R: BufRead> Lines<R> {
    /// Lines of up to `most` bytes.
    pub(super) fn new(input: R, most: usize) -> Lines<R> {
        Lines { input, most, line: Vec::new(), number: 0, position: 0 }
    }

    /// Goes to the next line.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        self.line.clear();
        let mut too_long = false;
        let mut any = false;
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let (piece, ends) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (buffer.get(..at).unwrap_or_default(), true),
                None => (buffer, false),
            };
            too_long |= self.line.len() + piece.len() > self.most;
            if !too_long {
                self.line.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(ends);
            self.input.consume(used);
            self.position += used as u64;
            if ends {
                break;
            }
        }
        self.number += u64::from(any);
        Ok(match (any, too_long) {
            (false, _) => Step::End,
            (true, true) => Step::TooLong,
            (true, false) => Step::Line,
        })
    }

    /// The line, without its ending.
    pub(super) fn line(&self) -> &[u8] {
        // A mark that some editors put before the text is not part of it.
        let mark: &[u8] = if self.number == 1 { b"\xef\xbb\xbf" } else { b"" };
        self.line.strip_prefix(mark).unwrap_or(&self.line)
    }

    /// Its number, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The most bytes of a line.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_long_ones_passed_over() {
        let text = "\u{feff}one\n\nfar too long to be kept\nsix six\nlast";
        // A tiny buffer, so that lines come in pieces.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, text.as_bytes()), 7);
        let mut found = Vec::new();
        loop {
            match lines.step().unwrap() {
                Step::End => break,
                Step::TooLong => found.push((lines.number(), "?".to_owned())),
                Step::Line => {
                    found.push((lines.number(), String::from_utf8_lossy(lines.line()).into_owned()));
                }
            }
        }
        let expected = [(1, "one"), (2, ""), (3, "?"), (4, "six six"), (5, "last")];
        assert_eq!(found, expected.map(|(number, line)| (number, line.to_owned())));
        assert_eq!(lines.position(), text.len() as u64);
    }
}
