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
    remark: Option<String>,
}

impl TreeView {
    /// The tree of a snapshot, and of the changes that led to it, oldest first, those with numbers in `shown`: the newest 500 of them, or
    /// fewer where they name more than 8192 tables. Where the newest changes are not shown, the tree is the one before them.
    pub fn of(snapshot: &MetricsSnapshot, changes: &[TreeChange], shown: RangeInclusive<u64>) -> Self {
        let mut levels = snapshot.published().levels.clone();
        let undone = changes.iter().rev().take_while(|change| change.number > *shown.end());
        undone.for_each(|change| undo(&mut levels, change));
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
            remark: remark(changes, &chosen, kept, &shown),
        }
    }

    /// The tree of a running process, from what its server answers about one database at `/metrics.json` and at `/api/v1/history`; `None` if
    /// these are not such documents.
    pub fn of_documents(snapshot: Value, mut history: Value) -> Option<Self> {
        let [labels, edits] = ["labels", "edits"].map(|name| history.get_mut(name).map(Value::take));
        let (labels, edits) = (labels.filter(Value::is_object)?, edits.filter(Value::is_array)?);
        let lists = ["/metrics", "/levels", "/value_files"].map(|place| snapshot.pointer(place));
        let is_whole = lists.iter().all(|list| list.is_some_and(Value::is_array))
            && snapshot.pointer("/database").is_some_and(Value::is_string)
            && snapshot.pointer("/window/end").is_some_and(Value::is_number);
        is_whole.then(|| Self { snapshot: slim(snapshot), labels, edits, remark: None })
    }

    /// The page: HTML that holds everything it needs, 80 KiB and some 150 bytes for each table and each change of one.
    pub fn html(&self) -> String {
        let modules = MODULES.map(|name| (name, assets::text(&format!("{name}.js"))));
        let script = bundle(&[&modules[..], &[("file", SCRIPT)]].concat());
        let data = json!({
            "snapshot": &self.snapshot,
            "labels": &self.labels,
            "edits": &self.edits,
            "remark": &self.remark,
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

/// Takes a change back.
fn undo(levels: &mut [LevelState], change: &TreeChange) {
    for LevelState { level, tables } in levels.iter_mut() {
        let added = change.added.iter().filter(|(of, _)| of == level);
        let gone: BTreeSet<u64> = added.map(|(_, table)| table.number).collect();
        tables.retain(|table| !gone.contains(&table.number));
        let back = change.removed.iter().filter(|(of, _)| of == level);
        tables.extend(back.map(|(_, table)| table.clone()));
        // As the engine keeps them.
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
fn remark(
    changes: &[TreeChange],
    chosen: &[&TreeChange],
    kept: &[&TreeChange],
    shown: &RangeInclusive<u64>,
) -> Option<String> {
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
    (!sentences.is_empty()).then(|| sentences.join(" "))
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
