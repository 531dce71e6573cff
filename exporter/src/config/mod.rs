//! What can be set, and where it was set: in code, in the environment, in a file, or nowhere.
//!
//! What is said closer to the run wins: **code** over **environment** over **file** over **default**, whatever the order of
//! the calls. A key that nobody knows is an error that names the nearest one; a value that does not fit is one that names
//! the key, what fits, and where it stands. All faults are told at once. Secrets are shown as `<secret>`, here and everywhere.
//!
//! `docs/exporter.md` lists the keys.

mod nearest;
mod value;
mod keys;
#[cfg(feature = "config")]
mod file;
mod settings;

pub(crate) use keys::is_path;
pub use settings::Config;
pub(crate) use settings::Noted;
pub use value::Source;
pub(crate) use value::Value;
