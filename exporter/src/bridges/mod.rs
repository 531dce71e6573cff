//! To other libraries of metrics: for applications that show their own with one of them.
//!
//! | | direction | feature |
//! | --- | --- | --- |
//! | `BettongCollector` | databases into a registry of the crate `prometheus-client` | `prometheus-client` |
//! | `FacadePublisher` | databases into the recorder that is installed behind the crate `metrics` | `metrics` |
//! | `FacadeRecorder` | what an application counts through the crate `metrics` into a database's registry | `metrics` |

#[cfg(feature = "prometheus-client")]
mod collector;
#[cfg(feature = "metrics")]
mod publisher;
#[cfg(feature = "metrics")]
mod recorder;

#[cfg(feature = "prometheus-client")]
pub use collector::BettongCollector;
#[cfg(feature = "metrics")]
pub use publisher::{FacadePublisher, PublisherThread};
#[cfg(feature = "metrics")]
pub use recorder::FacadeRecorder;
