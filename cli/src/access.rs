//! `get`, `set`, `delete`: one key.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bettong::{MAX_VALUE_BYTES, Options, WriteOptions};
use clap::Args;

use crate::fault::{Fault, Result};
use crate::out::Out;
use crate::store::{FormatArgs, StoreArgs};
use crate::text::{Format, json_member_as};
use crate::units::parse_time;

/// Print the value of a key
///
/// Ends with exit code 1 if the key has none.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong get -d data user:1
  bettong get -d data --format hex 757365723a31
  bettong get -d data --raw picture > picture.png")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// The key
    #[arg(allow_negative_numbers = true)]
    key: String,
    /// Write the value's bytes as they are, without a line ending; not to a terminal
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the value of a key.
pub(crate) fn get(args: &GetArgs, out: &mut Out) -> Result<()> {
    if args.raw {
        out.refuse_terminal("--raw writes the value's bytes as they are")?;
    }
    let format = args.format.format;
    let key = args.format.parse("KEY", &args.key)?;
    let db = args.store.look(Options::default())?;
    let value = db.get(&key)?;
    if args.json {
        let found = value.is_some();
        let key = json_member_as(format, "key", &key);
        let value = value.as_ref().map(|value| format!(",{}", json_member_as(format, "value", value)));
        let value = value.unwrap_or_default();
        out.line(format_args!("{{\"schema_version\":1,\"found\":{found},{key}{value}}}"))?;
        return if found { Ok(()) } else { Err(Fault::Failed(String::new())) };
    }
    let value = value.ok_or_else(|| Fault::Failed(format!("no key {}", format.show(&key))))?;
    if args.raw { out.raw(&value) } else { out.line(format.show(&value)) }
}

/// Set a key to a value
///
/// Makes the database if there is none. The value is safe from a power cut when the command has ended.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong set -d data user:1 Ada
  bettong set -d data picture - < picture.png
  bettong set -d data --ttl 30m session:7 open
  bettong set -d data --format hex 00ff 0102")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// The key
    #[arg(allow_negative_numbers = true)]
    key: String,
    /// The value; `-` reads it from standard input, every byte of it (hex and base64 without white space around them)
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// How long the value lives, as in 500ms, 60s, 5m, 2h, 7d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    ttl: Option<Duration>,
}

/// Sets a key.
pub(crate) fn set(args: &SetArgs, out: &mut Out) -> Result<()> {
    let key = args.format.parse("KEY", &args.key)?;
    let value = match args.value.as_str() {
        "-" => read_value(args.format)?,
        text => args.format.parse("VALUE", text)?,
    };
    let db = args.store.open_or_create(Options::default())?;
    let options = args.ttl.map_or(WriteOptions::new(), |ttl| WriteOptions::new().ttl(ttl));
    db.set_with(&key, &value, options)?;
    db.close()?;
    out.detail(format_args!("set {} bytes", value.len()));
    Ok(())
}

fn read_value(format: FormatArgs) -> Result<Vec<u8>> {
    let failed = |source| Fault::io("read", Path::new("standard input"), source);
    // One byte more than may be, so that the engine sees that it is too much.
    let most = 2 * (MAX_VALUE_BYTES as u64 + 1);
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(failed)?;
    if format.format == Format::Utf8 {
        return Ok(bytes);
    }
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Fault::Usage(format!("VALUE: not {}", format.format.name())))?;
    format.parse("VALUE", text.trim())
}

/// Delete a key
///
/// Deleting a key that is not there is no error.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  bettong delete -d data user:1")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// The key
    #[arg(allow_negative_numbers = true)]
    key: String,
}

/// Deletes a key.
pub(crate) fn delete(args: &DeleteArgs) -> Result<()> {
    let key = args.format.parse("KEY", &args.key)?;
    let db = args.store.open()?;
    db.delete(&key)?;
    Ok(db.close()?)
}
