//! redb: a copy-on-write B-tree with a transaction for each operation. Without syncs a commit is visible and in memory only, so it
//! promises less than the others' sets; settling commits for good.

use std::path::Path;

use redb::{Database, ReadableDatabase, Table, TableDefinition};

use crate::failed::Done;
use crate::settings::{Durability, Settings};
use crate::store::{Entries, Store};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("data");

pub(crate) struct Redb {
    db: Database,
    durability: redb::Durability,
}

pub(crate) fn open(dir: &Path, settings: &Settings) -> Done<Box<dyn Store>> {
    let db =
        Database::builder().set_cache_size(settings.cache_bytes as usize).create(dir.join("data.redb"))?;
    let durability = match settings.durability {
        Durability::System => redb::Durability::None,
        Durability::Disk => redb::Durability::Immediate,
    };
    let store = Redb { db, durability };
    // A read of a table that nobody has opened for writing is an error.
    store.write(redb::Durability::Immediate, |_| Ok(()))?;
    Ok(Box::new(store))
}

impl Redb {
    fn write(
        &self,
        durability: redb::Durability,
        change: impl FnOnce(&mut Table<'_, &'static [u8], &'static [u8]>) -> Done,
    ) -> Done {
        let mut transaction = self.db.begin_write()?;
        transaction.set_durability(durability)?;
        change(&mut transaction.open_table(TABLE)?)?;
        Ok(transaction.commit()?)
    }
}

impl Store for Redb {
    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Done<bool> {
        // The value's guard does not keep the transaction, so this must.
        let transaction = self.db.begin_read()?;
        let value = transaction.open_table(TABLE)?.get(key)?;
        Ok(value.inspect(|value| found(value.value())).is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Done {
        self.write(self.durability, |table| {
            table.insert(key, value)?;
            Ok(())
        })
    }

    fn delete(&self, key: &[u8]) -> Done {
        self.write(self.durability, |table| {
            table.remove(key)?;
            Ok(())
        })
    }

    fn batch(&self, entries: &Entries) -> Done {
        self.write(self.durability, |table| {
            for (key, value) in entries.iter() {
                table.insert(key, value)?;
            }
            Ok(())
        })
    }

    fn scan(&self, from: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Done {
        let transaction = self.db.begin_read()?;
        for item in transaction.open_table(TABLE)?.range(from..)? {
            let (key, value) = item?;
            if !each(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Done {
        self.write(redb::Durability::Immediate, |_| Ok(()))
    }

    fn settle(&self) -> Done {
        self.sync()
    }

    fn close(self: Box<Self>) -> Done {
        Ok(())
    }
}
