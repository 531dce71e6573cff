//! Documents that are given to several.
//!
//! A document takes milliseconds to make, most of them to pack. Nobody notices that at one scrape a second; a hundred would take from the
//! databases what they need themselves. So the making of documents has a budget of time, with some of it put by for those who
//! come seldom. Once that is used up, who asks gets the newest document of the format again, for as long as it is young. (What is measured is
//! the time that a document took, not the processor's: where others want the processor, more is shared.)

use super::answer::Document;
use super::negotiate::Format;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Of a second goes into documents: 1 / this. Beyond that they are shared.
const SHARE: u32 = 50;
/// What is put by while nobody asks: some twenty documents are made anew however fast they are asked for.
const RESERVE: Duration = Duration::from_millis(50);
/// Older ones are given to nobody.
const AGE: Duration = Duration::from_secs(1);

/// The documents that were made last, as far as somebody may get them again.
#[derive(Debug)]
pub(super) struct Kept {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    budget: Budget,
    documents: Vec<Made>,
}

/// What is asked for: a format, packed or not.
type Kind = (Format, bool);

#[derive(Debug)]
struct Made {
    of: Kind,
    at: Instant,
    document: Document,
}

/// How much more was spent than the share of the time that has passed.
#[derive(Debug)]
struct Budget {
    spent: Duration,
    as_of: Instant,
}

impl Budget {
    fn is_used_up(&mut self, now: Instant) -> bool {
        self.spent = self.spent.saturating_sub(now.saturating_duration_since(self.as_of) / SHARE);
        self.as_of = now.max(self.as_of);
        self.spent > RESERVE
    }

    /// No more is owed than a few seconds give back: who comes after a rush is not to pay for it.
    fn pay(&mut self, took: Duration) {
        self.spent = (self.spent + took).min(RESERVE * 2);
    }
}

impl Kept {
    pub(super) fn new() -> Self {
        let budget = Budget { spent: Duration::ZERO, as_of: Instant::now() };
        Self { state: Mutex::new(State { budget, documents: Vec::new() }) }
    }

    /// The document in `format`, packed if the client takes that: a new one of `make`, or one that others got.
    pub(super) fn or_make(&self, format: Format, packed: bool, make: impl FnOnce() -> Document) -> Document {
        let began = Instant::now();
        if let Some(kept) = self.state().find((format, packed), began) {
            return kept;
        }
        let document = make();
        self.state().keep((format, packed), &document, began, began.elapsed());
        document
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in there is always whole: nothing can panic under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&mut self, of: Kind, now: Instant) -> Option<Document> {
        self.documents.retain(|made| now.saturating_duration_since(made.at) < AGE);
        if !self.budget.is_used_up(now) {
            return None;
        }
        let found = self.documents.iter().find(|made| made.of == of);
        found.map(|made| made.document.clone())
    }

    /// Pays for a document that was begun at `at`. It is kept if the next one to ask may get it, and nobody was later and is done already:
    /// nobody gets two documents in the wrong order.
    fn keep(&mut self, of: Kind, document: &Document, at: Instant, took: Duration) {
        self.budget.pay(took);
        if self.documents.iter().any(|made| made.of == of && made.at > at) {
            return;
        }
        self.documents.retain(|made| made.of != of);
        if self.budget.spent > RESERVE {
            self.documents.push(Made { of, at, document: document.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Kind = (Format::Text, false);

    fn document(text: &'static str) -> Document {
        Document::new("text/plain", text.into(), false)
    }

    fn found(state: &mut State, of: Kind, now: Instant) -> Option<String> {
        state.find(of, now).map(|found| String::from_utf8(found.bytes().to_vec()).unwrap())
    }

    #[test]
    fn who_asks_seldom_gets_a_new_one_and_who_asks_too_often_one_of_the_last_second() {
        let kept = Kept::new();
        let mut state = kept.state();
        let start = state.budget.as_of;
        state.keep(TEXT, &document("cheap"), start, RESERVE / 2);
        assert_eq!(found(&mut state, TEXT, start), None, "the budget is not used up");
        state.keep(TEXT, &document("dear"), start, RESERVE);
        assert_eq!(found(&mut state, TEXT, start).as_deref(), Some("dear"));
        for of in [(Format::Text, true), (Format::Json, false)] {
            assert_eq!(found(&mut state, of, start), None, "nobody has asked for this one");
        }
        assert_eq!(found(&mut state, TEXT, start + AGE / 2).as_deref(), Some("dear"));
        assert_eq!(found(&mut state, TEXT, start + AGE), None, "it is too old");
        assert_eq!(state.documents.len(), 0, "and nobody keeps it");
    }

    #[test]
    fn an_older_document_never_takes_the_place_of_a_newer_one() {
        let kept = Kept::new();
        let mut state = kept.state();
        let start = state.budget.as_of;
        state.keep(TEXT, &document("begun later, done first"), start + AGE / 4, RESERVE * 2);
        state.keep(TEXT, &document("begun first, done later"), start, RESERVE * 2);
        assert_eq!(found(&mut state, TEXT, start + AGE / 2).as_deref(), Some("begun later, done first"));
    }

    #[test]
    fn what_was_spent_comes_back_with_time_and_no_more_is_owed_than_twice_the_reserve() {
        let start = Instant::now();
        let mut budget = Budget { spent: Duration::ZERO, as_of: start };
        (0..1_000).for_each(|_| budget.pay(RESERVE));
        assert!(budget.is_used_up(start + RESERVE * (SHARE - 1)));
        assert!(!budget.is_used_up(start + RESERVE * SHARE));
        // A clock that was read earlier gives nothing back, and what it missed is not given back again.
        budget.pay(RESERVE * 2);
        assert!(budget.is_used_up(start));
        assert!(budget.is_used_up(start + RESERVE * SHARE));
    }

    #[test]
    fn a_new_document_is_made_while_there_is_time_for_it() {
        let kept = Kept::new();
        assert_eq!(kept.or_make(Format::Text, false, || document("new")).bytes(), "new");
        kept.state().budget.pay(RESERVE * 2);
        assert_eq!(kept.or_make(Format::Text, false, || document("newer")).bytes(), "newer");
        assert_eq!(kept.or_make(Format::Text, false, || unreachable!()).bytes(), "newer");
    }
}
