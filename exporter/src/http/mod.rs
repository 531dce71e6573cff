//! HTTP: what is answered, how connections are bounded, and the thread they are served on.

mod routes;
mod connections;
mod server;

pub(crate) use routes::router;
pub use server::Server;
pub(crate) use server::bind;
