//! A tree in one file: a page that needs no server, with the scripts and the style of the dashboard.
//!
//! ```text
//!   file.html = … <style> app.css … <script type="application/json"> data … <script type="module"> scripts …
//! ```
//! Its policy lets nothing run but the one script, and nothing be loaded. Names and keys are of whoever writes to the database: they
//! stand in the data alone, in which no `<`, `>` or `&` is left, and the script makes text nodes of them.

use super::assets;
use super::bundle::bundle;
use crate::formats::json;
use crate::history;
use bettong_metrics::{LevelState, MetricsSnapshot, TreeChange};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::RangeInclusive;

const TEMPLATE: &str = include_str!("../../dashboard/file.html");
const SCRIPT: &str = include_str!("../../dashboard/file.js");

/// The modules that the script imports, each after those that it imports.
const MODULES: [&str; 6] = ["format", "dom", "database", "options", "tree", "values"];

/// A database's tree as a page of its own: levels and tables, how they came about, value files, options.
///
/// # Examples
/// ```
/// use bettong_exporter::TreeView;
/// use bettong_metrics::{LevelState, PublishedState, Registry, TableState, TreeChange};
///
/// let registry = Registry::new("orders"); // of an open database: `db.metrics()`
/// let table = TableState { number: 7, bytes: 4_096, ..TableState::default() };
/// let levels = vec![LevelState { level: 0, tables: vec![table.clone()] }];
/// registry.publish(PublishedState { levels, ..PublishedState::default() });
/// let change = TreeChange { number: 1, added: vec![(0, table)], removed: Vec::new() };
/// let page = TreeView::of(&registry.snapshot(), &[change], 1..=u64::MAX).html();
/// assert!(page.starts_with("<!doctype html>"));
/// ```
#[derive(Clone, Debug)]
pub struct TreeView {
    snapshot: Value,
    labels: Value,
    edits: Value,
    /// The tree that the changes led to, as the stream has it, where it is not the snapshot's.
    tree: Value,
    /// The number of the newest change that is known, shown or not.
    newest: Option<u64>,
    remarks: Vec<String>,
}

impl TreeView {
    /// The tree of a snapshot, and of the changes that led to it, oldest first, those with numbers in `shown`: the newest 500 of them, or
    /// fewer where they name more than 8192 tables. Where the newest changes are not shown, the tree is the one before them.
    pub fn of(snapshot: &MetricsSnapshot, changes: &[TreeChange], shown: RangeInclusive<u64>) -> Self {
        let mut levels = snapshot.published().levels.clone();
        let undone: Vec<_> = changes.iter().rev().take_while(|change| change.number > *shown.end()).collect();
        // An order that nothing was done to is the engine's own, by whole keys.
        if !undone.is_empty() {
            undone.into_iter().for_each(|change| undo(&mut levels, change));
            sort(&mut levels);
        }
        let chosen: Vec<&TreeChange> =
            changes.iter().filter(|change| shown.contains(&change.number)).collect();
        let kept = history::newest_changes(&chosen);
        let mut document = json::to_value(snapshot);
        if let Some(shown) = document.get_mut("levels") {
            *shown = json::levels(&levels);
        }
        Self {
            snapshot: slim(document),
            labels: history::labels(),
            edits: history::changes(kept),
            tree: Value::Null,
            newest: changes.last().map(|change| change.number),
            remarks: remarks(changes, &chosen, kept, &shown),
        }
    }

    /// Without the options of the snapshot. A directory does not record them: those of a database that was opened to be looked at are
    /// those of whoever looks, and the page says so of what is reckoned with them.
    #[must_use]
    pub fn without_options(mut self) -> Self {
        for name in ["options", "option_defaults"] {
            if let Some(options) = self.snapshot.get_mut(name) {
                *options = json!({});
            }
        }
        self.remarks.push(
            "Targets and scores of levels, and what is to become of value files, are reckoned with default options: a directory does \
             not record those that its database ran with."
                .to_owned(),
        );
        self
    }

    /// The tree of a running process, from what its server answers about one database at `/metrics.json` and at `/api/v1/history`; `None` if
    /// these are not such documents. The picture is of the history's moment, so that it is what the changes led to; figures are the
    /// snapshot's.
    pub fn of_documents(snapshot: Value, mut history: Value) -> Option<Self> {
        let [labels, edits] = ["labels", "edits"].map(|name| history.get_mut(name).map(Value::take));
        let (labels, edits) = (labels.filter(Value::is_object)?, edits.filter(Value::is_array)?);
        let lists = ["/metrics", "/levels", "/value_files"].map(|place| snapshot.pointer(place));
        let is_whole = lists.iter().all(|list| list.is_some_and(Value::is_array))
            && snapshot.pointer("/database").is_some_and(Value::is_string)
            && snapshot.pointer("/window/end").is_some_and(Value::is_number);
        // A server that has not looked yet knows neither changes nor a tree: then the snapshot's tree is what there is.
        let tree = history.get_mut("tree").map(Value::take).unwrap_or_default();
        let is_tree = tree.is_null()
            || ["/levels", "/value_files"]
                .iter()
                .all(|place| tree.pointer(place).is_some_and(Value::is_array));
        (is_whole && is_tree).then(|| Self {
            snapshot: slim(snapshot),
            labels,
            edits,
            tree,
            newest: None,
            remarks: Vec::new(),
        })
    }

    /// The page: HTML that holds everything it needs, 80 KiB and some 150 bytes for each table and each change of one.
    pub fn html(&self) -> String {
        let modules = MODULES.map(|name| (name, assets::text(&format!("{name}.js"))));
        let script = bundle(&[&modules[..], &[("file", SCRIPT)]].concat());
        let data = json!({
            "snapshot": &self.snapshot,
            "labels": &self.labels,
            "edits": &self.edits,
            "tree": &self.tree,
            "newest": self.newest,
            "remark": (!self.remarks.is_empty()).then(|| self.remarks.join(" ")),
            "version": env!("CARGO_PKG_VERSION"),
        });
        let (nonce, data, icon) = (nonce(), inert(&data), data_url(assets::text("favicon.svg")));
        let part = |name: &str| match name {
            "nonce" => nonce.as_str(),
            "icon" => &icon,
            "style" => assets::text("app.css"),
            "data" => &data,
            _ => &script,
        };
        let mut page = String::with_capacity(TEMPLATE.len() + script.len() + data.len());
        for (at, piece) in TEMPLATE.split("{{").enumerate() {
            match piece.split_once("}}") {
                Some((name, rest)) if at > 0 => page.extend([part(name), rest]),
                _ => page.push_str(piece),
            }
        }
        page
    }
}

/// Takes a change back; the order is left to [`sort`], once for all changes.
fn undo(levels: &mut [LevelState], change: &TreeChange) {
    for LevelState { level, tables } in levels.iter_mut() {
        let added = change.added.iter().filter(|(of, _)| of == level);
        let gone: BTreeSet<u64> = added.map(|(_, table)| table.number).collect();
        tables.retain(|table| !gone.contains(&table.number));
        let back = change.removed.iter().filter(|(of, _)| of == level);
        tables.extend(back.map(|(_, table)| table.clone()));
    }
}

/// As the engine keeps them, as far as the beginnings of keys tell.
fn sort(levels: &mut [LevelState]) {
    for LevelState { level, tables } in levels {
        if *level == 0 {
            tables.sort_by_key(|table| std::cmp::Reverse(table.number));
        } else {
            tables.sort_by(|a, b| {
                a.smallest_key_prefix.cmp(&b.smallest_key_prefix).then(a.number.cmp(&b.number))
            });
        }
    }
}

/// What the page does not show of what was asked for.
fn remarks(
    changes: &[TreeChange],
    chosen: &[&TreeChange],
    kept: &[&TreeChange],
    shown: &RangeInclusive<u64>,
) -> Vec<String> {
    let newest = changes.last().map_or(0, |change| change.number);
    let mut sentences = Vec::new();
    if *shown.end() < newest {
        let last = shown.end();
        sentences.push(format!(
            "The picture ends with change {last} of {newest}; what is in the tables below is of the newest state."
        ));
    }
    if kept.len() < chosen.len() {
        let (left, all) = (chosen.len() - kept.len(), chosen.len());
        sentences.push(format!("Of {all} changes, the {left} oldest are left out."));
    }
    sentences
}

/// What the panels use of a snapshot: series that are numbers, without words about them, of families that are not 0 throughout.
fn slim(mut document: Value) -> Value {
    let mut take = |name: &str| document.get_mut(name).map(Value::take).unwrap_or_default();
    let metrics = take("metrics");
    let name = |metric: &'_ Value| metric.get("name").and_then(Value::as_str).map(str::to_owned);
    let numbers = || metrics.as_array().into_iter().flatten().filter(|one| value(one).is_some());
    let alive: BTreeSet<_> = numbers().filter(|one| value(one) != Some(0.0)).map(name).collect();
    let used = numbers().filter(|one| alive.contains(&name(one)));
    let metrics: Vec<Value> = used
        .map(|one| json!({"name": one.get("name"), "labels": one.get("labels"), "value": one.get("value")}))
        .collect();
    let kept = [
        "database",
        "window",
        "levels",
        "value_files",
        "options",
        "option_defaults",
        "recovery",
        "jobs",
        "holders",
    ];
    let mut slim: Map<String, Value> = kept.iter().map(|name| ((*name).to_owned(), take(name))).collect();
    slim.insert("metrics".to_owned(), Value::from(metrics));
    slim.insert("slow_operations".to_owned(), json!([]));
    slim.insert("events".to_owned(), json!([]));
    Value::from(slim)
}

fn value(metric: &Value) -> Option<f64> {
    metric.get("value").and_then(Value::as_f64)
}

/// JSON in which nothing is left that HTML gives a meaning: these characters stand in JSON's texts only, where they may be escaped.
fn inert(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// What only this page's own script and style know, so that no other ones run. The hashers' keys come from the system's randomness.
fn nonce() -> String {
    [(); 2].map(|()| format!("{:016x}", RandomState::new().hash_one(()))).concat()
}

fn data_url(svg: &str) -> String {
    let mut url = "data:image/svg+xml,".to_owned();
    for byte in svg.bytes() {
        if byte.is_ascii_alphanumeric() {
            url.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests;
