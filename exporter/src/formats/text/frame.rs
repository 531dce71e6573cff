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

/// What lines are written to.
pub(super) trait Out {
    /// Text that stays the same as long as the series do. `write` need not be called where it is known.
    fn fixed(&mut self, write: impl FnOnce(&mut String));
    /// A number.
    fn number(&mut self, number: Number);
}

/// A text with numbers in it.
#[derive(Debug, Default)]
pub(super) struct Frame {
    text: String,
    slots: Vec<Slot>,
    /// Where the last number ends.
    end: usize,
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

impl Frame {
    /// A frame for a text of about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ..Self::default() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Puts the numbers that `write` writes in the place of those that are there. `spare` lends its memory, and gets the
    /// text as it was.
    ///
    /// Returns whether there were as many; if not, the frame is of no further use.
    pub(super) fn update(&mut self, spare: &mut String, write: impl FnOnce(&mut Update<'_>)) -> bool {
        spare.clear();
        let slots = self.slots.iter_mut();
        let mut update = Update { old: &self.text, new: spare, slots, at: 0, copied: 0, surplus: false };
        write(&mut update);
        let fits = update.finish();
        std::mem::swap(&mut self.text, spare);
        fits
    }
}

/// Writes a text with its slots.
impl Out for Frame {
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

    fn write(out: &mut impl Out, numbers: &[u64]) {
        out.fixed(|text| text.push_str("begin "));
        for number in numbers {
            out.number(Number::count(*number));
            out.fixed(|text| text.push_str(", "));
        }
    }

    fn frame(numbers: &[u64]) -> Frame {
        let mut frame = Frame::default();
        write(&mut frame, numbers);
        frame
    }

    #[test]
    fn a_frame_notices_that_it_has_too_many_or_too_few_slots() {
        for numbers in [&[1, 2][..], &[1, 2, 3, 4], &[]] {
            assert!(!frame(&[1, 2, 3]).update(&mut String::new(), |update| write(update, numbers)));
        }
        assert!(frame(&[]).update(&mut String::new(), |update| write(update, &[])));
    }

    proptest! {
        #[test]
        fn a_frame_brought_up_to_date_is_like_a_new_one(
            rows in prop::collection::vec(prop::collection::vec((0..40_u32).prop_map(|n| 1 << n), 5), 1..10)
        ) {
            let (mut old, mut spare) = (frame(&rows[0]), String::from("left over"));
            for row in &rows {
                prop_assert!(old.update(&mut spare, |update| write(update, row)));
                prop_assert_eq!(old.text(), frame(row).into_text());
            }
        }
    }
}
