//! A text and where its numbers are, so that others can be put in their place.
//!
//! ```text
//!   # HELP … db_get_operations_total{db="orders"} 9042⏎db_get_results_total{db="orders",result="hit"} 17⏎ …
//!   ├─ gap ──────────────────────────────────────┤├──┤├─ gap ────────────────────────────────────────┤├┤
//!                                                slot                                                slot
//! ```
//! Bringing it up to date goes through the slots: while numbers are what they were nothing is copied, and at one that
//! is not, everything since the last such is copied at once. Texts of some hundred kilobytes, of which a hundred numbers
//! change, cost little more than their copying.

use super::number::Number;
use std::sync::Arc;

/// What lines are written to.
pub(super) trait Out {
    /// Text that stays the same as long as the series do. `write` need not be called where it is known.
    fn fixed(&mut self, write: impl FnOnce(&mut String));
    /// A number.
    fn number(&mut self, number: Number);
}

/// A text under way for the first time, with the places of its numbers.
#[derive(Debug, Default)]
pub(super) struct Draft {
    text: String,
    slots: Vec<Slot>,
    /// Where the last number ends.
    end: usize,
}

/// A text with numbers in it.
#[derive(Debug, Default)]
pub(super) struct Frame {
    text: Arc<String>,
    slots: Vec<Slot>,
    /// The text of the time before: memory for the next one, if nobody reads it any more.
    spare: Arc<String>,
}

/// A number in a text. Where it stands follows from those before it.
#[derive(Debug)]
struct Slot {
    number: Number,
    /// Bytes between the number before, or the beginning, and this one.
    gap: u32,
    /// Bytes of this one.
    len: u32,
}

impl Draft {
    /// A draft of a text of about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ..Self::default() }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn into_frame(self) -> Frame {
        Frame { text: Arc::new(self.text), slots: self.slots, spare: Arc::default() }
    }
}

impl Frame {
    pub(super) fn text(&self) -> &Arc<String> {
        &self.text
    }

    /// Puts the numbers that `write` writes in the place of those that are there. Who has the text keeps it as it was.
    ///
    /// Returns whether there were as many; if not, the frame is of no further use.
    pub(super) fn update(&mut self, write: impl FnOnce(&mut Update<'_>)) -> bool {
        let mut new = Arc::try_unwrap(std::mem::take(&mut self.spare)).unwrap_or_default();
        new.clear();
        // With room for some digits more, so that it does not grow by half of its size for them.
        new.reserve(self.text.len() + self.slots.len());
        let slots = self.slots.iter_mut();
        let mut update = Update { old: &self.text, new: &mut new, slots, at: 0, copied: 0, surplus: false };
        write(&mut update);
        let fits = update.finish();
        self.spare = std::mem::replace(&mut self.text, Arc::new(new));
        fits
    }
}

/// Writes a text with its slots.
impl Out for Draft {
    fn fixed(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
    }

    fn number(&mut self, number: Number) {
        let start = self.text.len();
        number.push_to(&mut self.text);
        let end = self.text.len();
        self.slots.push(Slot { number, gap: (start - self.end) as u32, len: (end - start) as u32 });
        self.end = end;
    }
}

/// A frame under way from one text to the next.
pub(super) struct Update<'a> {
    old: &'a str,
    new: &'a mut String,
    /// Those to come.
    slots: std::slice::IterMut<'a, Slot>,
    /// The end of the last slot in the old text.
    at: usize,
    /// Where what is not copied yet begins in the old text.
    copied: usize,
    /// Whether a number found no slot.
    surplus: bool,
}

impl Update<'_> {
    fn copy_to(&mut self, end: usize) {
        self.new.push_str(self.old.get(self.copied..end).unwrap_or_default());
    }

    /// Copies what is left; returns whether there was one number for each slot.
    fn finish(mut self) -> bool {
        self.copy_to(self.old.len());
        !self.surplus && self.slots.len() == 0
    }
}

/// Writes nothing that is there already.
impl Out for Update<'_> {
    #[inline]
    fn fixed(&mut self, _: impl FnOnce(&mut String)) {}

    #[inline]
    fn number(&mut self, number: Number) {
        let Some(slot) = self.slots.next() else {
            self.surplus = true;
            return;
        };
        let start = self.at + slot.gap as usize;
        self.at = start + slot.len as usize;
        if slot.number != number {
            self.copy_to(start);
            let start = self.new.len();
            number.push_to(self.new);
            (slot.number, slot.len) = (number, (self.new.len() - start) as u32);
            self.copied = self.at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn write(out: &mut impl Out, numbers: &[u64]) {
        out.fixed(|text| text.push_str("begin "));
        for number in numbers {
            out.number(Number::count(*number));
            out.fixed(|text| text.push_str(", "));
        }
    }

    fn draft(numbers: &[u64]) -> Draft {
        let mut draft = Draft::default();
        write(&mut draft, numbers);
        draft
    }

    #[test]
    fn a_frame_notices_that_it_has_too_many_or_too_few_slots() {
        for numbers in [&[1, 2][..], &[1, 2, 3, 4], &[]] {
            assert!(!draft(&[1, 2, 3]).into_frame().update(|update| write(update, numbers)));
        }
        assert!(draft(&[]).into_frame().update(|update| write(update, &[])));
    }

    proptest! {
        #[test]
        fn a_frame_brought_up_to_date_is_like_a_new_one_and_old_texts_stay(
            rows in prop::collection::vec(prop::collection::vec((0..40_u32).prop_map(|n| 1 << n), 5), 1..10),
            readers in 0..4_usize,
        ) {
            let mut frame = draft(&rows[0]).into_frame();
            let mut held = VecDeque::new();
            for row in &rows {
                prop_assert!(frame.update(|update| write(update, row)));
                held.push_back((Arc::clone(frame.text()), draft(row).into_text()));
                for (text, expected) in &held {
                    prop_assert_eq!(&**text, expected);
                }
                if held.len() > readers {
                    held.pop_front();
                }
            }
        }
    }
}
