//! Makes a directory that does not open a database again, out of what can be read.
//!
//! 1. Read `CURRENT`, the manifest, every table, the values that tables point to, and the logs: `evidence`, `tables`, `logs`.
//! 2. If the manifest says what belongs to the database, what it names stays where it is. Of a damaged table the blocks that can be
//!    read are written to a new table in its place; of damaged logs every record that can be read goes to new tables.
//! 3. If it does not, all tables and logs there are are merged into new tables: of each key the newest entry counts.
//! 4. Copy what is damaged to `quarantine/`, then put a new manifest into force with one rename. Until then nothing that was there is
//!    changed, so an interrupted repair is begun again.
//!
//! `docs/design/2026-11-21-errors-and-repair.md` says what a repair cannot know.

pub(crate) mod report;
mod reading;
mod evidence;
mod values;
mod tables;
mod logs;
mod quarantine;
mod rebuild;
mod keep;
mod merge;
mod install;
mod run;

pub use report::{Loss, RepairOptions, RepairReport};
pub use run::repair;
