//! The handle an application holds: which databases are shown, and where.

use crate::formats::Profile;
use crate::process::Process;
use crate::sources::Sources;
use bettong_metrics::Registry;
use std::sync::Arc;

#[cfg(feature = "http")]
use crate::error::Result;
#[cfg(feature = "http")]
use crate::health::HealthMonitor;
#[cfg(feature = "http")]
use crate::http::{self, Access, Encryption, Hosts, Server, Settings, Stats};
#[cfg(feature = "http")]
use crate::secret::Secret;

/// Shows the metrics of one or more databases.
#[derive(Clone, Debug)]
pub struct Exporter {
    sources: Sources,
    #[cfg(feature = "http")]
    serving: Serving,
}

/// How the metrics are served.
#[cfg(feature = "http")]
#[derive(Clone, Debug, Default)]
struct Serving {
    any_address: bool,
    native_histograms: bool,
    hosts: Hosts,
    access: Access,
    encryption: Encryption,
    stats: Arc<Stats>,
    monitor: HealthMonitor,
}

impl Exporter {
    /// An exporter for one database.
    pub fn new(registry: Arc<Registry>) -> Self {
        let mut sources = Sources::default();
        sources.add(registry);
        Self {
            sources,
            #[cfg(feature = "http")]
            serving: Serving::default(),
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

    /// The metrics as they are now, in the Prometheus text format, those of the process with them.
    pub fn text(&self) -> String {
        // The exporter keeps the text for the next one to begin with.
        String::clone(&self.sources.text(&self.sources.snapshots(), &Process::read().families()))
    }

    /// The same as OpenMetrics text.
    pub fn open_metrics(&self) -> String {
        String::clone(&self.sources.open_metrics(&self.sources.snapshots(), &Process::read().families()))
    }

    /// The same as delimited protobuf messages with native histograms.
    #[cfg(feature = "protobuf")]
    pub fn protobuf(&self) -> Vec<u8> {
        crate::formats::protobuf::render_with(
            &self.sources.snapshots(),
            &Process::read().families(),
            self.sources.profile(),
        )
    }

    /// The same as JSON: see [`formats::json`](crate::formats::json).
    pub fn json(&self) -> String {
        Sources::json(&self.sources.snapshots(), &[])
    }

    /// Lets [`listen`](Self::listen) take an address that other machines can reach. Whoever reaches it can read all
    /// metrics, options and the first bytes of some keys, unless there is a [`bearer_token`](Self::bearer_token).
    /// Without one a warning is logged.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn allow_any_address(mut self) -> Self {
        self.serving.any_address = true;
        self
    }

    /// Lets requests call the server by this name, beside `localhost` and addresses. Others are refused (421), so that a page
    /// of another site cannot read the metrics by giving its own name this machine's address.
    ///
    /// It concerns [`listen`](Self::listen) and [`listen_local`](Self::listen_local); an application that mounts the
    /// [`router`](Self::router) looks at the names itself.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.serving.hosts.add(name.into());
        self
    }

    /// Answers only requests that bring this token: `Authorization: Bearer …`. Others get 401, on every path but `/livez` and
    /// `/readyz`, which say one word. The token goes over the network as it is: where that is not trusted, TLS has to be
    /// put in front. [`Secret::from_file`] reads it from a file.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> bettong_exporter::Result<()> {
    /// use bettong_exporter::{Exporter, Secret};
    ///
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let server = Exporter::new(registry).bearer_token(Secret::new("open sesame")).listen("127.0.0.1:0")?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http")]
    #[must_use]
    pub fn bearer_token(mut self, token: Secret) -> Self {
        self.serving.access.token = Some(token);
        self
    }

    /// Answers only requests that bring this user's name and password (`Authorization: Basic …`), or the
    /// [`bearer_token`](Self::bearer_token) if there is one, too. What is said of the token holds here as well.
    ///
    /// `hash` is the bcrypt hash of the password, as `htpasswd -nbBC 10 USER PASSWORD` prints it behind the colon. One password is
    /// checked at a time; the credentials that were accepted last are known again at once, so that a scrape does not cost
    /// 60 ms of a processor each. Passwords have 72 bytes at most.
    ///
    /// # Errors
    /// [`Error::Credentials`](crate::error::Error::Credentials) if the name is empty or has a colon or control characters, if the hash is not
    /// one of bcrypt's (`$2a$`, `$2b$`, `$2y$`), or its cost is not from 4 to 15.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> bettong_exporter::Result<()> {
    /// use bettong_exporter::{Exporter, Secret};
    ///
    /// let hash = Secret::new("$2b$04$8iQ7K3zT0JXk0dLtJ1w0sOq3o8jJ9yX0m5b2nT3pV7cW1aR6eH4uS");
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let exporter = Exporter::new(registry).basic_auth("prometheus", &hash)?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "basic-auth")]
    pub fn basic_auth(mut self, user: impl Into<String>, hash: &Secret) -> Result<Self> {
        self.serving.access.user = Some(http::Door::new(http::User::new(user.into(), hash)?));
        Ok(self)
    }

    /// Serves over TLS 1.2 or 1.3 only, with the certificate chain and the private key of these PEM files. They are looked at again when
    /// connections come, at most every two seconds: files that were replaced are used from then on; if they cannot be used, a
    /// warning is logged and the old ones stay. It concerns [`listen`](Self::listen) and [`listen_local`](Self::listen_local).
    ///
    /// # Errors
    /// [`Error::Tls`](crate::error::Error::Tls) with the file that cannot be read or used, that has no certificate or no key in it, that does not
    /// belong to the other, or, of a key, that everybody can read or its group can write (on Unix).
    #[cfg(feature = "tls")]
    pub fn tls(
        mut self,
        certificates: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        self.serving.encryption = Encryption::load(certificates.as_ref(), key.as_ref())?;
        Ok(self)
    }

    /// Whether clients that ask for it get the protobuf format, with native histograms. Not unless it is set: a server
    /// that takes native histograms drops the classic ones, and with them what queries of `_bucket` series find.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn native_histograms(mut self, offered: bool) -> Self {
        self.serving.native_histograms = offered;
        self
    }

    /// What is checked for `/health`, and how often, in place of the checks that are built in with their usual limits.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> bettong_exporter::Result<()> {
    /// use bettong_exporter::Exporter;
    /// use bettong_exporter::health::HealthMonitor;
    /// use std::time::Duration;
    ///
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let monitor = HealthMonitor::new().interval(Duration::from_secs(20)).memory_limit(1 << 30);
    /// let server = Exporter::new(registry).health(monitor).listen("127.0.0.1:0")?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http")]
    #[must_use]
    pub fn health(mut self, monitor: HealthMonitor) -> Self {
        self.serving.monitor = monitor;
        self.sources.forget();
        self
    }

    /// Serves the metrics on a thread of its own until the server is stopped or dropped. `address` is a host and a
    /// port, as in `127.0.0.1:9464`; port 0 takes a free one, which [`Server::local_addr`] tells.
    ///
    /// The address is bound before this returns. If other machines can reach it without a token, a warning is logged through
    /// `tracing`.
    ///
    /// # Errors
    /// [`Error::Bind`](crate::error::Error::Bind) if the address is taken or no address at all,
    /// [`Error::NotLoopback`](crate::error::Error::NotLoopback) if other machines can reach it and
    /// [`allow_any_address`](Self::allow_any_address) was not called,
    /// [`Error::Start`](crate::error::Error::Start) if the thread could not be started.
    #[cfg(feature = "http")]
    pub fn listen(self, address: impl std::net::ToSocketAddrs + std::fmt::Display) -> Result<Server> {
        let Serving { any_address, access, .. } = &self.serving;
        let listener = http::bind(address, *any_address, !access.is_open())?;
        self.serve(vec![listener])
    }

    /// The same on this port of 127.0.0.1 and `::1`, whichever the machine has.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    ///
    /// # Examples
    /// ```
    /// # fn main() -> bettong_exporter::Result<()> {
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let server = bettong_exporter::Exporter::new(registry).listen_local(0)?;
    /// assert!(server.local_addr().ip().is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http")]
    pub fn listen_local(self, port: u16) -> Result<Server> {
        let listeners = http::bind_local(port)?;
        self.serve(listeners)
    }

    #[cfg(feature = "http")]
    fn serve(self, listeners: Vec<std::net::TcpListener>) -> Result<Server> {
        let Serving { hosts, stats, encryption, .. } = self.serving.clone();
        let router = http::router(self.settings(encryption.is_on()));
        Server::start(listeners, router, hosts, stats, encryption)
    }

    /// The routes, for an application with an axum server of its own. Health checks begin to run when this is called, on a thread of
    /// their own, and end when the router and its clones are dropped. The limits on connections, headers and names of the
    /// server are then the application's. Its runtime must have timers.
    #[cfg(feature = "http")]
    pub fn router(&self) -> axum::Router {
        http::router(self.settings(false))
    }

    #[cfg(feature = "http")]
    fn settings(&self, tls: bool) -> Settings {
        let Serving { native_histograms, hosts, access, stats, monitor, .. } = self.serving.clone();
        let health = Arc::new(monitor.start(self.sources.registries()));
        Settings { sources: self.sources.clone(), native_histograms, hosts, access, tls, stats, health }
    }
}
