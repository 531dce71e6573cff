//! What can go wrong in the tool, and the exit code each fault ends it with.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | not found, or bad records in an import |
//! | 2 | wrong usage |
//! | 3 | the operating system refused something |
//! | 4 | damaged data |
//! | 5 | another process holds the database |
//! | 6 | the database has a newer format |
//! | 130 | interrupted |

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bettong::{Error, ErrorKind};

/// What every fallible step of the tool returns.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// Why the tool stops.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The engine said no.
    Engine(Error),
    /// The metrics server could not be started.
    Server(bettong_exporter::Error),
    /// A file that is no database could not be read or written.
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The arguments do not fit together.
    Usage(String),
    /// What was asked for is not there, or some of it was bad; the text is empty where the output says it already.
    Failed(String),
    /// Data are not what was written; the text is empty where the output says it already.
    Damaged(String),
    /// The exit code that a health check ends with; the output says why.
    Verdict(u8),
    /// The reader of our output went away: no fault of ours, and nobody left to tell.
    ClosedPipe,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Fault {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Fault {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Fault::ClosedPipe,
            _ => Fault::Io { action, path: path.to_owned(), source },
        }
    }

    /// A fault of writing to standard output.
    pub(crate) fn output(source: io::Error) -> Fault {
        Fault::io("write to", Path::new("standard output"), source)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Fault::Engine(error) => code_of(error),
            Fault::Server(_) | Fault::Io { .. } => 3,
            Fault::Usage(_) => 2,
            Fault::Failed(_) => 1,
            Fault::Verdict(code) => *code,
            Fault::Damaged(_) => 4,
            Fault::ClosedPipe => 0,
            Fault::Interrupted => 130,
        }
    }
}

fn code_of(error: &Error) -> u8 {
    match (error.kind(), error) {
        (ErrorKind::ReadOnly, Error::ReadOnly(reason)) => code_of(reason),
        (ErrorKind::Invalid, _) => 2,
        (ErrorKind::Corruption, _) => 4,
        (ErrorKind::Locked, _) => 5,
        (ErrorKind::Unsupported, _) => 6,
        _ => 3,
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Engine(error)
    }
}

impl From<bettong_exporter::Error> for Fault {
    fn from(error: bettong_exporter::Error) -> Fault {
        Fault::Server(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Engine(error) => error.fmt(f),
            Fault::Server(error) => error.fmt(f),
            Fault::Io { action, path, source } => write!(f, "cannot {action} {}: {source}", path.display()),
            Fault::Usage(text) | Fault::Failed(text) | Fault::Damaged(text) => f.write_str(text),
            Fault::ClosedPipe | Fault::Verdict(_) => Ok(()),
            Fault::Interrupted => f.write_str("interrupted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn each_kind_of_fault_has_its_code() {
        let path = PathBuf::from("db");
        let locked = Error::Locked { path: path.clone(), holder: Some(7) };
        let newer = Error::UnsupportedVersion { path: path.clone(), found: 9, newest: 1 };
        let damaged = || Error::Corruption { path: path.clone(), offset: 0, what: "a checksum", key: None };
        let codes = [
            (locked, 5),
            (newer, 6),
            (Error::EmptyKey, 2),
            (Error::NoSpace { path: path.clone() }, 3),
            (Error::ReadOnly(Arc::new(damaged())), 4),
            (damaged(), 4),
        ];
        for (error, code) in codes {
            assert_eq!(Fault::from(error).exit_code(), code);
        }
    }

    #[test]
    fn a_closed_pipe_ends_quietly() {
        let fault = Fault::output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((fault.exit_code(), fault.to_string().as_str()), (0, ""));
    }
}
