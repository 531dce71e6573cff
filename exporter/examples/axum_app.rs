//! A service with routes of its own, a database, and the exporter below `/db`.
//!
//! ```text
//! cargo run -p bettong-exporter --example axum_app
//! cargo run -p bettong-exporter --example axum_app -- --stay     until Ctrl-C
//! ```
//! The limits on connections, headers and names are those of the service's server; the rest is the exporter's.
#![expect(clippy::print_stdout, reason = "it is an example")]

mod support;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use bettong::{Db, Options};
use bettong_exporter::Exporter;
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome {
    let dir = tempfile::tempdir()?;
    let db = Db::open(dir.path(), Options::default().name("orders"))?;
    let app = Router::new()
        .route("/orders/{id}", get(read).put(write))
        .with_state(db.clone())
        .nest("/db", Exporter::new(db.metrics()).router());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(app));
    // First whatever still runs there ends, then the database.
    drop(runtime);
    db.close()?;
    outcome
}

async fn serve(app: Router) -> Outcome {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("http://{address}/orders/1  http://{address}/db/metrics");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        // An error is a sender that was dropped, which means the same.
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    let outcome = tokio::task::spawn_blocking(move || try_out(address)).await?;
    drop(stop);
    // Requests under way are answered. A stream of `/db/events` ends with its client only: nobody waits for it for long.
    if let Ok(ended) = tokio::time::timeout(Duration::from_secs(5), server).await {
        ended??;
    }
    outcome
}

/// A read may go to the disk, and a write waits for it: such work belongs on threads that may wait.
async fn read(State(db): State<Db>, Path(id): Path<String>) -> Result<Vec<u8>, (StatusCode, String)> {
    let found = tokio::task::spawn_blocking(move || db.get(id)).await.map_err(failed)?.map_err(failed)?;
    found.map(|value| value.to_vec()).ok_or_else(|| (StatusCode::NOT_FOUND, "no such order\n".to_owned()))
}

async fn write(
    State(db): State<Db>,
    Path(id): Path<String>,
    order: Bytes,
) -> Result<&'static str, (StatusCode, String)> {
    tokio::task::spawn_blocking(move || db.set(id, order)).await.map_err(failed)?.map_err(failed)?;
    Ok("stored\n")
}

fn failed(error: impl std::error::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}

/// The service's first client.
fn try_out(address: SocketAddr) -> Outcome {
    let stored = support::ask(address, "PUT /orders/1", "two wombats")?;
    let order = support::ask(address, "GET /orders/1", "")?;
    println!("  {}, and read: {order}", stored.trim_end());
    assert_eq!(order, "two wombats");
    assert!(support::ask(address, "GET /orders/2", "").is_err(), "nobody stored it");

    let text = support::ask(address, "GET /db/metrics", "")?;
    let shown = support::lines(&text, &["db_set_operations_total", "db_get_results_total"]);
    print!("{shown}");
    for line in ["db_set_operations_total{db=\"orders\"} 1\n", "{db=\"orders\",result=\"miss\"} 1\n"] {
        assert!(shown.contains(line), "{shown}");
    }
    println!("{}", support::ask(address, "GET /db/readyz", "")?.trim_end());
    support::stay_if_asked()
}
