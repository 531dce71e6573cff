//! What the entries that a scan comes to have as their values.

use std::sync::Arc;

use bettong_metrics::Recorder;

use crate::context::FileContext;
use crate::error::{Error, Result};
use crate::iter::InternalIterator;
use crate::key::{Kind, Trailer};
use crate::merge::MergeIter;
use crate::read::fetch::{ApartValue, Fetcher, ItemValue};
use crate::values::stored::{EXPIRY_BYTES, Place, Stored};
use crate::view::View;

/// What an entry has as its value.
#[derive(Debug)]
pub(crate) enum Found {
    /// What is stored beside its key, without so many bytes at the front.
    Here { head: usize },
    /// What lies in a value file.
    Apart(Box<ApartValue>),
}

impl Found {
    /// The value as a handle, for the entry that a merge stands on, beside whose key `stored` is stored.
    #[inline]
    pub(crate) fn keep(self, merge: &MergeIter, stored: &[u8]) -> Option<ItemValue> {
        match self {
            Found::Here { head: 0 } => merge.lend(stored).map(ItemValue::Here),
            Found::Here { head } => {
                merge.lend(stored).map(|stored| ItemValue::Here(stored.without_head(head)))
            }
            Found::Apart(value) => Some(ItemValue::Apart(value)),
        }
    }
}

/// Finds values as of one moment.
#[derive(Debug)]
pub(crate) struct Resolver {
    view: Arc<View>,
    files: Arc<FileContext>,
    /// What expires then or before is gone.
    time: u64,
    fetcher: Option<Arc<Fetcher>>,
}

impl Resolver {
    pub(crate) fn new(view: Arc<View>, files: &Arc<FileContext>, time: u64) -> Resolver {
        Resolver { view, files: files.clone(), time, fetcher: None }
    }

    #[inline]
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.files.recorder
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// How many separated values were asked for so far.
    pub(crate) fn asked(&self) -> u64 {
        self.fetcher.as_ref().map_or(0, |fetcher| fetcher.asked())
    }

    /// The value of an entry, if its key has one.
    #[inline]
    pub(crate) fn value_of(&mut self, trailer: Trailer, stored: &[u8]) -> Result<Option<Found>> {
        // In this order: most are values.
        if trailer.is_of(Kind::Value) {
            return Ok(Some(Found::Here { head: 0 }));
        }
        if trailer.is_of(Kind::Tombstone) { Ok(None) } else { self.unusual(trailer.kind(), stored) }
    }

    #[inline(never)]
    fn unusual(&mut self, kind: Option<Kind>, stored: &[u8]) -> Result<Option<Found>> {
        let parsed = kind
            .and_then(|kind| Stored::parse(kind, stored))
            .ok_or_else(|| Error::corruption(self.files.dir.path(), 0, "an entry is none of its kind"))?;
        if parsed.is_past(self.time) {
            return Ok(None);
        }
        Ok(match parsed.place {
            Place::Nowhere => None,
            Place::Here(_) => Some(Found::Here { head: EXPIRY_BYTES }),
            Place::Apart(pointer) => {
                let (view, files) = (&self.view, &self.files);
                let fetcher = self.fetcher.get_or_insert_with(|| Arc::new(Fetcher::new(view, files)));
                Some(Found::Apart(Box::new(ApartValue::new(fetcher, pointer))))
            }
        })
    }
}
