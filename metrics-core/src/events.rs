//! What happened, one by one.
//!
//! Events are rare: a memtable was closed, a compaction ended, a disk was full. They are numbered from 0, so that a reader can go on
//! where it stopped, and knows what it missed.

use crate::catalog::{Counter, EventKind, IoFile, IoOperation, Label, Severity};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest message that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

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

/// The text, cut to what is kept of a sentence, and without the room behind it: what is kept long is to take no more than it says.
pub(crate) fn bounded(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let mut end = MESSAGE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text.shrink_to_fit();
    text
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The events from some number on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventsSince {
    /// The events that are still kept, oldest first. Where numbers are missing, less important events are no longer kept.
    pub events: Vec<Arc<Event>>,
    /// How many between the number asked for and `next` are no longer kept.
    pub lost: u64,
    /// The number to ask for next time: the number asked for, plus `lost`, plus how many events these are.
    pub next: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_long_sentence_is_cut_between_characters() {
        let event = Event::new(EventKind::Open).message("ü".repeat(10_000));
        assert_eq!(event.message.map(|message| message.len()), Some(MESSAGE_BYTES_MAX));
        assert_eq!(bounded(format!("x{}", "ü".repeat(300))).len(), MESSAGE_BYTES_MAX - 1);
    }

    #[test]
    fn a_sentence_takes_no_more_room_than_it_says() {
        for length in [3, 10_000] {
            let mut long = String::with_capacity(20_000);
            long.push_str(&"x".repeat(length));
            let kept = bounded(long);
            assert!(kept.capacity() <= MESSAGE_BYTES_MAX, "{} of {length}", kept.capacity());
        }
    }
}
