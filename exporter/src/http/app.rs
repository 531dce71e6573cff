//! What all handlers share.

use super::access::Access;
use super::kept::Kept;
use super::line::Permit;
use super::live::Live;
use super::query::{BadParameter, Query};
use super::service::Hosts;
use super::stats::Stats;
use crate::config::Noted;
use crate::formats::own::OwnFamily;
use crate::health::Health;
use crate::log_sink::Logging;
use crate::process::Process;
use crate::sources::Sources;
use bettong_metrics::{MetricsSnapshot, Registry};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::Semaphore;

/// Documents that are rendered or sent at once.
pub(super) const SCRAPES_MAX: usize = 8;

/// Streams, and measurements that take their time, at once.
pub(super) const STREAMS_MAX: usize = 8;

/// What is shown, to whom, and how much of it at once.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) sources: Sources,
    pub(crate) native_histograms: bool,
    pub(crate) hosts: Hosts,
    /// What a request has to bring.
    pub(crate) access: Access,
    /// Where the formats of Prometheus are, if somewhere.
    pub(crate) path: Option<String>,
    /// Whether there are JSON documents.
    pub(crate) json: bool,
    /// All settings, each with its source.
    pub(crate) noted: Noted,
    /// Whether connections are encrypted.
    pub(crate) tls: bool,
    pub(crate) stats: Arc<Stats>,
    pub(crate) health: Arc<Health>,
    /// Logs for as long as somebody may ask.
    pub(crate) _log: Option<Arc<Logging>>,
}

/// Everything is served to everybody.
impl Default for Settings {
    fn default() -> Self {
        Self {
            sources: Sources::default(),
            native_histograms: false,
            hosts: Hosts::default(),
            access: Access::default(),
            path: Some("/metrics".to_owned()),
            json: true,
            noted: Noted::default(),
            tls: false,
            stats: Arc::default(),
            health: Arc::default(),
            _log: None,
        }
    }
}

/// The state of a router.
#[derive(Debug)]
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) started: SystemTime,
    pub(super) live: Arc<Live>,
    /// What several scrapers get.
    pub(super) kept: Kept,
    scrapes: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl App {
    pub(super) fn new(settings: Settings) -> Self {
        let live = Live::new(settings.sources.registries(), Arc::clone(&settings.stats));
        Self {
            settings,
            live,
            kept: Kept::new(),
            started: SystemTime::now(),
            scrapes: Arc::new(Semaphore::new(SCRAPES_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// A permit to render and send a document, unless too many are under way.
    pub(super) fn scrape(&self) -> Option<Permit> {
        Arc::clone(&self.scrapes).try_acquire_owned().ok().map(Permit::new)
    }

    /// A permit to do something that takes its time: to stream, or to measure.
    pub(super) fn linger(&self) -> Option<Permit> {
        Arc::clone(&self.streams).try_acquire_owned().ok().map(Permit::new)
    }

    /// Snapshots of these databases.
    pub(super) fn snapshots(&self, registries: &[Arc<Registry>]) -> Vec<MetricsSnapshot> {
        let began = Instant::now();
        let snapshots = registries.iter().map(|registry| registry.snapshot()).collect();
        self.settings.stats.snapshots_took(began.elapsed());
        snapshots
    }

    /// Snapshots of all databases.
    pub(super) fn all_snapshots(&self) -> Vec<MetricsSnapshot> {
        self.snapshots(self.settings.sources.registries())
    }

    /// What the exporter says of itself and of the process.
    pub(super) fn own(&self) -> Vec<OwnFamily> {
        let mut families = self.settings.stats.families();
        families.extend(self.health());
        families.extend(Process::shown().families());
        families
    }

    /// What the health checks found, as metrics.
    pub(super) fn health(&self) -> Vec<OwnFamily> {
        self.settings.health.report().families()
    }

    /// The databases that a request is about: that of its parameter `db`, or all.
    pub(super) fn chosen(&self, query: &mut Query) -> Result<Vec<Arc<Registry>>, BadParameter> {
        let all = self.settings.sources.registries();
        let Some(name) = query.take("db") else { return Ok(all.to_vec()) };
        let named = all.iter().find(|registry| registry.name() == name);
        let named =
            named.ok_or_else(|| BadParameter::new("db", "is not the name of a database shown here"))?;
        Ok(vec![Arc::clone(named)])
    }
}
