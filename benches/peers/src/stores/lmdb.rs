//! LMDB: a mapped copy-on-write B-tree, without checksums, cache or filter, with a transaction for each operation. Without syncs
//! a power cut may take the whole database, so its unsynced writes promise less than the others'.

use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};

use crate::failed::Done;
use crate::settings::{Durability, Settings};
use crate::store::{Entries, Store};

/// Address space for the file, which is as long as what is in it.
const MAP_BYTES: usize = 256 << 30;

pub(crate) struct Lmdb {
    env: Env,
    data: Database<Bytes, Bytes>,
}

pub(crate) fn open(dir: &Path, settings: &Settings) -> Done<Box<dyn Store>> {
    let mut options = EnvOpenOptions::new();
    options.map_size(MAP_BYTES);
    if settings.durability == Durability::System {
        // SAFETY: what is lost when the machine fails is the run's.
        unsafe { options.flags(EnvFlags::NO_SYNC) };
    }
    // SAFETY: the directory is this process's own, and nobody else changes its files.
    let env = unsafe { options.open(dir)? };
    let mut transaction = env.write_txn()?;
    let data = env.create_database(&mut transaction, None)?;
    transaction.commit()?;
    Ok(Box::new(Lmdb { env, data }))
}

impl Store for Lmdb {
    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Done<bool> {
        let transaction = self.env.read_txn()?;
        let value = self.data.get(&transaction, key)?;
        Ok(value.inspect(|value| found(value)).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Done {
        let mut transaction = self.env.write_txn()?;
        self.data.put(&mut transaction, key, value)?;
        Ok(transaction.commit()?)
    }

    fn delete(&self, key: &[u8]) -> Done {
        let mut transaction = self.env.write_txn()?;
        self.data.delete(&mut transaction, key)?;
        Ok(transaction.commit()?)
    }

    fn batch(&self, entries: &Entries) -> Done {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in entries.iter() {
            self.data.put(&mut transaction, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    fn scan(&self, from: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done {
        let transaction = self.env.read_txn()?;
        let range: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Included(from), Bound::Unbounded);
        for item in self.data.range(&transaction, &range)? {
            let (key, value) = item?;
            if !each(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Done {
        Ok(self.env.force_sync()?)
    }

    /// Nothing goes on behind the caller's back.
    fn settle(&self) -> Done {
        Ok(())
    }

    /// The crate keeps an environment open until this is waited for, and would hand it out again.
    fn close(self: Box<Self>) -> Done {
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}
