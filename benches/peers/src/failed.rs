//! What can go wrong: each engine has its own errors, and all end a step.

/// Any engine's error, or what a check found.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The result of nearly everything here.
pub(crate) type Done<T = ()> = Result<T, Failed>;

/// What is wrong with a key.
#[cold]
pub(crate) fn wrong(key: &[u8], what: &str) -> Failed {
    format!("{} {what}", key.escape_ascii()).into()
}
