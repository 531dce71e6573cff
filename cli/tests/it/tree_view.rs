//! `bettong tree-view`: one file that holds a tree and what shows it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::serve::{Served, image};
use crate::tool::{Place, Run, arg, command, pairs, run, run_with};

const HOSTILE: &str = "<!--<script>alert(1)</script>-->";

/// A database with some tables and some history.
fn grown(dir: &Path) {
    for round in 0..3 {
        run_with(["import", "-d", arg(dir), "-"], pairs(200 * (round + 1)).as_bytes()).expect(0);
        run(["set", "-d", arg(dir), HOSTILE, HOSTILE]).expect(0);
        run(["compact", "-d", arg(dir)]).expect(0);
    }
    run(["set", "-d", arg(dir), "z", "last"]).expect(0);
}

fn tree_view<S: AsRef<OsStr>>(args: &[S]) -> Run {
    run([OsStr::new("tree-view")].into_iter().chain(args.iter().map(AsRef::as_ref)))
}

/// What the script of a page reads.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn tables(data: &Value) -> Vec<u64> {
    let levels = data.pointer("/snapshot/levels").and_then(Value::as_array).into_iter().flatten();
    let tables = levels.filter_map(|level| level.get("tables")?.as_array()).flatten();
    tables.map(|table| table.get("number").and_then(Value::as_u64).unwrap()).collect()
}

#[test]
fn a_tree_becomes_a_file_that_needs_nothing_else_and_leaves_the_database_as_it_is() {
    let place = Place::new();
    grown(&place.db());
    let before = image(&place);
    let file = place.path("tree.html");
    let told = tree_view(&[arg(&place.db()), "-o", arg(&file)]).expect(0);
    assert!(told.stdout.is_empty() && told.stderr.contains("wrote "), "{told:?}");
    assert!(image(&place) == before, "the directory is not as it was");
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.len() < 200_000, "{}", page.len());
    assert!(page.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"));
    // The namespace of SVG is a name, not an address.
    assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("://"));
    let data = data(&page);
    assert_eq!(data["snapshot"]["database"], "db");
    assert_eq!(tables(&data).len(), place.tables().len());
    // Keys are in hexadecimal, so that none of them is more than a text.
    let hostile = HOSTILE.bytes().take(16).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert!(data["snapshot"]["levels"].to_string().contains(&hostile));
    assert!(!page.contains("alert(1)"));
    assert!(data["edits"].as_array().unwrap().len() >= 4, "{}", data["edits"]);
    // They are the tool's, not the database's.
    assert_eq!(data["snapshot"]["options"], Value::Object(serde_json::Map::default()));
    assert!(data["remark"].as_str().unwrap().contains("reckoned with default options"));
}

#[test]
fn a_name_that_is_markup_is_data() {
    let place = Place::new();
    let dir = place.path("<!--<script>");
    run(["set", "-d", arg(&dir), "k", "v"]).expect(0);
    let page = tree_view(&[arg(&dir), "-o", "-"]).expect(0);
    assert_eq!(data(page.text())["snapshot"]["database"], "<!--<script>");
    assert_eq!((page.text().matches("<script").count(), page.text().matches("<!--").count()), (2, 0));
}

#[test]
fn a_file_is_replaced_once_the_new_one_is_complete() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let file = place.file("tree.html", b"before");
    let missing = place.path("no database");
    tree_view(&[arg(&missing), "-o", arg(&file)]).expect(3);
    assert_eq!(fs::read(&file).unwrap(), b"before");
    let mut inside = command();
    inside.args(["tree-view", "db"]).current_dir(file.parent().unwrap());
    assert!(inside.output().unwrap().status.success());
    assert!(fs::read(&file).unwrap().starts_with(b"<!doctype html>"));
    let nowhere = place.path("no/such/tree.html");
    let refused = tree_view(&[arg(&place.db()), "-o", arg(&nowhere)]).expect(3);
    assert!(refused.stderr.contains("cannot write") && refused.stderr.contains("tree.html"), "{refused:?}");
}

#[test]
fn changes_are_replayed_from_one_to_another() {
    let place = Place::new();
    grown(&place.db());
    let db = place.db();
    let page = |range: &str| {
        let page = tree_view(&[arg(&db), "-o", "-", "--edits", range]).expect(0);
        data(page.text())
    };
    let all = page("..");
    let edits = all["edits"].as_array().unwrap();
    let count = edits.len() as u64;
    assert_eq!(
        edits.iter().map(|edit| edit["number"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=count).collect::<Vec<_>>()
    );
    // After the first change there are its tables and those that were there before it: none, in a new database.
    let first = page("..1");
    let added = first["edits"][0]["added"].as_array().unwrap();
    let added: Vec<_> = added.iter().map(|table| table[1].as_u64().unwrap()).collect();
    assert_eq!(tables(&first), added);
    assert!(first["remark"].as_str().unwrap().contains(&format!("ends with change 1 of {count}")));
    assert_eq!(page("2..3")["edits"].as_array().unwrap().len(), 2);
    assert!(!all["remark"].as_str().unwrap().contains("ends with change"));
    assert_eq!((first["newest"].as_u64(), all["newest"].as_u64()), (Some(count), Some(count)));
    let beyond = tree_view(&[arg(&db), "-o", "-", "--edits", "1000.."]).expect(2);
    assert!(beyond.stderr.contains(&format!("{count} changes are known")), "{beyond:?}");
    let bad = tree_view(&[arg(&db), "--edits", "9..1"]).expect(2);
    assert!(bad.stderr.contains("10..40"), "{bad:?}");
}

#[test]
fn a_running_process_is_asked() {
    let place = Place::new();
    grown(&place.db());
    let served = Served::start(&place);
    let live = tree_view(&[served.1.as_str(), "-o", "-"]).expect(0);
    let (live, still) = (data(live.text()), tree_view(&[arg(&place.db()), "-o", "-"]).expect(0));
    assert_eq!(tables(&live), tables(&data(still.text())));
    assert_eq!(live["snapshot"]["database"], "db");
    assert!(live["snapshot"]["options"]["memtable_bytes"].is_string() && live["remark"].is_null());
    assert_eq!(live["labels"], data(still.text())["labels"]);
    tree_view(&[served.1.as_str(), "-o", "-", "--db", "other"]).expect(2);
    tree_view(&[served.1.as_str(), "-o", "-", "--edits", "1..2"]).expect(2);
    tree_view(&[arg(&place.db()), "-o", "-", "--db", "db"]).expect(2);
    drop(served);
    tree_view(&["http://127.0.0.1:1", "-o", "-"]).expect(3);
}
