//! The handle an application holds: which databases are shown, and where.

use crate::formats::Profile;
use crate::sources::Sources;
use bettong_metrics::Registry;
use std::sync::Arc;

#[cfg(feature = "http")]
use crate::error::Result;
#[cfg(feature = "http")]
use crate::http::{self, Server};

/// Shows the metrics of one or more databases.
#[derive(Clone, Debug)]
pub struct Exporter {
    sources: Sources,
    #[cfg(feature = "http")]
    any_address: bool,
}

impl Exporter {
    /// An exporter for one database.
    pub fn new(registry: Arc<Registry>) -> Self {
        let mut sources = Sources::default();
        sources.add(registry);
        Self {
            sources,
            #[cfg(feature = "http")]
            any_address: false,
        }
    }

    /// Shows another database too. The label `db` tells their series apart; a registry with a name that is known
    /// already takes the place of the earlier one.
    #[must_use]
    pub fn with(mut self, registry: Arc<Registry>) -> Self {
        self.sources.add(registry);
        self
    }

    /// Shows the series of this profile in the formats of Prometheus. [`Profile::Standard`] unless it is set.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.sources.set_profile(profile);
        self
    }

    /// The metrics as they are now, in the Prometheus text format.
    pub fn text(&self) -> String {
        // The exporter keeps the text for the next one to begin with.
        String::clone(&self.sources.text(&self.sources.snapshots(), &[]))
    }

    /// The metrics as they are now, as OpenMetrics text.
    pub fn open_metrics(&self) -> String {
        String::clone(&self.sources.open_metrics(&self.sources.snapshots(), &[]))
    }

    /// The metrics as they are now, as delimited protobuf messages with native histograms.
    #[cfg(feature = "protobuf")]
    pub fn protobuf(&self) -> Vec<u8> {
        crate::formats::protobuf::render_all(&self.sources.snapshots(), self.sources.profile())
    }

    /// The metrics as they are now, as JSON: see [`formats::json`](crate::formats::json).
    pub fn json(&self) -> String {
        self.sources.json()
    }

    /// Lets [`listen`](Self::listen) take an address that other machines can reach. Whoever reaches it can read all
    /// metrics, options and the first bytes of some keys: there is no authentication.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn allow_any_address(mut self) -> Self {
        self.any_address = true;
        self
    }

    /// Serves the metrics on a thread of its own until the server is stopped or dropped. `address` is a host and a
    /// port, as in `127.0.0.1:9464`; port 0 takes a free one, which [`Server::local_addr`] tells.
    ///
    /// The address is bound before this returns.
    ///
    /// # Errors
    /// [`Error::Bind`](crate::error::Error::Bind) if the address is taken or no address at all,
    /// [`Error::NotLoopback`](crate::error::Error::NotLoopback) if other machines can reach it and
    /// [`allow_any_address`](Self::allow_any_address) was not called,
    /// [`Error::Start`](crate::error::Error::Start) if the thread could not be started.
    #[cfg(feature = "http")]
    pub fn listen(self, address: impl std::net::ToSocketAddrs + std::fmt::Display) -> Result<Server> {
        let listener = http::bind(address, self.any_address)?;
        Server::start(listener, self.router())
    }

    /// The routes, for an application with an axum server of its own. The server's limits on connections and headers
    /// are then the application's.
    #[cfg(feature = "http")]
    pub fn router(&self) -> axum::Router {
        http::router(self.sources.clone())
    }
}
