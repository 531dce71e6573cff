//! How many series a scrape brings: what a server has to keep.
//!
//! A series is what Prometheus makes of a line: a classic histogram is one for each bucket, and two for sum and count. A
//! native histogram is one altogether; a server that keeps only those has as many series as [`native_series`] says.

use super::edges;
use super::profile::Profile;
use bettong_metrics::{CustomFamily, CustomKind, Family, Kind, MetricsSnapshot};

/// The lines of a histogram that are no finite bucket: the infinite one, sum, count.
const BESIDE_BUCKETS: usize = 3;

/// The lines of a summary: four quantiles, sum, count.
const OF_SUMMARY: usize = 6;

/// How many series the databases have in a text format, those of the exporter itself not counted.
///
/// # Examples
/// ```
/// use bettong_exporter::formats::{Profile, budget, text};
///
/// let snapshots = [bettong_metrics::Registry::new("orders").snapshot()];
/// let lines = text::render(&snapshots[0]).lines().filter(|line| !line.starts_with('#')).count();
/// assert_eq!(budget::series(&snapshots, Profile::Standard), lines);
/// ```
pub fn series(snapshots: &[MetricsSnapshot], profile: Profile) -> usize {
    let of_snapshot = |snapshot: &MetricsSnapshot| {
        let custom = snapshot.custom().iter().map(|family| custom(family, profile));
        catalogue(profile) + custom.sum::<usize>()
    };
    snapshots.iter().map(of_snapshot).sum()
}

/// How many series they are where the server keeps native histograms and no classic ones.
pub fn native_series(snapshots: &[MetricsSnapshot], profile: Profile) -> usize {
    let shown = Family::all().filter(|family| profile.shows(*family));
    let of_catalogue: usize = shown.map(|family| family.desc().series()).sum();
    let custom = |family: &CustomFamily| {
        let lines = if family.kind() == CustomKind::Summary { OF_SUMMARY } else { 1 };
        family.series().len() * lines
    };
    let of_snapshot =
        |snapshot: &MetricsSnapshot| of_catalogue + snapshot.custom().iter().map(custom).sum::<usize>();
    snapshots.iter().map(of_snapshot).sum()
}

/// The series of the catalogue's families of one database.
fn catalogue(profile: Profile) -> usize {
    let of_family = |family: Family| {
        let lines = match family.kind() {
            Kind::Counter | Kind::Gauge => 1,
            Kind::Histogram => edges::of(family.desc(), profile).len() + BESIDE_BUCKETS,
        };
        family.desc().series() * lines
    };
    Family::all().filter(|family| profile.shows(*family)).map(of_family).sum()
}

fn custom(family: &CustomFamily, profile: Profile) -> usize {
    let is_labelled = family.series().iter().any(|series| !series.labels().is_empty());
    let lines = match family.kind() {
        CustomKind::Counter | CustomKind::Gauge => 1,
        CustomKind::Summary => OF_SUMMARY,
        CustomKind::Histogram => edges::of_other(family.unit(), is_labelled, profile).len() + BESIDE_BUCKETS,
    };
    family.series().len() * lines
}
