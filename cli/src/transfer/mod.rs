//! `bettong import` and `bettong export`: records as newline-delimited JSON and as CSV.
//!
//! | form | one record |
//! |---|---|
//! | NDJSON pairs | `{"key":"…","value":"…"}`; what is not UTF-8 as `"key_base64"`, `"value_base64"` |
//! | NDJSON objects (`--key-field NAME`) | any object: its text, byte for byte, under the text of that member |
//! | CSV | a header, then the key's column (the first by default) and the value's |
//!
//! | module | owns |
//! |---|---|
//! | `file` | a file's format |
//! | `record` | a key with its value, and the records of an input |
//! | `lines` | lines of bounded length with their numbers |
//! | `ndjson` | records of JSON lines |
//! | `rows` | records of CSV |
//! | `form` | how a record is written |
//! | `import` | records into the database, in batches |
//! | `export` | the database into records |
//! | `fuzzing` | what the fuzz target of imports runs |

mod file;
mod record;
mod lines;
mod ndjson;
mod rows;
mod form;
mod import;
mod export;
#[cfg(test)]
mod fuzzing;

pub(crate) use export::{ExportArgs, export};
pub(crate) use import::{ImportArgs, import};
