//! What can go wrong, and the exit code that says so.

use std::path::Path;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database broke a promise: exit code 1.
    Bad(String),
    /// The engine refused with an error of its own: exit code 3. Whether that is right is for the caller to judge.
    Engine(bettong::Error),
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Fault::Bad(_) => 1,
            Fault::Engine(_) => 3,
        }
    }

    /// One line of JSON for scripts.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Fault::Bad(what) => serde_json::json!({ "outcome": "bad", "message": what }),
            Fault::Engine(error) => serde_json::json!({
                "outcome": "error", "kind": format!("{:?}", error.kind()), "message": error.to_string(),
            }),
        }
    }
}

impl From<bettong::Error> for Fault {
    fn from(error: bettong::Error) -> Fault {
        Fault::Engine(error)
    }
}

/// The machine failed the trial itself, not the database.
pub(crate) fn broken(what: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::Bad(format!("the trial cannot {what} {}: {error}", path.display()))
}
