//! What a history failed with.

/// The operation at which the database and the model parted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The operation's place in the history.
    pub at: usize,
    /// What differs.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "operation {}: {}", self.at, self.what)
    }
}

impl std::error::Error for Failure {}

/// What differs; whoever runs the history knows where.
pub(crate) type Checked<T = ()> = std::result::Result<T, String>;
