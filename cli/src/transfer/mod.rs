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
//! | `file` | a file's format, and the name of standard input and output |
//! | `record` | a key with its value, and the records of an input |
//! | `lines` | lines of bounded length with their numbers |
//! | `ndjson` | records of JSON lines |
//! | `rows` | records of CSV |
//! | `import` | records into the database, in batches |
//! | `export` | the database into records |

mod file;
mod record;
mod lines;
mod ndjson;
mod rows;
mod import;
mod export;

pub(crate) use export::{ExportArgs, export};
pub(crate) use import::{ImportArgs, import};
