//! The modules of the CLI that read and write records, without the rest of it.
#![no_main]

#[expect(dead_code, reason = "imports use a part of it")]
#[path = "../../cli/src/text.rs"]
mod text;
#[path = "../../cli/src/transfer/record.rs"]
mod record;
#[path = "../../cli/src/transfer/lines.rs"]
mod lines;
#[path = "../../cli/src/transfer/ndjson.rs"]
mod ndjson;
#[path = "../../cli/src/transfer/rows.rs"]
mod rows;
#[path = "../../cli/src/transfer/form.rs"]
mod form;
#[path = "../../cli/src/transfer/fuzzing.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::import(input));
