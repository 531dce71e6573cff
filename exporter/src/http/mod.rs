//! HTTP: what is answered, how connections are bounded, and the thread they are served on.

mod negotiate;
mod query;
mod head;
mod line;
#[cfg(feature = "tls")]
mod certificate;
mod socket;
mod guard;
mod answer;
mod service;
mod stats;
#[cfg(feature = "basic-auth")]
mod password;
mod access;
mod kept;
mod live;
mod app;
mod stream;
mod dashboard;
mod about;
mod health;
mod routes;
mod connections;
mod server;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;

pub(crate) use access::Access;
#[cfg(feature = "basic-auth")]
pub(crate) use access::Door;
pub(crate) use app::Settings;
#[cfg(feature = "basic-auth")]
pub(crate) use password::User;
pub(crate) use routes::{router, served};
pub use server::Server;
pub(crate) use server::{bind, bind_local};
pub(crate) use service::Hosts;
pub(crate) use socket::Encryption;
pub(crate) use stats::Stats;
