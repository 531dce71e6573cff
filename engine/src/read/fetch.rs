//! Values that a scan has come past: read when they are asked for, and ahead of that where all are.

use std::sync::{Arc, OnceLock};

use bettong_metrics::{Counter, Recorder};

use crate::context::FileContext;
use crate::error::Result;
use crate::metric::ValuePurpose;
use crate::sync::{AtomicU64, Ordering};
use crate::value::Value;
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;
use crate::view::View;

/// Values whose gap is not larger than this are asked for together.
const GAP_BYTES: u64 = 64 << 10;

/// What all items of a scan share.
#[derive(Debug)]
pub(crate) struct Fetcher {
    view: Arc<View>,
    context: Arc<FileContext>,
    /// Separated values that were asked for.
    asked: AtomicU64,
}

impl Fetcher {
    pub(crate) fn new(view: &Arc<View>, context: &Arc<FileContext>) -> Fetcher {
        Fetcher { view: view.clone(), context: context.clone(), asked: AtomicU64::new(0) }
    }

    /// How many separated values were asked for so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn recorder(&self) -> &Recorder {
        &self.context.recorder
    }

    fn file(&self, pointer: ValuePointer) -> Result<&Arc<ValueFile>> {
        self.view.value_file(pointer, &self.context)
    }
}

/// The value of an item.
#[derive(Clone, Debug)]
pub(crate) enum ItemValue {
    Here(Value),
    /// In a box: a scan over small values moves items about all the time.
    Apart(Box<ApartValue>),
}

/// A separated value, read at most once.
#[derive(Clone, Debug)]
pub(crate) struct ApartValue {
    fetcher: Arc<Fetcher>,
    pointer: ValuePointer,
    value: OnceLock<Value>,
}

impl ApartValue {
    pub(crate) fn new(fetcher: &Arc<Fetcher>, pointer: ValuePointer) -> ApartValue {
        ApartValue { fetcher: fetcher.clone(), pointer, value: OnceLock::new() }
    }

    /// Bytes of the entry that it lies in.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.pointer.len)
    }

    /// The value, which must be that of `user`.
    pub(crate) fn get(&self, user: &[u8]) -> Result<&Value> {
        self.fetcher.asked.fetch_add(1, Ordering::Relaxed);
        let value = self.read(user)?;
        self.fetcher.recorder().add(Counter::UserReadBytes, value.len() as u64);
        Ok(value)
    }

    fn read(&self, user: &[u8]) -> Result<&Value> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let file = self.fetcher.file(self.pointer).map_err(|error| error.of_key(user))?;
        let value = file.read(self.pointer, user, ValuePurpose::Scan, self.fetcher.recorder())?;
        Ok(self.value.get_or_init(|| value))
    }
}

/// Reads values before they are asked for, in the order in which they lie. One that cannot be read is left for later: whoever asks
/// for it gets the error.
pub(crate) fn read_ahead<'a>(items: impl Iterator<Item = (&'a [u8], &'a ItemValue)>) {
    let apart = |(key, value): (&'a [u8], &'a ItemValue)| match value {
        ItemValue::Apart(value) => Some((key, &**value)),
        ItemValue::Here(_) => None,
    };
    let mut values: Vec<(&[u8], &ApartValue)> = items.filter_map(apart).collect();
    values.sort_unstable_by_key(|(_, value)| (value.pointer.file, value.pointer.offset));
    announce(values.iter().map(|(_, value)| *value));
    for (key, value) in values {
        value.read(key).ok();
    }
}

/// Tells the system what will be read, neighbours together.
fn announce<'a>(values: impl Iterator<Item = &'a ApartValue>) {
    let mut wanted: Option<(&Arc<ValueFile>, std::ops::Range<u64>)> = None;
    for value in values {
        let Ok(file) = value.fetcher.file(value.pointer) else { continue };
        if file.is_known(value.pointer) {
            continue;
        }
        let (start, end) =
            (value.pointer.offset, value.pointer.offset.saturating_add(u64::from(value.pointer.len)));
        match &mut wanted {
            Some((same, range))
                if same.number == file.number && start <= range.end.saturating_add(GAP_BYTES) =>
            {
                range.end = range.end.max(end);
            }
            _ => {
                wanted
                    .replace((file, start..end))
                    .into_iter()
                    .for_each(|(file, range)| file.will_need(range));
            }
        }
    }
    wanted.into_iter().for_each(|(file, range)| file.will_need(range));
}
