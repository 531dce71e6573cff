//! What a read needs: the memtables and the version, as they belong together.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::context::FileContext;
use crate::env::names::FileName;
use crate::error::{Error, Result};
use crate::levels::version::Version;
use crate::memtable::Memtable;
use crate::scan_loss::ScanLoss;
use crate::sync::{Mutex, others_may_run};
use crate::values::file::ValueFile;
use crate::values::pointer::ValuePointer;

/// One consistent state of memory and tree. Immutable; readers keep it for as long as they like.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Where writes go.
    pub(crate) active: Arc<Memtable>,
    /// Full memtables that wait for their flush, newest first.
    pub(crate) immutables: Vec<Arc<Memtable>>,
    pub(crate) version: Arc<Version>,
    /// Where scans say what they lost to runs of the version.
    pub(crate) scan_loss: Arc<ScanLoss>,
}

impl View {
    /// The file that a pointer of this state leads to.
    ///
    /// # Errors
    /// [`Error::Corruption`] if there is none: a table points to a file that the manifest does not name.
    pub(crate) fn value_file(&self, pointer: ValuePointer, context: &FileContext) -> Result<&Arc<ValueFile>> {
        let log =
            || self.memtables().map(|memtable| memtable.values()).find(|file| file.number == pointer.file);
        self.version.value_file(pointer).or_else(log).ok_or_else(|| {
            let path = context.dir.path_of(FileName::Value(pointer.file));
            Error::corruption(
                &path,
                pointer.offset,
                "a pointer leads to a file that does not belong to the database",
            )
        })
    }

    /// All memtables, newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        std::iter::once(&self.active).chain(&self.immutables)
    }
}

/// The view in force. Reading it takes no lock and no shared reference count (arc-swap's per-thread debts).
#[derive(Debug)]
pub(crate) struct CurrentView {
    view: ArcSwap<View>,
    changing: Mutex<()>,
}

impl CurrentView {
    pub(crate) fn new(view: View) -> CurrentView {
        CurrentView { view: ArcSwap::from_pointee(view), changing: Mutex::new(()) }
    }

    /// The view, for the length of one read.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<View>> {
        others_may_run();
        self.view.load()
    }

    /// The view, to keep.
    pub(crate) fn keep(&self) -> Arc<View> {
        others_may_run();
        self.view.load_full()
    }

    /// Replaces the view by what `change` makes of it.
    pub(crate) fn change(&self, change: impl FnOnce(&View) -> View) {
        let _changing = self.changing.lock();
        let next = change(&self.view.load());
        others_may_run();
        self.view.store(Arc::new(next));
    }
}
