//! The five states of a check, and of the whole.

use std::fmt;

/// How well something is. They are ordered: what is greater is worse.
///
/// `Unknown` lies in the middle: not to know is worse than to know of something that can be lived with, and better than to know
/// of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// It works, and somebody should look at it.
    Degraded,
    /// It could not be found out.
    Unknown,
    /// It does not work as it should.
    Unhealthy,
    /// It does not work.
    Critical,
}

impl HealthStatus {
    /// All states, as they follow each other in the metrics.
    pub const ALL: [Self; 5] =
        [Self::Healthy, Self::Degraded, Self::Unhealthy, Self::Critical, Self::Unknown];

    /// The name: `healthy`, `degraded`, `unhealthy`, `critical` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Unhealthy => "unhealthy",
            Self::Critical => "critical",
        }
    }

    /// Whether it is [`Unhealthy`](Self::Unhealthy) or [`Critical`](Self::Critical): a load balancer should go elsewhere.
    pub const fn is_failing(self) -> bool {
        matches!(self, Self::Unhealthy | Self::Critical)
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
