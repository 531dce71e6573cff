//! What happened, one by one: the newest events of a database.
//!
//! Events are rare: a memtable was closed, a compaction ended, a disk was full. Whoever emits one waits for nobody, and
//! no reader can make it wait. They are numbered from 0, so that a reader can go on where it stopped, and knows what it missed.
//!
//! A lasting fault (a damaged block that is read again and again) would push out everything else: of the kinds it can bring
//! about, some are kept each second and the others only counted.

use crate::catalog::{Counter, EventKind, IoFile, IoOperation, Label, Severity};
use crate::ring::{Ring, Since};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Events that are kept.
const PLACES: usize = 512;

/// Events of one kind that a lasting fault may have kept each second.
const FLOOD_PER_SECOND: u64 = 8;

/// The longest message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

const KINDS: usize = EventKind::ALL.len();

/// One event. Fields that say nothing of its kind are `None`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its place in the order of all events of the database, counted from 0.
    pub number: u64,
    /// When it happened, in seconds since the Unix epoch.
    pub at: f64,
    /// What happened.
    pub kind: EventKind,
    /// How much it matters.
    pub severity: Severity,
    /// The number of the flush or compaction: [`Job::id`](crate::jobs::Job::id).
    pub job: Option<u64>,
    /// The number of the file.
    pub file: Option<u64>,
    /// The level of the tree.
    pub level: Option<u32>,
    /// Bytes of the file, or written by the job.
    pub bytes: Option<u64>,
    /// How long it took, in nanoseconds.
    pub nanos: Option<u64>,
    /// Why: a word of the catalogue, as `l0_files`.
    pub cause: Option<&'static str>,
    /// What came of it: a word of the catalogue, as `ok`, `slowdown`, `full`.
    pub result: Option<&'static str>,
    /// A sentence for people, 512 bytes at most.
    pub message: Option<String>,
}

impl Event {
    /// An event of this kind, to be completed and [emitted](crate::Recorder::emit).
    pub fn new(kind: EventKind) -> Self {
        Self {
            number: 0,
            at: 0.0,
            kind,
            severity: kind.severity(),
            job: None,
            file: None,
            level: None,
            bytes: None,
            nanos: None,
            cause: None,
            result: None,
            message: None,
        }
    }

    /// Writes are slowed down or stopped, by the indices of `db_write_stalls_total`.
    pub fn stall_begin(cause: usize, condition: usize) -> Self {
        let [causes, conditions] = Counter::WriteStalls.desc().labels else {
            return Self::new(EventKind::StallBegin);
        };
        Self {
            cause: word(causes, cause),
            result: word(conditions, condition),
            ..Self::new(EventKind::StallBegin)
        }
    }

    /// The stall is over, after so many nanoseconds.
    pub fn stall_end(cause: usize, condition: usize, nanos: u64) -> Self {
        let kind = EventKind::StallEnd;
        Self { kind, severity: kind.severity(), nanos: Some(nanos), ..Self::stall_begin(cause, condition) }
    }

    /// A memtable was closed, for the reason with this index in `db_memtable_rotations_total`.
    pub fn memtable_rotated(reason: usize) -> Self {
        let cause = Counter::MemtableRotations.desc().labels.first().and_then(|label| word(label, reason));
        Self { cause, ..Self::new(EventKind::MemtableRotated) }
    }

    /// A call of the file system took so long: its cause is the operation, its result the kind of file.
    pub fn disk_slow(operation: IoOperation, file: IoFile, nanos: u64) -> Self {
        let [operations, files] = Counter::IoOperations.desc().labels else {
            return Self::new(EventKind::DiskSlow);
        };
        Self {
            cause: word(operations, operation.index()),
            result: word(files, file.index()),
            nanos: Some(nanos),
            ..Self::new(EventKind::DiskSlow)
        }
    }

    /// The event matters this much.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// It is about this job.
    #[must_use]
    pub fn job(self, id: u64) -> Self {
        Self { job: Some(id), ..self }
    }

    /// It is about this file.
    #[must_use]
    pub fn file(self, number: u64) -> Self {
        Self { file: Some(number), ..self }
    }

    /// It is about this level.
    #[must_use]
    pub fn level(self, level: u32) -> Self {
        Self { level: Some(level), ..self }
    }

    /// It is about so many bytes.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// It took so long.
    #[must_use]
    pub fn nanos(self, nanos: u64) -> Self {
        Self { nanos: Some(nanos), ..self }
    }

    /// Why it happened.
    #[must_use]
    pub fn cause(self, word: &'static str) -> Self {
        Self { cause: Some(word), ..self }
    }

    /// What came of it.
    #[must_use]
    pub fn result(self, word: &'static str) -> Self {
        Self { result: Some(word), ..self }
    }

    /// A sentence for people.
    #[must_use]
    pub fn message(self, message: impl Into<String>) -> Self {
        Self { message: Some(bounded(message.into())), ..self }
    }
}

/// The value of a label with this index.
pub(crate) fn word(label: &Label, index: usize) -> Option<&'static str> {
    label.values.get(index).copied()
}

/// The text, cut to what is kept of a sentence.
pub(crate) fn bounded(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let mut end = MESSAGE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The events from some number on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventsSince {
    /// The events, oldest first, their numbers without gaps.
    pub events: Vec<Arc<Event>>,
    /// How many came after the number asked for and are no longer kept.
    pub lost: u64,
    /// The number to ask for next time.
    pub next: u64,
}

/// The newest events, and how many there were.
#[derive(Debug)]
pub(crate) struct EventLog {
    ring: Ring<Event>,
    counts: [AtomicU64; KINDS],
    /// For each kind: the second of its newest event, and how many of that second were kept, in the low byte.
    bursts: [AtomicU64; KINDS],
    withheld: AtomicU64,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            ring: Ring::with_places(PLACES),
            counts: [const { AtomicU64::new(0) }; KINDS],
            bursts: [const { AtomicU64::new(0) }; KINDS],
            withheld: AtomicU64::new(0),
        }
    }
}

impl EventLog {
    /// Counts the event, and keeps it unless there are too many of its kind.
    pub(crate) fn emit(&self, event: Event) {
        let at = unix_seconds();
        if let Some(count) = self.counts.get(event.kind.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if event.kind.may_flood() && !self.admits(event.kind, at as u64) {
            self.withheld.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.ring.push_with(|number| Arc::new(Event { number, at, ..event }));
    }

    fn admits(&self, kind: EventKind, second: u64) -> bool {
        let next = |word: u64| match (word >> 8 == second, word & 0xff) {
            (false, _) => Some(second << 8 | 1),
            (true, FLOOD_PER_SECOND..) => None,
            (true, _) => Some(word + 1),
        };
        self.bursts
            .get(kind.index())
            .is_some_and(|burst| burst.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok())
    }

    pub(crate) fn values(&self) -> Vec<Arc<Event>> {
        self.ring.values()
    }

    pub(crate) fn since(&self, number: u64) -> EventsSince {
        let Since { values, lost, next } = self.ring.since(number);
        EventsSince { events: values, lost, next }
    }

    /// Fills in the counters about events.
    pub(crate) fn count(&self, counters: &mut [u64]) {
        let cells = Counter::Events.cells().zip(self.counts.iter().map(|n| n.load(Ordering::Relaxed)));
        let dropped = self.withheld.load(Ordering::Relaxed) + self.ring.overwritten();
        for (cell, n) in cells.chain([(Counter::EventsDropped.at(0), dropped)]) {
            if let Some(counter) = counters.get_mut(cell.position()) {
                *counter = counter.wrapping_add(n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(log: &EventLog) -> Vec<u64> {
        let mut counters = vec![0; Counter::CELLS];
        log.count(&mut counters);
        counters
    }

    #[test]
    fn events_are_numbered_and_counted_by_kind() {
        let log = EventLog::default();
        log.emit(Event::new(EventKind::Open).message("x".repeat(10_000)));
        log.emit(Event::new(EventKind::TableCreated).file(7).level(2).bytes(99));
        let events = log.values();
        assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((events[1].file, events[1].level, events[1].bytes), (Some(7), Some(2), Some(99)));
        assert_eq!(events[0].message.as_ref().map(String::len), Some(MESSAGE_BYTES_MAX));
        assert!(events[0].at > 1e9);
        let counters = counted(&log);
        assert_eq!(counters[Counter::Events.at(EventKind::TableCreated.index()).position()], 1);
        assert_eq!(Counter::Events.cells().map(|cell| counters[cell.position()]).sum::<u64>(), 2);
        assert_eq!(counters[Counter::EventsDropped.at(0).position()], 0);
    }

    #[test]
    fn a_stall_speaks_the_words_of_the_catalogue() {
        let begin = Event::stall_begin(0, 1);
        assert_eq!((begin.cause, begin.result), (Some("l0_files"), Some("stop")));
        let end = Event::stall_end(1, 0, 5);
        assert_eq!((end.kind, end.severity), (EventKind::StallEnd, Severity::Info));
        assert_eq!((end.cause, end.result, end.nanos), (Some("memtables"), Some("slowdown"), Some(5)));
        assert_eq!(Event::memtable_rotated(0).cause, Some("full"));
    }

    #[test]
    fn what_is_overwritten_is_counted_as_dropped() {
        let log = EventLog::default();
        (0..PLACES + 10).for_each(|_| log.emit(Event::new(EventKind::FlushBegin)));
        let since = log.since(0);
        assert_eq!((since.events.len(), since.lost, since.next), (PLACES, 10, PLACES as u64 + 10));
        assert_eq!(counted(&log)[Counter::EventsDropped.at(0).position()], 10);
    }

    #[test]
    fn a_lasting_fault_does_not_push_out_the_rest() {
        let log = EventLog::default();
        log.emit(Event::new(EventKind::Open));
        (0..10_000).for_each(|_| log.emit(Event::new(EventKind::Corruption)));
        let kept = log.values();
        assert_eq!(kept[0].kind, EventKind::Open);
        // The loop may see a second or two pass.
        assert!(kept.len() <= 1 + 8 * FLOOD_PER_SECOND as usize, "{}", kept.len());
        let counters = counted(&log);
        assert_eq!(counters[Counter::Events.at(EventKind::Corruption.index()).position()], 10_000);
        assert_eq!(counters[Counter::EventsDropped.at(0).position()], 10_001 - kept.len() as u64);
    }
}
