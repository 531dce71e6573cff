//! Databases beside an application's own metrics, in a registry of the crate `prometheus-client`.

use crate::formats::{Profile, client};
use crate::process::Process;
use crate::sources::Sources;
use bettong_metrics::Registry;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::Arc;

/// Shows the metrics of one or more databases in a registry of the crate `prometheus-client`.
///
/// What comes out is what [`formats::openmetrics`](crate::formats::openmetrics) says: the same names, help texts, units, labels,
/// buckets and values. Each scrape takes a snapshot; it does not wait for the databases, nor they for it. Exceptions:
///
/// - The crate has no summaries. One of the application's is shown as three families of type `unknown`, with the same lines.
/// - It writes the label `le` as it writes numbers: `1.023e-6` instead of `1.023e-06`. Prometheus 3 takes them for the same, 2.x
///   does not: buckets are other series there than those of this crate's own server.
/// - A prefix or labels of the registry that the collector is registered with are put in front of every name and series.
///   Registered with the root registry, names stay as they are documented.
/// - Health checks, and what the HTTP server counts of itself, are no part of it.
/// - Where it writes protobuf there are classic buckets alone, and families of type `unknown` have values of gauges.
///
/// # Examples
/// ```
/// use bettong_exporter::bridges::BettongCollector;
/// use prometheus_client::encoding::text::encode;
/// use prometheus_client::metrics::counter::Counter;
///
/// # fn main() -> Result<(), std::fmt::Error> {
/// let database = bettong_metrics::Registry::new("orders"); // of an open database: `db.metrics()`
/// let mut registry = prometheus_client::registry::Registry::default();
/// let logins: Counter = Counter::default();
/// registry.register("app_logins", "Logins finished", logins.clone());
/// registry.register_collector(Box::new(BettongCollector::new(database)));
///
/// logins.inc();
/// let mut text = String::new();
/// encode(&mut text, &registry)?;
/// assert!(text.contains("app_logins_total 1\n"));
/// assert!(text.contains("db_get_operations_total{db=\"orders\"} 0\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BettongCollector {
    sources: Sources,
    with_process: bool,
}

impl BettongCollector {
    /// A collector for one database.
    pub fn new(registry: Arc<Registry>) -> Self {
        let mut sources = Sources::default();
        sources.add(registry);
        Self { sources, with_process: false }
    }

    /// Shows another database too, told apart by the label `db`. A registry with a name that is known already takes the place of
    /// the earlier one.
    ///
    /// One collector for all databases: two would show each family twice, which is no valid text.
    #[must_use]
    pub fn with(mut self, registry: Arc<Registry>) -> Self {
        self.sources.add(registry);
        self
    }

    /// Shows the series of this profile. [`Profile::Standard`] unless it is set.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.sources.set_profile(profile);
        self
    }

    /// Shows the process too (`process_*`; Linux, feature `process`), unless another collector does so already.
    #[must_use]
    pub fn with_process(mut self) -> Self {
        self.with_process = true;
        self
    }
}

impl Collector for BettongCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let process = if self.with_process { Process::shown().families() } else { Vec::new() };
        client::encode(&mut encoder, &self.sources.snapshots(), &process, self.sources.profile())
    }
}
