//! Whether the database takes writes, and why not.

use std::sync::Arc;

use bettong_metrics::{Event, EventKind, Gauge, Recorder};

use crate::error::{Error, Result};
use crate::sync::{AtomicU8, Mutex, Ordering};

const OPEN: u8 = 0;
const READ_ONLY: u8 = 1;
const CLOSED: u8 = 2;
const READING: u8 = 3;

/// Open, open for reading, read-only after a fault, or closed. A fault is final: it takes a reopening to find out what is on the disk.
#[derive(Debug)]
pub(crate) struct Gate {
    state: AtomicU8,
    reason: Mutex<Option<Arc<Error>>>,
    recorder: Recorder,
}

impl Gate {
    pub(crate) fn new(recorder: &Recorder) -> Gate {
        recorder.set(Gauge::ReadOnly, 0.0);
        Gate { state: AtomicU8::new(OPEN), reason: Mutex::new(None), recorder: recorder.clone() }
    }

    /// Refuses writes from now on, since nobody means to write.
    pub(crate) fn open_for_reading(&self) {
        self.state.store(READING, Ordering::Release);
        self.recorder.set(Gauge::ReadOnly, 1.0);
    }

    pub(crate) fn is_for_reading(&self) -> bool {
        self.state.load(Ordering::Acquire) == READING
    }

    #[inline]
    pub(crate) fn check_write(&self) -> Result<()> {
        if self.state.load(Ordering::Acquire) == OPEN { Ok(()) } else { self.refuse() }
    }

    #[inline]
    pub(crate) fn check_read(&self) -> Result<()> {
        if self.state.load(Ordering::Acquire) == CLOSED { Err(Error::Closed) } else { Ok(()) }
    }

    #[cold]
    fn refuse(&self) -> Result<()> {
        if self.is_for_reading() {
            return Err(Error::OpenedForReading);
        }
        match &*self.reason.lock() {
            Some(reason) if !self.is_closed() => Err(Error::ReadOnly(reason.clone())),
            _ => Err(Error::Closed),
        }
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), READ_ONLY | READING)
    }

    /// Refuses writes from now on. The first reason stays.
    pub(crate) fn fail(&self, reason: Arc<Error>) {
        // An error that says "read-only because" would only wrap its own reason.
        let reason = match &*reason {
            Error::ReadOnly(inner) => inner.clone(),
            // Room would not bring back what is in doubt now: this one does not pass by itself.
            Error::NoSpace { path } => {
                let full = std::io::Error::from_raw_os_error(libc::ENOSPC);
                Arc::new(Error::Io { action: "write to", path: path.clone(), source: full })
            }
            _ => reason,
        };
        let sentence = reason.sentence();
        self.reason.lock().get_or_insert(reason);
        if self.state.compare_exchange(OPEN, READ_ONLY, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.recorder.emit(Event::new(EventKind::ReadOnly).message(sentence));
        }
        self.recorder.set(Gauge::ReadOnly, 1.0);
    }

    /// Returns whether this call closed it.
    pub(crate) fn close(&self) -> bool {
        self.state.swap(CLOSED, Ordering::AcqRel) != CLOSED
    }
}
