//! A scan beside what it must show.

use std::collections::VecDeque;

use bettong::{Error, Item, Scan};

use crate::cell::Cell;
use crate::failure::Checked;
use crate::keys::Keys;
use crate::tally::Tally;

const FORWARD: usize = 0;
const BACKWARD: usize = 1;

/// A scan that is open. Its counts reach the metrics when it is dropped, and the model's when it is [ended](Walking::end).
#[derive(Debug)]
pub(crate) struct Walking {
    scan: Scan,
    /// What is between the two ends.
    expected: VecDeque<(u16, Cell)>,
    placed: [bool; 2],
    over: bool,
    counts: Tally,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum Step {
    /// What was expected.
    Item,
    /// The end, as expected.
    End,
    /// The disk failed.
    Failed(Error),
}

impl Walking {
    pub(crate) fn new(scan: Scan, expected: impl Iterator<Item = (u16, Cell)>) -> Walking {
        let counts = Tally { iterators: 1, ..Tally::default() };
        Walking { scan, expected: expected.collect(), placed: [false; 2], over: false, counts }
    }

    /// Takes a step from one end, and reads the value if it is asked for.
    pub(crate) fn step(&mut self, keys: &Keys, backward: bool, values: bool) -> Checked<Step> {
        let direction = if backward { BACKWARD } else { FORWARD };
        if let Some(placed) = self.placed.get_mut(direction).filter(|placed| !**placed && !self.over) {
            *placed = true;
            self.counts.scans += 1;
        }
        // Both kinds of steps on, in turns.
        let borrows = !backward && self.expected.len().is_multiple_of(2);
        let want = if backward { self.expected.pop_back() } else { self.expected.pop_front() };
        let kept;
        let got = if borrows {
            self.scan.next_ref().transpose()
        } else {
            let step = if backward { self.scan.next_back() } else { self.scan.next() };
            match step.transpose() {
                Ok(item) => {
                    kept = item;
                    Ok(kept.as_ref().map(Item::borrowed))
                }
                Err(error) => Err(error),
            }
        };
        let item = match (got, want) {
            (Ok(None), None) => {
                self.over = true;
                return Ok(Step::End);
            }
            (Err(error), _) => {
                self.counts.reads_unknown = true;
                return Ok(Step::Failed(error));
            }
            (Ok(Some(item)), Some((rank, cell))) if keys.bytes(rank) == item.key() => (item, rank, cell),
            (Ok(got), want) => {
                let got = got.map(|item| item.key().escape_ascii().to_string());
                let want = want.map(|(rank, _)| keys.bytes(rank).escape_ascii().to_string());
                return Err(format!("a scan came to {got:?}, not {want:?}, backward: {backward}"));
            }
        };
        let (item, rank, cell) = item;
        if let Some(steps) = self.counts.steps.get_mut(direction) {
            *steps += 1;
        }
        if !values {
            self.counts.read_bytes_unknown = true;
            return Ok(Step::Item);
        }
        match item.value() {
            Ok(bytes) if Cell::of(bytes) == Some(cell) => {
                self.counts.read_bytes += (item.key().len() + bytes.len()) as u64;
                Ok(Step::Item)
            }
            Ok(bytes) => Err(format!("a scan shows {:?} for key {rank}, not {cell:?}", Cell::of(bytes))),
            Err(error) => {
                self.counts.reads_unknown = true;
                Ok(Step::Failed(error))
            }
        }
    }

    /// Drops the scan and adds its counts.
    pub(crate) fn end(self, tally: &mut Tally) {
        let Walking { scan, counts, .. } = self;
        drop(scan);
        tally.iterators += counts.iterators;
        tally.scans += counts.scans;
        tally.read_bytes += counts.read_bytes;
        tally.reads_unknown |= counts.reads_unknown;
        tally.read_bytes_unknown |= counts.read_bytes_unknown;
        for (sum, steps) in tally.steps.iter_mut().zip(counts.steps) {
            *sum += steps;
        }
    }
}
