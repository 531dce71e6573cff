//! What a check is, and what it answers.

use super::status::HealthStatus;
use serde_json::{Map, Value};

/// Something whose health can be found out.
///
/// Checks run one after the other on a thread of the monitor's. One that does not answer in time is left behind and counts as
/// `unknown` until it does; it is not called again before. One that panics is `unknown`, too.
pub trait HealthCheck: Send + Sync {
    /// The name: short, and always the same, as it is a label of metrics. It is asked for once, when the check is registered; 128
    /// characters of it are kept.
    fn name(&self) -> &str;

    /// Whether the whole is as unwell as this. If not, it is degraded at the worst. Asked once, as the name.
    fn is_critical(&self) -> bool {
        false
    }

    /// Finds out. It may wait, and should give up by itself before the monitor's time-out.
    fn check(&self) -> CheckResult;
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// How it is.
    pub status: HealthStatus,
    /// A sentence for people, without a full stop.
    pub message: String,
    /// Figures, for programs.
    pub details: Map<String, Value>,
}

impl CheckResult {
    /// A result without details.
    pub fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), details: Map::new() }
    }

    /// All is well.
    pub fn healthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Healthy, message)
    }

    /// It works, and somebody should look at it.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    /// It does not work as it should.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Unhealthy, message)
    }

    /// It does not work.
    pub fn critical(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Critical, message)
    }

    /// It could not be found out.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Unknown, message)
    }

    /// Adds a figure.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a figure if it is known.
    #[must_use]
    pub(super) fn detail_if(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.detail(name, value),
            None => self,
        }
    }
}
