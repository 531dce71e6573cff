//! All of it for one database, and the messages that go to everybody who looks: made once a second, however many look.

use super::columns::Pair;
use super::edits::{Edits, fields};
use super::heat::Heat;
use super::ring::{Ring, Row, put, quoted, separated};
use crate::formats::activity_json;
use crate::process::Process;
use axum::body::Bytes;
use bettong_metrics::{Family, MetricsSnapshot, PublishedState, Registry, Value};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// The most tables, and the most value files, of one message.
const SHOWN: usize = 4_096;

/// What a database did, and what is said of it now.
#[derive(Debug)]
pub(crate) struct Book {
    registry: Arc<Registry>,
    /// Locked while a row is written and while an answer is.
    pages: Mutex<Pages>,
    /// Locked to copy it or to put new messages in.
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Pages {
    before: Option<(MetricsSnapshot, Process)>,
    ring: Ring,
    edits: Edits,
    trees: u64,
}

/// The newest messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latest {
    /// What happened in the last second; empty before the first.
    pub(crate) second: Bytes,
    /// The tree, its options and what recovery found.
    pub(crate) tree: Bytes,
    /// Which tree it is, counted from 1.
    pub(crate) tree_number: u64,
}

impl Book {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, pages: Mutex::default(), latest: Mutex::default() }
    }

    /// The name of the database.
    pub(crate) fn name(&self) -> &str {
        self.registry.name()
    }

    /// The newest messages.
    pub(crate) fn latest(&self) -> Latest {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a snapshot, notes what happened since the one before and writes new messages. `own` is what the exporter says of itself, a
    /// JSON value.
    pub(crate) fn look(&self, process: &Process, own: &str) {
        let now = self.registry.snapshot();
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(News { second, tree, tree_number }) = pages.turn(now, process, own) else { return };
        drop(pages);
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = tree.unwrap_or_else(|| latest.tree.clone());
        *latest = Latest { second, tree, tree_number };
    }

    /// The newest `count` rows, the changes of the tree and the tree that they led to, as a JSON object.
    pub(crate) fn document(&self, count: usize) -> String {
        let mut text = format!("{{\"database\":{},\"interval_seconds\":1,\"labels\":", quoted(self.name()));
        write_labels(&mut text);
        text.push(',');
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.ring.write(&mut text, count);
        text.push_str(",\"edits\":");
        pages.edits.write(&mut text);
        // The tree that the changes lead to: that of the last look, not that of this moment.
        text.push_str(",\"tree\":");
        match &pages.before {
            Some((last, _)) => text.push_str(&pages.tree(last, last.window().end)),
            None => text.push_str("null"),
        }
        text.push('}');
        text
    }
}

/// The labels of all families of the catalogue that have some, with their values.
pub(crate) fn labels() -> serde_json::Value {
    let mut text = String::new();
    write_labels(&mut text);
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes them as `{"family":{"label":["value",…]},…}`.
fn write_labels(text: &mut String) {
    text.push('{');
    let labelled = Family::all().map(Family::desc).filter(|desc| !desc.labels.is_empty());
    separated(text, labelled, |text, desc| {
        let _ = write!(text, "{}:{{", quoted(desc.name));
        separated(text, desc.labels.iter(), |text, label| {
            let _ = write!(text, "{}:[", quoted(label.name));
            separated(text, label.values.iter(), |text, value| text.push_str(&quoted(value)));
            text.push(']');
        });
        text.push('}');
    });
    text.push('}');
}

/// Messages of one look.
struct News {
    second: Bytes,
    tree: Option<Bytes>,
    tree_number: u64,
}

impl Pages {
    /// Notes one second. Of the first look nothing can be said.
    fn turn(&mut self, now: MetricsSnapshot, process: &Process, own: &str) -> Option<News> {
        let news = self.before.take().map(|(before, process_before)| {
            let pair = Pair { before: &before, now: &now, process_before: &process_before, process };
            self.news(&pair, own)
        });
        self.before = Some((now, *process));
        news
    }

    fn news(&mut self, pair: &Pair<'_>, own: &str) -> News {
        let Pair { before, now, .. } = *pair;
        let at = now.window().end;
        let row = Row {
            at,
            seconds: (at - before.window().end).max(0.001) as f32,
            values: pair.row(),
            heat: Heat::between(before, now),
        };
        let is_new = self.trees == 0 || !Arc::ptr_eq(before.published(), now.published());
        if is_new {
            self.trees += 1;
            self.edits.note(before.published(), now.published(), at);
        }
        let tree = is_new.then(|| event("tree", &self.tree(now, at)));
        let second = event("second", &second(&row, now, own));
        self.ring.push(&row);
        News { second, tree, tree_number: self.trees }
    }

    fn tree(&self, now: &MetricsSnapshot, at: f64) -> String {
        let PublishedState { levels, value_files, options, recovery } = &**now.published();
        let mut text = format!(
            "{{\"database\":{},\"at\":{at:.3},\"edits\":{},\"levels\":[",
            quoted(now.database()),
            self.edits.seen()
        );
        let mut room = SHOWN;
        separated(&mut text, levels.iter(), |text, level| {
            let shown = level.tables.len().min(room);
            room -= shown;
            let _ = write!(text, "{{\"level\":{},\"count\":{},\"tables\":[", level.level, level.tables.len());
            separated(text, level.tables.iter().take(shown), |text, table| {
                text.push('[');
                fields(text, table);
                text.push(']');
            });
            text.push_str("]}");
        });
        let _ = write!(text, "],\"value_file_count\":{},\"value_files\":[", value_files.len());
        separated(&mut text, value_files.iter().take(SHOWN), |text, file| {
            let standing = quoted(file.standing.as_str());
            let _ = write!(
                text,
                "[{},{},{},{},{standing}]",
                file.number, file.bytes, file.live_bytes, file.live_entries
            );
        });
        text.push_str("],\"options\":");
        members(&mut text, options.iter().map(|option| (&*option.name, &*option.value)));
        text.push_str(",\"option_defaults\":");
        members(&mut text, options.iter().map(|option| (&*option.name, &*option.default)));
        text.push_str(",\"recovery\":");
        members(&mut text, recovery.iter().map(|(name, value)| (&**name, &**value)));
        text.push_str(",\"edit\":");
        self.edits.write_newest(&mut text);
        text.push('}');
        text
    }
}

/// Texts with their names, as an object.
fn members<'a>(text: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    text.push('{');
    separated(text, pairs, |text, (name, value)| {
        put(text, format_args!("{}:{}", quoted(name), quoted(value)));
    });
    text.push('}');
}

/// The row; all counters and gauges but families that are 0 throughout; and what goes on.
fn second(row: &Row, now: &MetricsSnapshot, own: &str) -> String {
    let mut text = format!("{{\"database\":{},", quoted(now.database()));
    row.write(&mut text);
    text.push_str(",\"now\":{");
    let mut first = true;
    for family in Family::all() {
        let per_unit = family.desc().unit.raw_per_unit();
        let numbers = now.values(family).filter_map(|value| match value {
            Value::Counter(raw) => Some(raw as f64 / per_unit as f64),
            Value::Gauge(value) => Some(value),
            Value::Histogram(_) => None,
        });
        let numbers: Vec<f64> = numbers.collect();
        if numbers.iter().any(|number| *number != 0.0) {
            let _ = write!(text, "{}{}:[", if first { "" } else { "," }, quoted(family.desc().name));
            separated(&mut text, numbers.iter(), |text, number| put(text, format_args!("{number}")));
            text.push(']');
            first = false;
        }
    }
    let _ = write!(text, "}},\"activity\":{},\"exporter\":{own}}}", activity_json(now.activity()));
    text
}

/// A server-sent event. JSON has no line ends of its own.
fn event(name: &str, json: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {json}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::ROWS;
    use bettong_metrics::{Counter, LevelState, OptionState, TableState};

    fn data(event: &Bytes) -> serde_json::Value {
        let text = std::str::from_utf8(event).unwrap();
        let (_, data) = text.trim_end().split_once("\ndata: ").unwrap();
        assert!(!data.contains('\n'));
        serde_json::from_str(data).unwrap()
    }

    fn published(numbers: &[u64]) -> PublishedState {
        let table = |number: &u64| TableState {
            number: *number,
            smallest_key_prefix: b"<i>".to_vec(),
            ..TableState::default()
        };
        PublishedState {
            levels: vec![LevelState { level: 0, tables: numbers.iter().map(table).collect() }],
            options: vec![OptionState {
                name: "a\"b".to_owned(),
                value: "</script>\n".to_owned(),
                default: "1".to_owned(),
            }],
            ..PublishedState::default()
        }
    }

    #[test]
    fn a_second_is_told_once_it_is_over_and_a_tree_when_it_is_new() {
        let registry = Registry::new("or\"ders\n");
        registry.publish(published(&[1]));
        let book = Book::new(Arc::clone(&registry));
        let look = || book.look(&Process::default(), "{\"streams\":0}");
        look();
        assert!(book.latest().second.is_empty());
        registry.recorder().add(Counter::GetOperations, 5);
        look();
        let first = book.latest();
        let second = data(&first.second);
        assert_eq!(second["database"], "or\"ders\n");
        assert_eq!(second["now"]["db_get_operations_total"][0], 5.0);
        assert!(second["now"]["db_set_operations_total"].is_null());
        assert_eq!(second["exporter"]["streams"], 0);
        let tree = data(&first.tree);
        assert_eq!(tree["levels"][0]["tables"][0][0], 1);
        assert_eq!(tree["levels"][0]["tables"][0][4], "3c693e");
        assert_eq!(tree["options"]["a\"b"], "</script>\n");
        assert_eq!(tree["option_defaults"]["a\"b"], "1");
        look();
        assert_eq!(book.latest().tree_number, first.tree_number);
        registry.publish(published(&[1, 2]));
        look();
        let newest = book.latest();
        assert_eq!(newest.tree_number, first.tree_number + 1);
        assert_eq!(data(&newest.tree)["edit"]["added"][0][1], 2);
    }

    #[test]
    fn the_document_has_the_labels_the_rows_and_the_changes() {
        let registry = Registry::new("orders");
        let book = Book::new(Arc::clone(&registry));
        let document: serde_json::Value = serde_json::from_str(&book.document(ROWS)).unwrap();
        assert!(document["tree"].is_null(), "nobody has looked yet");
        for number in 0..5 {
            registry.recorder().add(Counter::SetOperations, number);
            registry.publish(published(&[number]));
            book.look(&Process::default(), "{}");
        }
        let document: serde_json::Value = serde_json::from_str(&book.document(ROWS)).unwrap();
        assert_eq!(document["at"].as_array().unwrap().len(), 4);
        assert_eq!(document["columns"]["db_set_operations_total"], serde_json::json!([1, 2, 3, 4]));
        assert_eq!(document["labels"]["db_get_results_total"]["result"][2], "miss");
        assert_eq!(document["edits"].as_array().unwrap().len(), 4);
        // What was announced after the last look is no part of the changes, and so of the tree that they lead to.
        registry.publish(published(&[4, 5]));
        let later: serde_json::Value = serde_json::from_str(&book.document(ROWS)).unwrap();
        assert_eq!(later["edits"], document["edits"]);
        let tables = later["tree"]["levels"][0]["tables"].as_array().unwrap();
        assert_eq!((tables.len(), tables[0][0].as_u64()), (1, Some(4)));
        assert_eq!(later["edits"][3]["added"][0][1], tables[0][0]);
        let two: serde_json::Value = serde_json::from_str(&book.document(2)).unwrap();
        assert_eq!(two["columns"]["db_set_operations_total"], serde_json::json!([3, 4]));
    }
}
