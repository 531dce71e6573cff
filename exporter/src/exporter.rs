//! The handle an application holds: which databases are shown, and where.

#[cfg(doc)]
use crate::formats::GlobalLabels;
use crate::formats::Profile;
use crate::process::Process;
use crate::sources::Sources;
use bettong_metrics::Registry;
use std::sync::Arc;
#[cfg(feature = "http")]
use std::time::Duration;

#[cfg(feature = "http")]
use crate::config::{self, Config, Noted, Source, Value};
#[cfg(feature = "http")]
use crate::error::Error;
use crate::error::Result;
#[cfg(feature = "http")]
use crate::health::HealthMonitor;
#[cfg(feature = "http")]
use crate::http::{self, Access, Encryption, Hosts, Server, Settings, Stats};
#[cfg(feature = "http")]
use crate::log_sink::LogSink;
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
    noted: Noted,
    stats: Arc<Stats>,
    monitor: HealthMonitor,
    log: Option<LogSink>,
}

#[cfg(feature = "http")]
impl Serving {
    fn code(&mut self, name: &'static str, value: Value) {
        self.noted.note(name, value, Source::Code);
    }
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
        #[cfg(feature = "http")]
        self.serving.code("profile", Value::Text(profile.to_string()));
        self
    }

    /// Gives every series this label, too, in the formats of Prometheus. A label that a series has itself keeps its value.
    ///
    /// A server adds labels to what it scrapes: this is for those that cannot.
    ///
    /// # Errors
    /// [`Error::Config`] as [`GlobalLabels::with`].
    ///
    /// # Examples
    /// ```
    /// # fn main() -> bettong_exporter::Result<()> {
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let exporter = bettong_exporter::Exporter::new(registry).label("region", "eu")?;
    /// assert!(exporter.text().contains("db_get_operations_total{db=\"orders\",region=\"eu\"} 0\n"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(mut self, name: &str, value: &str) -> Result<Self> {
        self.sources.add_label(name, value, true)?;
        #[cfg(feature = "http")]
        self.serving.code("global_labels", Value::Words(self.sources.global_labels().words()));
        Ok(self)
    }

    /// The metrics as they are now, in the Prometheus text format, those of the process with them.
    pub fn text(&self) -> String {
        // The exporter keeps the text for the next one to begin with.
        String::clone(&self.sources.text(&self.sources.snapshots(), &Process::shown().families()))
    }

    /// The same as OpenMetrics text.
    pub fn open_metrics(&self) -> String {
        String::clone(&self.sources.open_metrics(&self.sources.snapshots(), &Process::shown().families()))
    }

    /// The same as delimited protobuf messages with native histograms.
    #[cfg(feature = "protobuf")]
    pub fn protobuf(&self) -> Vec<u8> {
        self.sources.protobuf(&self.sources.snapshots(), &Process::shown().families())
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
        self.serving.code("allow_any_address", Value::Switch(true));
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
        let names = self.serving.hosts.names().to_vec();
        self.serving.code("hosts", Value::Words(names));
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
        self.serving.code("bearer_token", Value::Hidden(token.clone()));
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
    /// [`Error::Credentials`] if the name is empty or has a colon or control characters, if the hash is not
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
        let user = user.into();
        self.serving.code("basic_auth_user", Value::Text(user.clone()));
        self.serving.code("basic_auth_hash", Value::Hidden(hash.clone()));
        self.serving.access.user = Some(http::Door::new(http::User::new(user, hash)?));
        Ok(self)
    }

    /// Serves over TLS 1.2 or 1.3 only, with the certificate chain and the private key of these PEM files. They are looked at again when
    /// connections come, at most every two seconds: files that were replaced are used from then on; if they cannot be used, a
    /// warning is logged and the old ones stay. It concerns [`listen`](Self::listen) and [`listen_local`](Self::listen_local).
    ///
    /// # Errors
    /// [`Error::Tls`] with the file that cannot be read or used, that has no certificate or no key in it, that does not
    /// belong to the other, or, of a key, that everybody can read or its group can write (on Unix).
    #[cfg(feature = "tls")]
    pub fn tls(
        mut self,
        certificates: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        self.serving.encryption = Encryption::load(certificates, key)?;
        self.serving.code("tls_certificates", Value::Path(certificates.to_owned()));
        self.serving.code("tls_key", Value::Path(key.to_owned()));
        Ok(self)
    }

    /// Whether clients that ask for it get the protobuf format, with native histograms. Not unless it is set: a server
    /// that takes native histograms drops the classic ones, and with them what queries of `_bucket` series find.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn native_histograms(mut self, offered: bool) -> Self {
        self.serving.native_histograms = offered;
        self.serving.code("native_histograms", Value::Switch(offered));
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
        let keys =
            ["health_check_interval_ms", "health_check_timeout_ms", "memory_limit_bytes", "threads_max"];
        self.serving.noted.forget_code(&keys);
        for (name, number) in monitor.settings() {
            self.serving.code(name, Value::Number(number));
        }
        self.serving.monitor = monitor;
        self.sources.forget();
        self
    }

    /// Writes the metrics to the application's log, too, while they are served.
    ///
    /// # Examples
    /// ```
    /// # fn main() -> bettong_exporter::Result<()> {
    /// use bettong_exporter::Exporter;
    /// use bettong_exporter::log_sink::{LogFormat, LogSink};
    ///
    /// let registry = bettong_metrics::Registry::new("orders");
    /// let server = Exporter::new(registry).log(LogSink::new().format(LogFormat::Text)).listen("127.0.0.1:0")?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "http")]
    #[must_use]
    pub fn log(mut self, sink: LogSink) -> Self {
        self.serving.code("performance_log", Value::Switch(true));
        self.serving.noted.forget_code(&["log_interval_ms", "log_format", "log_level"]);
        let (interval, format, level) = sink.settings();
        interval.into_iter().for_each(|millis| self.serving.code("log_interval_ms", Value::Number(millis)));
        format.into_iter().for_each(|name| self.serving.code("log_format", Value::Text(name)));
        level.into_iter().for_each(|name| self.serving.code("log_level", Value::Text(name)));
        self.serving.log = Some(sink);
        self
    }

    /// Serves the formats of Prometheus at this path instead of `/metrics`, beside `/api/v1/metrics`.
    ///
    /// # Errors
    /// [`Error::Config`] unless it begins with `/`, has letters, digits and `-._~/` only, 128 of them at most, and is none of the
    /// other paths.
    #[cfg(feature = "http")]
    pub fn metrics_path(mut self, path: impl Into<String>) -> Result<Self> {
        let path = path.into();
        if !config::is_path(&path) {
            let shown: String = path.chars().take(64).collect();
            return Err(Error::Config(vec![format!("{shown:?} cannot be the path of metrics")]));
        }
        self.serving.code("path", Value::Text(path));
        Ok(self)
    }

    /// Takes over what a file and the environment say, but for what was set in code, before or after.
    ///
    /// `slow_threshold_ms` is set for the databases that are shown already.
    ///
    /// # Errors
    /// [`Error::Config`] if a secret is set twice in one place, its file cannot be read, or this build lacks the feature that a
    /// setting needs; [`Error::Credentials`] and [`Error::Tls`] as `basic_auth` and `tls`.
    #[cfg(feature = "http")]
    pub fn config(mut self, config: &Config) -> Result<Self> {
        let by_code = self.serving.noted.clone();
        let is_free = |name: &str| by_code.source(name) != Source::Code;
        for (name, value, source) in config.values().filter(|(name, ..)| is_free(name)) {
            self.take_over(name, value);
            self.serving.noted.note(name, value.clone(), source);
        }
        if let Some((Value::Words(words), source)) = config.value("global_labels") {
            for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
                self.sources.add_label(name, value, false)?;
            }
            let all = Value::Words(self.sources.global_labels().words());
            self.serving.noted.note("global_labels", all, source.max(by_code.source("global_labels")));
        }
        if is_free("bearer_token")
            && let Some((token, source)) = config.secret("bearer_token", "bearer_token_file")?
        {
            self.serving.noted.note("bearer_token", Value::Hidden(token.clone()), source);
            self.serving.access.token = Some(token);
        }
        if is_free("basic_auth_user") {
            self = self.take_over_user(config)?;
        }
        if is_free("tls_key") { self.take_over_tls(config) } else { Ok(self) }
    }

    #[cfg(feature = "http")]
    fn take_over(&mut self, name: &str, value: &Value) {
        match (name, value) {
            ("allow_any_address", Value::Switch(allowed)) => self.serving.any_address = *allowed,
            ("native_histograms", Value::Switch(offered)) => self.serving.native_histograms = *offered,
            ("hosts", Value::Words(names)) => {
                names.iter().for_each(|name| self.serving.hosts.add(name.clone()));
            }
            ("profile", Value::Text(name)) => {
                // It was looked at when it was read.
                name.parse().into_iter().for_each(|profile| self.sources.set_profile(profile));
            }
            ("slow_threshold_ms", Value::Number(millis)) => {
                let threshold = Duration::from_millis(*millis);
                self.sources.registries().iter().for_each(|one| one.set_slow_threshold(threshold));
            }
            // The others are read where they are needed.
            _ => {}
        }
    }

    #[cfg(feature = "http")]
    fn take_over_user(self, config: &Config) -> Result<Self> {
        let hash = config.secret("basic_auth_hash", "basic_auth_hash_file")?;
        match (config.value("basic_auth_user"), hash) {
            (None, None) => Ok(self),
            (Some((Value::Text(user), user_at)), Some((hash, hash_at))) => {
                let mut this = self.user_of(user, &hash)?;
                this.serving.noted.note("basic_auth_user", Value::Text(user.clone()), user_at);
                this.serving.noted.note("basic_auth_hash", Value::Hidden(hash), hash_at);
                Ok(this)
            }
            _ => Err(Error::Config(vec!["basic_auth_user and basic_auth_hash belong together".to_owned()])),
        }
    }

    #[cfg(feature = "basic-auth")]
    fn user_of(self, user: &str, hash: &Secret) -> Result<Self> {
        self.basic_auth(user, hash)
    }

    #[cfg(all(feature = "http", not(feature = "basic-auth")))]
    #[expect(clippy::unused_self, reason = "it looks like the one that can do it")]
    fn user_of(self, _: &str, _: &Secret) -> Result<Self> {
        Err(Error::Config(vec!["basic_auth_user needs a build with the feature basic-auth".to_owned()]))
    }

    #[cfg(feature = "http")]
    fn take_over_tls(self, config: &Config) -> Result<Self> {
        match (config.value("tls_certificates"), config.value("tls_key")) {
            (None, None) => Ok(self),
            (Some((Value::Path(chain), chain_at)), Some((Value::Path(key), key_at))) => {
                let mut this = self.tls_of(chain, key)?;
                this.serving.noted.note("tls_certificates", Value::Path(chain.clone()), chain_at);
                this.serving.noted.note("tls_key", Value::Path(key.clone()), key_at);
                Ok(this)
            }
            _ => Err(Error::Config(vec!["tls_certificates and tls_key belong together".to_owned()])),
        }
    }

    #[cfg(feature = "tls")]
    fn tls_of(self, chain: &std::path::Path, key: &std::path::Path) -> Result<Self> {
        self.tls(chain, key)
    }

    #[cfg(all(feature = "http", not(feature = "tls")))]
    #[expect(clippy::unused_self, reason = "it looks like the one that can do it")]
    fn tls_of(self, _: &std::path::Path, _: &std::path::Path) -> Result<Self> {
        Err(Error::Config(vec!["tls_key needs a build with the feature tls".to_owned()]))
    }

    /// Serves as [`config`](Self::config) says: on `address` and `port`, or on this port of 127.0.0.1 and `::1` if no address is
    /// set, and on port 9464 if nothing is. `None` if `enabled` is false.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    #[cfg(feature = "http")]
    pub fn start(self) -> Result<Option<Server>> {
        let noted = &self.serving.noted;
        if matches!(noted.value("enabled"), Value::Switch(false)) {
            return Ok(None);
        }
        let port = match noted.value("port") {
            Value::Number(port) => port as u16,
            _ => 0,
        };
        match noted.value("address") {
            Value::Text(address) => {
                let ip: std::net::IpAddr = address
                    .parse()
                    .map_err(|_| Error::Config(vec!["exporter.address must be an IP address".to_owned()]))?;
                self.listen(std::net::SocketAddr::new(ip, port)).map(Some)
            }
            _ => self.listen_local(port).map(Some),
        }
    }

    /// Serves the metrics on a thread of its own until the server is stopped or dropped. `address` is a host and a
    /// port, as in `127.0.0.1:9464`; port 0 takes a free one, which [`Server::local_addr`] tells.
    ///
    /// The address is bound before this returns. If other machines can reach it without a token, a warning is logged through
    /// `tracing`.
    ///
    /// # Errors
    /// [`Error::Bind`] if the address is taken or no address at all,
    /// [`Error::NotLoopback`] if other machines can reach it and
    /// [`allow_any_address`](Self::allow_any_address) was not called,
    /// [`Error::Start`] if the thread could not be started.
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
        let (router, live) = http::served(self.settings(encryption.is_on()));
        Server::start(listeners, router, live, hosts, stats, encryption)
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
        let Serving { native_histograms, hosts, access, noted, stats, monitor, log, .. } =
            self.serving.clone();
        let is_on = |name| !matches!(noted.value(name), Value::Switch(false));
        let path = match noted.value("path") {
            Value::Text(path) if is_on("prometheus_enabled") => Some(path),
            _ => None,
        };
        let json = is_on("json_api_enabled");
        let sources = self.sources.clone();
        let health = Arc::new(monitored(monitor, &noted).start(self.sources.registries()));
        let log =
            log.or_else(|| matches!(noted.value("performance_log"), Value::Switch(true)).then(LogSink::new));
        let log = log.map(|sink| Arc::new(logged(sink, &noted).start(self.sources.registries())));
        Settings {
            sources,
            native_histograms,
            hosts,
            access,
            path,
            json,
            noted,
            tls,
            stats,
            health,
            _log: log,
        }
    }
}

/// The monitor as code made it, and for the rest as it was set elsewhere.
#[cfg(feature = "http")]
fn monitored(mut monitor: HealthMonitor, noted: &Noted) -> HealthMonitor {
    if let Value::Number(millis) = noted.value("health_check_interval_ms") {
        monitor = monitor.interval(Duration::from_millis(millis));
    }
    if let Value::Number(millis) = noted.value("health_check_timeout_ms") {
        monitor = monitor.timeout(Duration::from_millis(millis));
    }
    if let Value::Number(bytes) = noted.value("memory_limit_bytes") {
        monitor = monitor.memory_limit(bytes);
    }
    if let Value::Number(threads) = noted.value("threads_max") {
        monitor = monitor.threads_max(threads);
    }
    monitor
}

/// The log likewise.
#[cfg(feature = "http")]
fn logged(mut sink: LogSink, noted: &Noted) -> LogSink {
    if let Value::Number(millis) = noted.value("log_interval_ms") {
        sink = sink.interval(Duration::from_millis(millis));
    }
    if let Value::Text(name) = noted.value("log_format") {
        sink = name.parse().map_or(sink, |format| sink.format(format));
    }
    if let Value::Text(name) = noted.value("log_level") {
        sink = name.parse().map_or(sink, |level| sink.level(level));
    }
    sink
}
