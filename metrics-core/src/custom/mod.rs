//! Metrics of the embedding application: counters, gauges, histograms and summaries that it registers itself.
//!
//! ```text
//!   register ──> table (copied on write) ──> family ──> series ──> cells <── handle: record
//!                  ^ snapshot walks it                               ^ snapshot reads them
//! ```
//! 1. Registering takes a lock, checks the name and the labels, and puts a new table in the place of the old one.
//! 2. The handle it returns points at the series' cells. Recording through it takes no lock and looks nothing up.
//! 3. A snapshot walks the table as it is at that moment; nobody waits for it and it waits for nobody.
//!
//! The number of series is bounded: see [`MAX_SERIES_PER_FAMILY`] and [`DEFAULT_MAX_SERIES`].

mod kind;
mod error;
mod rules;
mod slots;
mod counter;
mod gauge;
mod histogram;
mod series;
mod reading;
mod shape;
mod table;

pub use counter::CustomCounter;
pub use error::{RegisterError, Rejection};
pub use gauge::CustomGauge;
pub use histogram::CustomHistogram;
pub(crate) use kind::unit_named_by;
pub use kind::{CustomKind, Measure};
pub(crate) use reading::since;
pub use reading::{CustomFamily, CustomSeries, CustomValue};
pub use rules::{MAX_LABEL_VALUE_BYTES, MAX_LABELS, MAX_NAME_BYTES};
pub(crate) use series::Cells;
pub(crate) use shape::FamilyShape;
pub(crate) use table::{CustomTable, Request};
pub use table::{DEFAULT_MAX_SERIES, MAX_SERIES_PER_FAMILY, OTHER};

#[cfg(test)]
mod tests;
