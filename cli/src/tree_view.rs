//! `tree-view`: the tree of a database as a page in one file.

use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use bettong::Options;
use bettong_exporter::TreeView;
use clap::Args;
use serde_json::Value;

use crate::fault::{Fault, Result};
use crate::fetch;
use crate::out::Out;
use crate::store::StoreArgs;
use crate::target::{Target, is_standard};

/// Write a page that shows the tree: levels, tables, how they came about, value files
///
/// The page is one HTML file that needs no server and no network; a browser opens it. A directory is opened for reading: nothing in it is
/// changed; options are not recorded in it, so what is reckoned with them (targets, scores) is of the defaults. A URL is that of a process
/// with an exporter, whose last 500 changes and whose options the page has. A file of the same name is replaced, once
/// the new one is complete.
///
/// The changes of a directory are those since its manifest was last written anew, counted from 1. A crash ends them: what was in the
/// logs is a part of the tree then, and how it came about is not known.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  bettong tree-view data
  bettong tree-view data -o before.html --edits 100..160
  bettong tree-view http://127.0.0.1:9464 --db orders -o - | ssh desk 'cat > tree.html'

Exit codes: as of every command; 5 if a process has the database open")]
pub(crate) struct TreeViewArgs {
    /// Directory of the database, or where an exporter listens
    #[arg(value_name = "DIR|URL")]
    source: String,
    /// The file; `-` is standard output
    #[arg(short, long, default_value = "tree.html", value_name = "FILE")]
    output: PathBuf,
    /// Which changes of a directory's tree to show, as 10..40, 10.. or ..40, both included [default: the newest 500]
    #[arg(long, value_name = "FROM..TO", value_parser = parse_edits)]
    edits: Option<RangeInclusive<u64>>,
    /// Which database of a process, where there are several [default: the first]
    #[arg(long, value_name = "NAME")]
    db: Option<String>,
    /// File with the token that the exporter wants to hear
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

fn parse_edits(text: &str) -> std::result::Result<RangeInclusive<u64>, String> {
    let number = |text: &str, absent: u64| if text.is_empty() { Ok(absent) } else { text.parse() };
    let wanted = || "has to look like 10..40, 10.. or ..40".to_owned();
    let (first, last) = text.split_once("..").ok_or_else(wanted)?;
    let first = number(first, 1).map_err(|_| wanted())?;
    let last = number(last, u64::MAX).map_err(|_| wanted())?;
    if first == 0 || first > last { Err(wanted()) } else { Ok(first..=last) }
}

/// Writes the page.
pub(crate) fn tree_view(args: &TreeViewArgs, out: &mut Out) -> Result<()> {
    if is_standard(&args.output) {
        out.refuse_terminal("a page is for a browser")?;
    }
    let view = if args.source.contains("://") { ask(args)? } else { look(args)? };
    let page = view.html();
    if is_standard(&args.output) {
        return out.raw(page.as_bytes());
    }
    let failed = |source| Fault::io("write", &args.output, source);
    let mut target = Target::open(&args.output).map_err(failed)?;
    target.write_all(page.as_bytes()).map_err(failed)?;
    target.keep(&args.output).map_err(failed)?;
    out.note(format_args!("wrote {}, {}", args.output.display(), out.sizes().show(page.len() as u64)));
    Ok(())
}

fn look(args: &TreeViewArgs) -> Result<TreeView> {
    if args.token_file.is_some() || args.db.is_some() {
        return Err(Fault::Usage("a directory has one database, and asks for no token".to_owned()));
    }
    let db = StoreArgs { dir: PathBuf::from(&args.source) }.look(Options::default())?;
    let changes = db.tree_changes()?;
    let shown = args.edits.clone().unwrap_or(1..=u64::MAX);
    let newest = changes.last().map_or(0, |change| change.number);
    if *shown.start() > newest && args.edits.is_some() {
        return Err(Fault::Usage(format!(
            "--edits begins with {}: {newest} changes are known",
            shown.start()
        )));
    }
    let view = TreeView::of(&db.metrics().snapshot(), &changes, shown).without_options();
    db.close()?;
    Ok(view)
}

fn ask(args: &TreeViewArgs) -> Result<TreeView> {
    if args.edits.is_some() {
        return Err(Fault::Usage(
            "--edits is for a directory: of a process the last 500 are shown".to_owned(),
        ));
    }
    let token = args.token_file.as_deref().map(fetch::token).transpose()?;
    let query = args.db.as_ref().map(|db| format!("&db={}", fetch::escaped(db))).unwrap_or_default();
    let history = fetch::document(&args.source, &format!("api/v1/history?seconds=1{query}"), token.as_ref())?;
    let history = first(history, |_| true);
    let snapshot = fetch::document(&args.source, "metrics.json", token.as_ref())?;
    let snapshot = first(snapshot, |one| one.get("database") == history.get("database"));
    let foreign =
        || std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is none of an exporter");
    TreeView::of_documents(snapshot, history).ok_or_else(|| Fault::io("ask", args.source.as_ref(), foreign()))
}

/// The first database that fits, of a document that may be of several.
fn first(mut document: Value, fits: impl Fn(&Value) -> bool) -> Value {
    match document.get_mut("databases").and_then(Value::as_array_mut) {
        Some(several) => several.iter_mut().find(|one| fits(one)).map(Value::take).unwrap_or_default(),
        None => document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_chosen_by_their_numbers() {
        let all = u64::MAX;
        for (text, range) in
            [("10..40", 10..=40), ("10..", 10..=all), ("..40", 1..=40), ("..", 1..=all), ("7..7", 7..=7)]
        {
            assert_eq!(parse_edits(text), Ok(range), "{text}");
        }
        for text in ["", "7", "40..10", "0..7", "a..b", "1..2..3", "-1..2"] {
            assert!(parse_edits(text).is_err(), "{text}");
        }
    }
}
