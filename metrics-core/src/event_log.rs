//! The newest events of a database, and how many there were.
//!
//! Most events are of the engine at work: tables and logs that come and go, some ten a second under load. They must not push out what
//! somebody will ask for tomorrow, so events stand on shelves, each a ring of its own:
//!
//! | shelf | events | places |
//! |---|---|---|
//! | work | flushes, compactions, files | 512 |
//! | stalls | begins and ends of stalls, other warnings | 256 |
//! | errors | failed jobs | 128 |
//! | faults | damaged blocks, faults of background work, slow calls of the file system | 128 |
//! | landmarks | opened, closed, recovered, refusing writes, measuring otherwise | 64 |
//!
//! An event is at most 0.7 KiB, with a message of 512 bytes, so all shelves take 0.75 MiB at the very most; events of work have no message.
//! The list that was last made of them keeps as many until somebody asks again.
//!
//! A lasting fault (a damaged block that is read again and again) would push out whatever stands with it: the kinds it can bring about
//! have a shelf of their own, and of each of them some are kept each second and the others only counted. So failed jobs and stalls stay
//! where they are however long the fault lasts, and the shelf of faults shows some seconds of it, not a fraction of one.
//!
//! Whoever emits an event waits for nobody, and no reader can make it wait. Numbers are taken before events are in their places. A
//! number that is not found is therefore one of two: of an event that is no longer kept, if a later one of any shelf is not kept either;
//! otherwise of one that is not yet in its place, and the answer ends before it. (A writer that sleeps there while others go around a
//! whole shelf is taken for the former.)

use crate::catalog::{Counter, EventKind, Severity};
use crate::events::{Event, EventsSince, unix_seconds};
use crate::ring::Ring;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places of each shelf.
const PLACES: [usize; 5] = [512, 256, 128, 128, 64];

const WORK: usize = 0;
const STALLS: usize = 1;
const ERRORS: usize = 2;
const FAULTS: usize = 3;
const LANDMARKS: usize = 4;

/// Events of one kind that a lasting fault may have kept each second.
const FLOOD_PER_SECOND: u64 = 8;

const KINDS: usize = EventKind::ALL.len();

/// Where an event stands.
fn shelf_of(event: &Event) -> usize {
    use EventKind::{ClockDistrusted, Close, LevelChanged, Open, ReadOnly, Recovery, StallEnd};
    match (event.kind, event.severity) {
        (Open | Close | Recovery | ReadOnly | LevelChanged | ClockDistrusted, _) => LANDMARKS,
        (kind, _) if kind.may_flood() => FAULTS,
        (_, Severity::Error) => ERRORS,
        (_, Severity::Warning) | (StallEnd, _) => STALLS,
        _ => WORK,
    }
}

/// The newest events, and how many there were.
#[derive(Debug)]
pub(crate) struct EventLog {
    shelves: [Ring<Event>; PLACES.len()],
    /// Events that were given a number.
    numbered: AtomicU64,
    /// Events that are in their places, or were.
    placed: AtomicU64,
    /// The list that was made last.
    list: ArcSwapOption<List>,
    /// One more than the largest number that is no longer kept.
    forgotten: AtomicU64,
    counts: [AtomicU64; KINDS],
    /// For each kind: the second of its newest event, and how many of that second were kept, in the low byte.
    bursts: [AtomicU64; KINDS],
    withheld: AtomicU64,
}

/// All events that are kept, oldest first.
#[derive(Debug)]
struct List {
    /// Those placed before the list was made: while there are no more, it is not made again.
    placed: u64,
    events: Arc<[Arc<Event>]>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            shelves: PLACES.map(Ring::with_places),
            numbered: AtomicU64::new(0),
            placed: AtomicU64::new(0),
            list: ArcSwapOption::empty(),
            forgotten: AtomicU64::new(0),
            counts: [const { AtomicU64::new(0) }; KINDS],
            bursts: [const { AtomicU64::new(0) }; KINDS],
            withheld: AtomicU64::new(0),
        }
    }
}

impl EventLog {
    /// Counts the event, and keeps it unless there are too many of its kind.
    pub(crate) fn emit(&self, event: Event) {
        self.emit_at(event, unix_seconds());
    }

    fn emit_at(&self, event: Event, at: f64) {
        if let Some(count) = self.counts.get(event.kind.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if event.kind.may_flood() && !self.admits(event.kind, at as u64) {
            self.withheld.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(shelf) = self.shelves.get(shelf_of(&event)) else { return };
        // Relaxed: the ring publishes the event, the number only orders it.
        let number = self.numbered.fetch_add(1, Ordering::Relaxed);
        if let Some(gone) = shelf.push(Arc::new(Event { number, at, ..event })) {
            // Release: whoever sees this finds the event gone from its shelf. Of events before it nothing is said: a place and a
            // number are of two counters, so one with a smaller number may stand in a later place and still be kept.
            self.forgotten.fetch_max(gone.number + 1, Ordering::Release);
        }
        // Release: whoever sees this finds the event in its place.
        self.placed.fetch_add(1, Ordering::Release);
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

    /// All that are kept, oldest first. Made anew only after an event: a thousand places take as long to look through as all
    /// the rest of a snapshot.
    pub(crate) fn values(&self) -> Arc<[Arc<Event>]> {
        let placed = self.placed.load(Ordering::Acquire);
        let list = self.list.load();
        if let Some(list) = list.as_ref().filter(|list| list.placed == placed) {
            return Arc::clone(&list.events);
        }
        let mut events: Vec<_> = self.shelves.iter().flat_map(Ring::values).collect();
        events.sort_by_key(|event| event.number);
        let events: Arc<[_]> = events.into();
        // Two readers may meet here, and the list of the later one lack an event that is about to be counted as placed: it is there
        // again with the next.
        self.list.store(Some(Arc::new(List { placed, events: Arc::clone(&events) })));
        events
    }

    /// Those from this number on.
    pub(crate) fn since(&self, number: u64) -> EventsSince {
        // Before the shelves are looked at: what is forgotten meanwhile is the loss of the next answer.
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let mut since = EventsSince { events: Vec::new(), lost: 0, next: number };
        let pass = |since: &mut EventsSince, up_to: u64| {
            let lost = up_to.min(forgotten).saturating_sub(since.next);
            since.lost += lost;
            since.next += lost;
        };
        for event in self.values().iter().filter(|event| event.number >= number) {
            pass(&mut since, event.number);
            if event.number > since.next {
                return since;
            }
            since.events.push(Arc::clone(event));
            since.next += 1;
        }
        pass(&mut since, u64::MAX);
        since
    }

    /// Fills in the counters about events.
    pub(crate) fn count(&self, counters: &mut [u64]) {
        let cells = Counter::Events.cells().zip(self.counts.iter().map(|n| n.load(Ordering::Relaxed)));
        let overwritten = self.shelves.iter().map(Ring::overwritten).sum::<u64>();
        let dropped = self.withheld.load(Ordering::Relaxed) + overwritten;
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

    fn numbers(since: &EventsSince) -> Vec<u64> {
        since.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn the_list_is_made_anew_after_an_event_and_not_otherwise() {
        let log = EventLog::default();
        assert!(log.values().is_empty());
        for n in 1..=3 {
            log.emit(Event::new(EventKind::TableCreated).file(n));
            let list = log.values();
            assert_eq!(
                list.iter().filter_map(|event| event.file).collect::<Vec<_>>(),
                (1..=n).collect::<Vec<_>>()
            );
            assert!(Arc::ptr_eq(&list, &log.values()));
        }
    }

    #[test]
    fn events_are_numbered_and_counted_by_kind() {
        let log = EventLog::default();
        log.emit(Event::new(EventKind::Open));
        log.emit(Event::new(EventKind::TableCreated).file(7).level(2).bytes(99));
        let events = log.values();
        assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((events[1].file, events[1].level, events[1].bytes), (Some(7), Some(2), Some(99)));
        assert!(events[0].at > 1e9);
        let counters = counted(&log);
        assert_eq!(counters[Counter::Events.at(EventKind::TableCreated.index()).position()], 1);
        assert_eq!(Counter::Events.cells().map(|cell| counters[cell.position()]).sum::<u64>(), 2);
        assert_eq!(counters[Counter::EventsDropped.at(0).position()], 0);
    }

    /// A database was opened after a crash; a night later writes stalled twice, a flush failed and was tried again; then it worked for a week.
    /// Somebody looks in the morning.
    #[test]
    fn what_matters_is_still_there_after_a_week_of_work() {
        let log = EventLog::default();
        let work = |hours: u64| {
            for _ in 0..hours {
                for kind in [
                    EventKind::WalCreated,
                    EventKind::TableCreated,
                    EventKind::TableDeleted,
                    EventKind::FlushEnd,
                ] {
                    (0..250).for_each(|_| log.emit(Event::new(kind)));
                }
            }
        };
        let story = [
            Event::new(EventKind::Recovery).severity(Severity::Warning),
            Event::new(EventKind::Open),
            Event::stall_begin(0, 0),
            Event::stall_end(0, 0, 9),
            Event::new(EventKind::FlushEnd).severity(Severity::Error),
            Event::stall_begin(1, 1),
            Event::stall_end(1, 1, 9),
        ];
        for event in &story {
            log.emit(event.clone());
            work(8);
        }
        work(7 * 24);
        let kept = log.values();
        let told: Vec<_> =
            kept.iter().filter(|event| shelf_of(event) != WORK).map(|event| event.kind).collect();
        assert_eq!(told, story.map(|event| event.kind));
        assert_eq!(kept.len(), PLACES[WORK] + 7);
        let since = log.since(0);
        assert_eq!(since.events, kept.to_vec());
        assert_eq!(since.lost + since.events.len() as u64, since.next);
        assert_eq!(counted(&log)[Counter::EventsDropped.at(0).position()], since.lost);
    }

    #[test]
    fn no_shelf_pushes_out_another_and_all_are_bounded() {
        let log = EventLog::default();
        let of = |shelf: usize| match shelf {
            WORK => Event::new(EventKind::FlushBegin),
            STALLS => Event::stall_begin(0, 0),
            ERRORS => Event::new(EventKind::FlushEnd).severity(Severity::Error),
            FAULTS => Event::new(EventKind::Corruption),
            _ => Event::new(EventKind::ReadOnly),
        };
        for (shelf, places) in PLACES.into_iter().enumerate() {
            // One each second, so that none is withheld.
            (0..3 * places).for_each(|second| log.emit_at(of(shelf), second as f64));
            let on = |event: &&Arc<Event>| shelf_of(event) == shelf;
            assert_eq!(log.values().iter().filter(on).count(), places);
        }
        assert_eq!(log.values().len(), PLACES.iter().sum::<usize>());
        assert_eq!(LANDMARKS, PLACES.len() - 1);
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped_and_knows_what_it_missed() {
        let log = EventLog::default();
        let work = |count: usize| (0..count).for_each(|_| log.emit(Event::new(EventKind::FlushBegin)));
        assert_eq!((log.since(0).next, log.since(7).next), (0, 7));
        log.emit(Event::new(EventKind::Open));
        work(PLACES[WORK]);
        assert_eq!((log.since(0).lost, log.since(0).events.len()), (0, PLACES[WORK] + 1));
        // The three oldest of the work go, what stands before them stays.
        work(3);
        let since = log.since(0);
        assert_eq!((since.lost, since.next, numbers(&since)[..2].to_vec()), (3, 516, vec![0, 4]));
        assert_eq!(log.since(2).lost, 2);
        assert_eq!((log.since(4).lost, numbers(&log.since(515))), (0, vec![515]));
        assert_eq!(log.since(since.next), EventsSince { next: 516, ..EventsSince::default() });
    }

    #[test]
    fn an_event_that_is_not_yet_in_its_place_is_waited_for() {
        let log = EventLog::default();
        log.emit(Event::new(EventKind::Open));
        // Somebody has taken number 1 and sleeps.
        log.numbered.fetch_add(1, Ordering::Relaxed);
        log.emit(Event::new(EventKind::FlushBegin));
        let since = log.since(0);
        assert_eq!((numbers(&since), since.lost, since.next), (vec![0], 0, 1));
        assert_eq!(numbers(&log.since(2)), [2]);
    }

    #[test]
    fn every_event_is_read_or_known_to_be_lost_while_many_emit() {
        let log = EventLog::default();
        std::thread::scope(|scope| {
            for writer in 0..4_u64 {
                let log = &log;
                scope.spawn(move || {
                    for n in 0..2_000 {
                        let rare = (n + writer) % 50 == 0;
                        log.emit(if rare {
                            Event::stall_begin(0, 0)
                        } else {
                            Event::new(EventKind::FlushBegin)
                        });
                    }
                });
            }
            scope.spawn(|| {
                let (mut next, mut seen, mut lost, mut last) = (0, 0, 0, None);
                while next < 8_000 {
                    let since = log.since(next);
                    for event in &since.events {
                        assert!(last.is_none_or(|last| last < event.number) && event.number < since.next);
                        last = Some(event.number);
                    }
                    (next, seen, lost) = (since.next, seen + since.events.len() as u64, lost + since.lost);
                    assert_eq!(seen + lost, next);
                }
            });
        });
        assert_eq!(log.values().len(), PLACES[WORK] + 160);
    }

    /// Blocks are damaged, the disk is slow, background work fails: each ten thousand times in a hundred seconds.
    #[test]
    fn a_lasting_fault_does_not_push_out_other_errors() {
        const SECONDS: u64 = 100;
        let log = EventLog::default();
        let before =
            [Event::new(EventKind::CompactionEnd).severity(Severity::Error), Event::stall_begin(0, 0)];
        before.iter().for_each(|event| log.emit_at(event.clone(), 0.0));
        let faults = [EventKind::Corruption, EventKind::DiskSlow, EventKind::BackgroundError];
        for second in 1..=SECONDS {
            for kind in faults {
                (0..100).for_each(|_| log.emit_at(Event::new(kind), second as f64 + 0.5));
            }
        }
        let admitted = faults.len() as u64 * SECONDS * FLOOD_PER_SECOND;
        assert_eq!(log.numbered.load(Ordering::Relaxed), 2 + admitted);
        let kept = log.values();
        assert_eq!([kept[0].kind, kept[1].kind], before.map(|event| event.kind));
        assert_eq!(kept.len(), 2 + PLACES[FAULTS]);
        let counters = counted(&log);
        for kind in faults {
            assert_eq!(counters[Counter::Events.at(kind.index()).position()], 100 * SECONDS);
        }
        let dropped = faults.len() as u64 * 100 * SECONDS - PLACES[FAULTS] as u64;
        assert_eq!(counters[Counter::EventsDropped.at(0).position()], dropped);
    }
}
