//! Items that a scan has passed already, so that their values could be read together.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::read::fetch::read_ahead;
use crate::read::item::Item;

/// The most items whose values are read ahead, and about the most bytes of such values.
const ITEMS_MAX: usize = 64;
const BYTES_MAX: u64 = 1 << 20;

/// Items to be handed out before the scan goes on.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    items: VecDeque<Item>,
    /// How many to gather next.
    window: usize,
    /// Separated values handed out, and how many had been asked for, when the last were gathered.
    handed: u64,
    asked: u64,
    /// What ended the last gathering.
    failed: Option<Error>,
}

impl Ahead {
    /// The next item, or what ended the gathering.
    pub(crate) fn pop(&mut self) -> Result<Option<Item>> {
        if let Some(item) = self.items.pop_front() {
            self.handed += u64::from(item.is_apart());
            return Ok(Some(item));
        }
        self.failed.take().map_or(Ok(None), Err)
    }

    /// The last item, for who comes from the other end; what ended the gathering lies between the two.
    pub(crate) fn pop_back(&mut self) -> Result<Option<Item>> {
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => Ok(self.items.pop_back()),
        }
    }

    /// Whether most of the values handed out since the last gathering were asked for, given how many were in all; if so, more are gathered than
    /// the last time. Begins the next gathering with an item that is handed out now.
    pub(crate) fn begin(&mut self, asked: u64) -> bool {
        let (handed_since, asked_since) = (self.handed, asked - self.asked);
        (self.handed, self.asked) = (1, asked);
        let wanted = handed_since > 0 && asked_since * 4 >= handed_since * 3;
        self.window = if wanted { (self.window * 2).clamp(2, ITEMS_MAX) } else { 0 };
        wanted
    }

    /// Gathers what `next` finds, and reads the values, with that of `first` before them.
    pub(crate) fn gather(&mut self, first: &Item, mut next: impl FnMut() -> Result<Option<Item>>) {
        let mut bytes = 0;
        while self.items.len() < self.window && bytes < BYTES_MAX {
            match next() {
                Ok(Some(item)) => {
                    bytes += item.apart_bytes();
                    self.items.push_back(item);
                }
                Ok(None) => break,
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        if !self.items.is_empty() {
            read_ahead(std::iter::once(first).chain(&self.items).map(|item| (&*item.key, &item.value)));
        }
    }
}
