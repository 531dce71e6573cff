//! What can go wrong when a server or a check is set up. Once it runs, it keeps its troubles to itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{error, fmt, io};

/// The result of starting a server, or making a check.
pub type Result<T> = std::result::Result<T, Error>;

/// Why no server was started, or no check made.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on: it is taken, not ours, or not an address.
    Bind {
        /// The address as it was given.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The address can be reached from other machines, and nobody said that it may be.
    NotLoopback(SocketAddr),
    /// Settings are wrong: everything that is, each with where it stands.
    Config(Vec<String>),
    /// The name or the hash of a user's password cannot be used.
    Credentials(&'static str),
    /// A certificate or its key cannot be used.
    Tls {
        /// The file that is at fault.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The server's thread or its runtime could not be started.
    Start {
        /// What was being started.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// What a health check was to ask has no address of `http` or `https`. It is not shown: there may be a password in it.
    Url {
        /// The name of the check.
        check: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::NotLoopback(address) => write!(
                f,
                "refusing to listen on {address}, which other machines can reach: metrics are served without \
                 authentication; call allow_any_address() if that is intended"
            ),
            Self::Config(faults) => f.write_str(&faults.join("; ")),
            Self::Credentials(what) => f.write_str(what),
            Self::Tls { path, what } => write!(f, "cannot use {} for TLS: {what}", path.display()),
            Self::Start { action, source } => write!(f, "cannot {action}: {source}"),
            Self::Url { check } => {
                write!(f, "the health check {check} needs an address that begins with http:// or https://")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } | Self::Start { source, .. } => Some(source),
            Self::NotLoopback(_)
            | Self::Config(_)
            | Self::Credentials(_)
            | Self::Tls { .. }
            | Self::Url { .. } => None,
        }
    }
}
