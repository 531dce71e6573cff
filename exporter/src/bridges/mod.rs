//! To other libraries of metrics: for applications that show their own with one of them.
//!
//! | | direction | feature |
//! | --- | --- | --- |
//! | `BettongCollector` | databases into a registry of the crate `prometheus-client` | `prometheus-client` |

#[cfg(feature = "prometheus-client")]
mod collector;

#[cfg(feature = "prometheus-client")]
pub use collector::BettongCollector;
