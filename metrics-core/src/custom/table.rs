//! All custom series of one database.
//!
//! Thread rules: the table is replaced as a whole, under the lock of `writing`. Whoever looks a series up or takes a
//! snapshot loads the table that is there and needs no lock. The lock guards nothing that could be left half done, so
//! a thread that panics while it holds it does no harm, and poison is ignored.

use super::counter::Columns;
use super::error::{RegisterError, Rejection};
use super::kind::CustomKind;
use super::reading::{CustomFamily, CustomSeries};
use super::rules;
use super::series::{Cells, Series, SortedLabels};
use crate::catalog::Unit;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The most series of a registry, unless it is told otherwise. One more in each family holds what is beyond.
pub const DEFAULT_MAX_SERIES: usize = 1_000;

/// The most series of one family. One more holds what is beyond.
pub const MAX_SERIES_PER_FAMILY: usize = 100;

/// The value of every label of the series that holds what is beyond the limits.
pub const OTHER: &str = "other";

/// The help text of families that were recorded by name and never described.
const UNDESCRIBED: &str = "Recorded by name, without a description";

/// A series that somebody wants to record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) kind: CustomKind,
    pub(crate) unit: Unit,
    pub(crate) name: &'a str,
    /// `None` if the series is recorded by name.
    pub(crate) help: Option<&'a str>,
    pub(crate) labels: &'a [(&'a str, &'a str)],
}

/// What all series of a name share, and the series, sorted by labels.
#[derive(Clone)]
struct Entry {
    name: Arc<str>,
    help: Option<Arc<str>>,
    kind: CustomKind,
    unit: Unit,
    series: Vec<Series>,
}

/// The families, sorted by name.
#[derive(Clone, Default)]
struct Entries(Vec<Arc<Entry>>);

/// All custom series of one database.
pub(crate) struct CustomTable {
    entries: ArcSwap<Entries>,
    writing: Mutex<Columns>,
    max_series: AtomicUsize,
    rejections: [AtomicU64; Rejection::ALL.len()],
}

impl Default for CustomTable {
    fn default() -> Self {
        Self {
            entries: ArcSwap::default(),
            writing: Mutex::default(),
            max_series: AtomicUsize::new(DEFAULT_MAX_SERIES),
            rejections: Default::default(),
        }
    }
}

impl CustomTable {
    /// The cells of the series, registered if need be. What is beyond the limits gets the cells of the series `other`.
    /// Rejected and folded requests are counted.
    pub(crate) fn register(&self, request: &Request<'_>) -> Result<Cells, RegisterError> {
        self.find_or_add(request).inspect_err(|error| self.count(error.rejection()))
    }

    /// Kind and unit of the family called `name`.
    pub(crate) fn shape_of(&self, name: &str) -> Option<(CustomKind, Unit)> {
        self.entries.load().get(name).map(|entry| (entry.kind, entry.unit))
    }

    /// Requests that were rejected or folded for this reason.
    pub(crate) fn rejections(&self, reason: Rejection) -> u64 {
        self.rejections.get(reason.index()).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Adds the rejections to the counters of a snapshot.
    pub(crate) fn count_rejections(&self, counters: &mut [u64]) {
        for reason in Rejection::ALL {
            if let Some(counter) = counters.get_mut(reason.cell().position()) {
                *counter = counter.wrapping_add(self.rejections(reason));
            }
        }
    }

    /// Sets the most series. Those that are there stay.
    pub(crate) fn limit(&self, max_series: usize) {
        self.max_series.store(max_series, Ordering::Relaxed);
    }

    /// All values.
    pub(crate) fn read(&self) -> Vec<CustomFamily> {
        self.entries.load_full().0.iter().map(|entry| entry.read()).collect()
    }

    /// Bytes of memory on the heap, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let entries = self.entries.load_full();
        let series = entries.0.iter().flat_map(|entry| &entry.series);
        entries.0.len() * size_of::<Entry>() + series.map(Series::bytes).sum::<usize>()
    }

    /// Panics with the lock held, for tests.
    #[cfg(test)]
    pub(super) fn poison(&self) {
        let _held = self.writing.lock();
        panic!("on purpose");
    }

    fn count(&self, reason: Rejection) {
        if let Some(count) = self.rejections.get(reason.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn find_or_add(&self, request: &Request<'_>) -> Result<Cells, RegisterError> {
        let labels = &SortedLabels::new(request.labels)?;
        if let Some(cells) = self.entries.load().find(request, labels)? {
            return Ok(cells);
        }
        rules::check_name(request.name, request.kind)?;
        rules::check_labels(labels.as_slice())?;
        if request.help.is_some_and(|help| help.trim().is_empty()) {
            return Err(RegisterError::EmptyHelp { name: request.name.to_owned() });
        }
        if let Some(cells) = self.folded(&self.entries.load(), request, labels)? {
            return Ok(cells);
        }
        self.add(request, labels)
    }

    /// The cells of the series `other`, if the limits allow none but that and it exists.
    fn folded(
        &self,
        entries: &Entries,
        request: &Request<'_>,
        labels: &SortedLabels<'_>,
    ) -> Result<Option<Cells>, RegisterError> {
        if !self.is_full(entries, request.name) {
            return Ok(None);
        }
        let found = entries.find(request, &labels.all(OTHER))?;
        Ok(found.inspect(|_| self.count(Rejection::Limit)))
    }

    fn is_full(&self, entries: &Entries, name: &str) -> bool {
        let of_family = entries.get(name).map_or(0, |entry| entry.series.len());
        of_family >= MAX_SERIES_PER_FAMILY || entries.len() >= self.max_series.load(Ordering::Relaxed)
    }

    /// Adds the series, or the series `other` of its family, under the lock.
    fn add(&self, request: &Request<'_>, labels: &SortedLabels<'_>) -> Result<Cells, RegisterError> {
        let mut columns = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Entries::clone(&self.entries.load());
        entries.describe(request);
        let cells = self.find_or_insert(&mut entries, request, labels, &mut columns)?;
        self.entries.store(Arc::new(entries));
        Ok(cells)
    }

    fn find_or_insert(
        &self,
        entries: &mut Entries,
        request: &Request<'_>,
        labels: &SortedLabels<'_>,
        columns: &mut Columns,
    ) -> Result<Cells, RegisterError> {
        // Another thread may have been faster.
        if let Some(cells) = entries.find(request, labels)? {
            return Ok(cells);
        }
        if let Some(cells) = self.folded(entries, request, labels)? {
            return Ok(cells);
        }
        if !self.is_full(entries, request.name) {
            return entries.insert(request, labels, columns);
        }
        if entries.get(request.name).is_none() {
            return Err(RegisterError::Full { limit: self.max_series.load(Ordering::Relaxed) });
        }
        self.count(Rejection::Limit);
        entries.insert(request, &labels.all(OTHER), columns)
    }
}

impl Entries {
    /// Number of series.
    fn len(&self) -> usize {
        self.0.iter().map(|entry| entry.series.len()).sum()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| (*entry.name).cmp(name))
    }

    fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.0.get(self.position(name).ok()?)
    }

    /// The cells of the series, if it is there. Fails if the name stands for something else.
    fn find(&self, request: &Request<'_>, labels: &SortedLabels<'_>) -> Result<Option<Cells>, RegisterError> {
        let Some(entry) = self.get(request.name) else {
            return Ok(None);
        };
        entry.check(request, labels)?;
        let series = entry.position(labels).ok().and_then(|at| entry.series.get(at));
        // A family without a description is found by those alone who have none to give.
        let described = entry.help.is_some() || request.help.is_none();
        Ok(series.filter(|_| described).map(|series| series.cells.clone()))
    }

    /// Gives the family its description, if it has none and the request has one.
    fn describe(&mut self, request: &Request<'_>) {
        let entry = self.position(request.name).ok().and_then(|at| self.0.get_mut(at));
        if let Some((entry, help)) = entry.filter(|entry| entry.help.is_none()).zip(request.help) {
            Arc::make_mut(entry).help = Some(help.into());
        }
    }

    /// Adds a series that is not there.
    fn insert(
        &mut self,
        request: &Request<'_>,
        labels: &SortedLabels<'_>,
        columns: &mut Columns,
    ) -> Result<Cells, RegisterError> {
        self.check_stem(request)?;
        let cells = Cells::new(request.kind, columns);
        let series = Series { labels: labels.to_owned(), cells: cells.clone() };
        match self.position(request.name) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    let place = entry.position(labels).unwrap_or_else(|place| place);
                    Arc::make_mut(entry).series.insert(place, series);
                }
            }
            Err(place) => self.0.insert(place, Arc::new(Entry::new(request, series))),
        }
        Ok(cells)
    }

    /// OpenMetrics names a counter without `_total`: no other family may have that name.
    fn check_stem(&self, request: &Request<'_>) -> Result<(), RegisterError> {
        let namesake = match request.name.strip_suffix("_total") {
            Some(stem) => stem.to_owned(),
            None => format!("{}_total", request.name),
        };
        match self.get(&namesake) {
            Some(_) => Err(conflict(request.name, "name but for `_total`", namesake)),
            None => Ok(()),
        }
    }
}

impl Entry {
    fn new(request: &Request<'_>, series: Series) -> Self {
        Self {
            name: request.name.into(),
            help: request.help.map(Arc::from),
            kind: request.kind,
            unit: request.unit,
            series: vec![series],
        }
    }

    fn position(&self, labels: &SortedLabels<'_>) -> Result<usize, usize> {
        self.series.binary_search_by(|series| series.compare(labels.as_slice()))
    }

    /// Whether the request means this family.
    fn check(&self, request: &Request<'_>, labels: &SortedLabels<'_>) -> Result<(), RegisterError> {
        let help = self.help.as_deref().unwrap_or(UNDESCRIBED);
        let (differs, registered) = if self.kind != request.kind {
            ("kind", self.kind.as_str().to_owned())
        } else if self.unit != request.unit {
            ("unit", format!("{:?}", self.unit.as_str()))
        } else if self.help.is_some() && request.help.is_some_and(|wanted| wanted != help) {
            ("help", format!("{help:?}"))
        } else if let Some(series) =
            self.series.first().filter(|first| !first.is_labelled_as(labels.as_slice()))
        {
            let names: Vec<_> = series.labels.iter().map(|(name, _)| name.as_str()).collect();
            ("label names", format!("[{}]", names.join(", ")))
        } else {
            return Ok(());
        };
        Err(conflict(&self.name, differs, registered))
    }

    fn read(&self) -> CustomFamily {
        CustomFamily {
            name: Arc::clone(&self.name),
            help: self.help.clone().unwrap_or_else(|| UNDESCRIBED.into()),
            kind: self.kind,
            unit: self.unit,
            series: self.series.iter().map(CustomSeries::read).collect(),
        }
    }
}

fn conflict(name: &str, differs: &'static str, registered: String) -> RegisterError {
    RegisterError::Conflict { name: name.to_owned(), differs, registered }
}
