//! A plain file that keys and values are appended to: what the machine itself can do. It cannot be read from.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::failed::Done;
use crate::settings::{Durability, Settings};
use crate::store::{Entries, Store};

/// Bytes handed to the system in one call.
const CHUNK_BYTES: usize = 1 << 20;

pub(crate) struct Plain {
    tail: Mutex<Tail>,
    synced: bool,
}

struct Tail {
    file: File,
    buffer: Vec<u8>,
}

pub(crate) fn open(dir: &Path, settings: &Settings) -> Done<Box<dyn Store>> {
    let file = File::create(dir.join("plain"))?;
    let tail = Mutex::new(Tail { file, buffer: Vec::with_capacity(2 * CHUNK_BYTES) });
    Ok(Box::new(Plain { tail, synced: settings.durability == Durability::Disk }))
}

impl Plain {
    fn append<'a>(&self, entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Done {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in entries {
            tail.buffer.extend_from_slice(key);
            tail.buffer.extend_from_slice(value);
            if tail.buffer.len() >= CHUNK_BYTES {
                tail.write()?;
            }
        }
        if self.synced { tail.sync() } else { Ok(()) }
    }
}

impl Tail {
    fn write(&mut self) -> Done {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> Done {
        self.write()?;
        Ok(self.file.sync_data()?)
    }
}

impl Store for Plain {
    fn get(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Done<bool> {
        Err("a plain file has no keys".into())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Done {
        self.append([(key, value)])
    }

    fn delete(&self, _: &[u8]) -> Done {
        Err("a plain file has no keys".into())
    }

    fn batch(&self, entries: &Entries) -> Done {
        self.append(entries.iter())
    }

    fn scan(&self, _: &[u8], _: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done {
        Err("a plain file has no keys".into())
    }

    fn sync(&self) -> Done {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).sync()
    }

    fn settle(&self) -> Done {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).write()
    }

    fn close(self: Box<Self>) -> Done {
        self.settle()
    }
}
