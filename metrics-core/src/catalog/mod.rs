//! The closed table of metric families: every name, unit, help text and label the engine can report.
//!
//! Code names a family by its enum variant and a series by a cell: `Counter::GetResults.at(1)`. Cells are positions in
//! flat arrays, computed at compile time where the labels are constant, so recording knows no strings. The exporter's
//! formats, the documentation and the tests all read the same table.

mod labels;
mod get_source;
mod lookup;
mod event_kind;
mod group;
mod family;
mod counters;
mod gauges;
mod histograms;
mod stage;
mod index;

pub use counters::{Counter, CounterCell};
pub use event_kind::{EventKind, Severity};
pub use family::{Desc, Home, Kind, Label, Labels, Unit};
pub use gauges::{Gauge, GaugeCell};
pub use get_source::GetSource;
pub use group::Group;
pub use histograms::{Histogram, HistogramCell};
pub use index::Family;
pub use labels::{ErrorLabel, IoFile, IoOperation, Operation};
pub use lookup::Lookup;
pub use stage::Stage;

#[cfg(test)]
mod tests;
