//! Shows what a Bettong database measures: the formats of Prometheus, JSON, and the HTTP server that serves them.
//!
//! The crate knows [`bettong_metrics::Registry`] and nothing of the engine. It only reads: whatever it is asked, no
//! engine thread waits for it.
//!
//! # Floor plan
//! A module names only modules listed above it:
//!
//! | module | owns |
//! | --- | --- |
//! | [`error`] | what can go wrong when a server is started |
//! | `secret` | words that are never shown |
//! | [`formats`] | snapshots as text, as protobuf, as JSON |
//! | `process` | what Linux says of the process |
//! | `log_sink` | the metrics in the application's log (feature `log-sink`) |
//! | [`health`] | checks on a timer, and what they found |
//! | [`config`] | what can be set, and where it was |
//! | `sources` | the registries that are shown together |
//! | `bridges` | to other libraries of metrics (features `prometheus-client` and `metrics`) |
//! | `history` | the last 15 minutes in compact rows (feature `http`) |
//! | `dashboard` | the page, and a tree in one file (feature `http`) |
//! | `http` | routes, limits and the server's thread (feature `http`) |
//! | [`exporter`] | the handle an application holds |
//!
//! # Features
//! | feature | adds |
//! | --- | --- |
//! | `http` (default) | the server, its router, settings; includes `log-sink` |
//! | `log-sink` | the metrics in the application's log |
//! | `process` (default) | `process_*` |
//! | `protobuf` (default) | protobuf with native histograms |
//! | `basic-auth`, `tls` | passwords, encryption |
//! | `config` | settings from a TOML file |
//! | `http-check` | a health check of another service |
//! | `prometheus-client` | `bridges::BettongCollector`, for a registry of that crate |
//! | `metrics` | `bridges::FacadePublisher` and `bridges::FacadeRecorder`, to and from that facade |
//!
//! # Examples
//! Programs to run are in the folder `examples`.
//! ```
//! use bettong_exporter::Exporter;
//! use bettong_metrics::Registry;
//!
//! # #[cfg(feature = "http")]
//! # fn main() -> bettong_exporter::Result<()> {
//! let registry = Registry::new("orders"); // of an open database: `db.metrics()`
//! let server = Exporter::new(registry).listen("127.0.0.1:0")?;
//! println!("http://{}/metrics", server.local_addr());
//! server.stop();
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "http"))]
//! # fn main() {}
//! ```

pub mod error;
#[cfg(feature = "http")]
mod secret;
pub mod formats;
mod process;
#[cfg(feature = "log-sink")]
pub mod log_sink;
pub mod health;
#[cfg(feature = "http")]
pub mod config;
mod sources;
#[cfg(any(feature = "prometheus-client", feature = "metrics"))]
pub mod bridges;
#[cfg(feature = "http")]
mod history;
#[cfg(feature = "http")]
mod dashboard;
#[cfg(feature = "http")]
mod http;
pub mod exporter;

#[cfg(feature = "http")]
pub use config::Config;
#[cfg(feature = "http")]
pub use dashboard::TreeView;
pub use error::{Error, Result};
pub use exporter::Exporter;
pub use formats::Profile;
#[cfg(feature = "http")]
pub use http::Server;
#[cfg(all(any(fuzzing, test), feature = "http"))]
pub use http::fuzzing;
#[cfg(feature = "http")]
pub use secret::Secret;
