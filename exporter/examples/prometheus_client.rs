//! A program with metrics of its own in the crate `prometheus-client`, and its database's beside them.
//!
//! ```text
//! cargo run -p bettong-exporter --features prometheus-client --example prometheus_client
//! cargo run -p bettong-exporter --features prometheus-client --example prometheus_client -- --stay     until Ctrl-C
//! ```
//! The program's own server shows both: none of the exporter's is needed.
#![expect(clippy::print_stdout, reason = "it is an example")]

mod support;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bettong::{Db, Options};
use bettong_exporter::bridges::BettongCollector;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What the server says that it sends.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn main() -> Outcome {
    let dir = tempfile::tempdir()?;
    let db = Db::open(dir.path(), Options::default().name("orders"))?;

    let visits: Counter = Counter::default();
    let mut registry = Registry::default();
    registry.register("shop_visits", "Visits of the shop", visits.clone());
    registry.register_collector(Box::new(BettongCollector::new(db.metrics()).with_process()));

    for visit in 0..40_u32 {
        visits.inc();
        db.set(visit.to_be_bytes(), b"hello")?;
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(Arc::new(registry)));
    drop(runtime);
    db.close()?;
    outcome
}

async fn serve(registry: Arc<Registry>) -> Outcome {
    let metrics = move || async move {
        let mut text = String::new();
        let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
        encode(&mut text, &registry).map(|()| ([(CONTENT_TYPE, OPEN_METRICS)], text)).map_err(failed)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("http://{address}/metrics");
    let app = Router::new().route("/metrics", get(metrics));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let outcome = tokio::task::spawn_blocking(move || try_out(address)).await?;
    server.abort();
    outcome
}

fn try_out(address: SocketAddr) -> Outcome {
    let text = support::ask(address, "GET /metrics", "")?;
    let begins = ["shop_visits", "# TYPE db_set_operations ", "db_set_operations_total", "process_threads"];
    let shown = support::lines(&text, &begins);
    print!("{shown}");
    for line in ["shop_visits_total 40\n", "db_set_operations_total{db=\"orders\"} 40\n"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(text.ends_with("# EOF\n"), "the text is whole");
    support::stay_if_asked()
}
