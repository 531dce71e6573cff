//! Documents that are given to several.
//!
//! A document takes milliseconds to make, most of them to pack. Nobody notices that at one scrape a second; a hundred would take from the
//! databases what they need themselves. So the making of documents has a budget of processor time, with some of it put by for those who
//! come seldom. Once that is used up, who asks gets the newest document of the format again, for as long as it is young.

use super::answer::Document;
use super::negotiate::Format;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Of a second of processor time goes into documents: 1 / this. Beyond that they are shared.
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
    documents: Vec<(Format, bool, Instant, Document)>,
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
        self.as_of = now;
        self.spent > RESERVE
    }
}

impl Kept {
    pub(super) fn new() -> Self {
        let budget = Budget { spent: Duration::ZERO, as_of: Instant::now() };
        Self { state: Mutex::new(State { budget, documents: Vec::new() }) }
    }

    /// The document in `format`, packed if the client takes that: a new one of `make`, which is told so, or one that others got.
    pub(super) fn or_make(&self, format: Format, packed: bool, make: impl FnOnce() -> Document) -> Document {
        let began = Instant::now();
        if let Some(kept) = self.state().find(format, packed, began) {
            return kept;
        }
        let document = make();
        self.state().keep(format, packed, &document, began);
        document
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is in there is always whole: nothing can panic under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&mut self, format: Format, packed: bool, now: Instant) -> Option<Document> {
        self.documents.retain(|(_, _, made, _)| now.saturating_duration_since(*made) < AGE);
        if !self.budget.is_used_up(now) {
            return None;
        }
        let found = self.documents.iter().find(|(of, is_packed, ..)| (*of, *is_packed) == (format, packed));
        found.map(|(_, _, _, document)| document.clone())
    }

    /// Pays for a document that was begun at `began`. It is kept only if the next one to ask may get it.
    fn keep(&mut self, format: Format, packed: bool, document: &Document, began: Instant) {
        self.budget.spent += began.elapsed();
        self.documents.retain(|(of, is_packed, ..)| (*of, *is_packed) != (format, packed));
        if self.budget.spent > RESERVE {
            self.documents.push((format, packed, began, document.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    fn document(text: &'static str) -> Document {
        Document::new("text/plain", text.into(), false)
    }

    #[test]
    fn who_asks_seldom_gets_a_new_one_and_who_asks_too_often_one_of_the_last_second() {
        let kept = Kept::new();
        let ask = |text, packed| kept.or_make(Format::Text, packed, || document(text)).bytes().clone();
        assert_eq!((ask("first", false), ask("second", false)), ("first".into(), "second".into()));
        // A document that takes longer than what was put by.
        let slow = || {
            sleep(RESERVE * 2);
            document("dear")
        };
        assert_eq!(kept.or_make(Format::Text, false, slow).bytes(), "dear");
        assert_eq!(ask("third", false), "dear", "the budget is used up");
        assert_eq!(ask("packed", true), "packed", "nobody has asked for this one");
        assert_eq!(kept.or_make(Format::Json, false, || document("json")).bytes(), "json");
        let mut state = kept.state();
        assert_eq!(state.documents.len(), 3);
        let later = Instant::now() + AGE;
        assert!(state.find(Format::Text, false, later).is_none(), "it is too old");
        assert_eq!(state.documents.len(), 0, "and nobody keeps it");
    }

    #[test]
    fn what_was_spent_comes_back_with_time() {
        let start = Instant::now();
        let mut budget = Budget { spent: RESERVE * 2, as_of: start };
        assert!(budget.is_used_up(start + RESERVE * (SHARE - 1)));
        assert!(!budget.is_used_up(start + RESERVE * SHARE));
    }
}
