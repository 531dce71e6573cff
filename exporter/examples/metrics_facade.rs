//! A program that counts through the crate `metrics`, and a database: both ways in which they meet.
//!
//! ```text
//! cargo run -p bettong-exporter --features metrics --example metrics_facade
//! cargo run -p bettong-exporter --features metrics --example metrics_facade -- --stay     until Ctrl-C
//! ```
//! 1. The program has no recorder: `FacadeRecorder` is one, and the exporter shows what the program counts.
//! 2. It has one already, here one that prints: `FacadePublisher` hands it what the database measures.
#![expect(clippy::print_stdout, reason = "it is an example")]

mod support;

use bettong::{Db, Options};
use bettong_exporter::Exporter;
use bettong_exporter::bridges::{FacadePublisher, FacadeRecorder};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let dir = tempfile::tempdir()?;
    let db = Db::open(dir.path(), Options::default().name("orders"))?;

    // 1. Once, when the program begins. Descriptions come before the first use.
    metrics::set_global_recorder(FacadeRecorder::new(db.metrics())).map_err(|error| error.to_string())?;
    metrics::describe_counter!("shop.visits", "Visits of the shop");
    metrics::describe_histogram!("shop.render", Unit::Seconds, "Time to render a page");
    // Anywhere.
    for visit in 0..40_u32 {
        metrics::counter!("shop.visits", "page" => "start").increment(1);
        metrics::histogram!("shop.render").record(Duration::from_millis(3));
        db.set(visit.to_be_bytes(), b"hello")?;
    }
    let server = Exporter::new(db.metrics()).listen("127.0.0.1:0")?;
    println!("http://{}/metrics", server.local_addr());
    let text = support::ask(server.local_addr(), "GET /metrics", "")?;
    let shown = support::lines(&text, &["shop_visits_total", "shop_render_seconds_count"]);
    print!("{shown}");
    for line in [
        "shop_visits_total{db=\"orders\",page=\"start\"} 40\n",
        "shop_render_seconds_count{db=\"orders\"} 40\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }

    // 2. Now, on this thread. A program with a recorder of its own has `publisher.every(Duration::from_secs(10))`.
    let printer = Printer::default();
    let publisher = FacadePublisher::new(db.metrics());
    metrics::with_local_recorder(&printer, || publisher.publish());
    assert_eq!(printer.0.load(Ordering::Relaxed), 40);

    support::stay_if_asked()?;
    server.stop();
    db.close()?;
    Ok(())
}

/// A recorder that prints one counter, and keeps its value.
#[derive(Default)]
struct Printer(Arc<AtomicU64>);

struct Line {
    key: Key,
    value: Arc<AtomicU64>,
}

impl CounterFn for Line {
    fn increment(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        println!("  {} is {value}", self.key);
        self.value.fetch_max(value, Ordering::Relaxed);
    }
}

impl Recorder for Printer {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() != "db_set_operations_total" {
            return Counter::noop();
        }
        Counter::from_arc(Arc::new(Line { key: key.clone(), value: Arc::clone(&self.0) }))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
