//! The last 15 minutes, and the stream that goes on with them.

use crate::client::{connect, get};
use crate::fixture;
use bettong_exporter::Exporter;
use bettong_metrics::{Counter, Histogram, Registry};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events of a stream as they come: name and data.
struct Stream(BufReader<std::net::TcpStream>);

impl Stream {
    fn open(address: SocketAddr, path: &str) -> Self {
        let mut stream = connect(address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    fn next(&mut self) -> (String, Value) {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(event) = line.strip_prefix("event: ") {
                event.trim_end().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (name, serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[test]
fn rows_come_without_anybody_asking_and_add_up_to_what_happened() {
    let registry = Registry::new("orders");
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let mut sets = 0;
    while began.elapsed() < Duration::from_millis(3_500) {
        registry.recorder().add(Counter::SetOperations, 10);
        registry.recorder().record(Histogram::SetLatency, 5_000);
        sets += 10;
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1_100));
    let history = get(&server, "/api/v1/history").json();
    let column = |name: &str| -> Vec<f64> {
        history["columns"][name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let rows = history["at"].as_array().unwrap().len();
    assert!((3..=6).contains(&rows), "{rows} rows");
    // What was set before the first look belongs to no row.
    let counted: f64 = column("db_set_operations_total").iter().sum();
    assert!(counted <= f64::from(sets) && counted >= f64::from(sets) * 0.9, "{counted} of {sets}");
    let heat = history["heat"]["set"].as_array().unwrap();
    let observed: u64 = heat
        .iter()
        .flat_map(|row| row.as_array().unwrap().chunks(2))
        .map(|pair| pair[1].as_u64().unwrap())
        .sum();
    assert!((observed as f64 - counted / 10.0).abs() < 1e-9, "{observed} latencies of {counted} sets");
    let medians = column("db_set_latency_seconds{quantile=\"0.5\"}");
    assert!(medians.iter().any(|median| (median - 5e-6).abs() < 5e-8), "{medians:?}");
    for (asked, most) in [(1, 1), (2, 2), (900, rows)] {
        let part = get(&server, &format!("/api/v1/history?seconds={asked}")).json();
        assert!(part["at"].as_array().unwrap().len() <= most.max(rows.min(asked)));
    }
}

#[test]
fn wrong_questions_are_told_apart() {
    let server = Exporter::new(fixture::filled("orders")).listen("127.0.0.1:0").unwrap();
    for path in [
        "history?seconds=0",
        "history?seconds=901",
        "history?seconds=x",
        "history?db=stock",
        "history?limit=1",
        "live?db=stock",
        "live?seconds=1",
    ] {
        let answer = get(&server, &format!("/api/v1/{path}"));
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["parameter"].is_string(), "{path}");
    }
}

#[test]
fn a_stream_begins_with_the_tree_and_tells_each_second_once() {
    let registry = fixture::filled("orders");
    let server = Exporter::new(Arc::clone(&registry))
        .with(fixture::filled("a<b>\n\"c\""))
        .listen("127.0.0.1:0")
        .unwrap();
    let mut one = Stream::open(server.local_addr(), "/api/v1/live?db=orders");
    let (name, tree) = one.next();
    assert_eq!((name.as_str(), &tree["database"]), ("tree", &"orders".into()));
    assert_eq!(tree["levels"][0]["tables"][0], serde_json::json!([12, 2048, 40, 3, "6170706c65", "ff0022"]));
    assert_eq!(tree["value_files"][0], serde_json::json!([11, 4096, 1000, 2, "candidate"]));
    let mut last = 0.0;
    for _ in 0..2 {
        registry.recorder().add(Counter::GetOperations, 7);
        let (name, second) = one.next();
        assert_eq!((name.as_str(), &second["database"]), ("second", &"orders".into()));
        let at = second["at"].as_f64().unwrap();
        assert!(at > last);
        last = at;
        assert!(second["now"]["db_get_operations_total"][0].as_f64().unwrap() >= 1_000.0);
        assert_eq!(second["now"]["db_get_results_total"], serde_json::json!([900, 0, 100]));
        assert!(second["activity"]["jobs"]["running"].is_array());
        assert!(second["exporter"]["requests"]["stream"].is_number());
    }
    // Both databases are in the stream of all; the same second has the same bytes for everybody.
    let (mut two, mut three) = (
        Stream::open(server.local_addr(), "/api/v1/live"),
        Stream::open(server.local_addr(), "/api/v1/live"),
    );
    let names: Vec<_> = (0..4).map(|_| two.next().1["database"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"orders".to_owned()) && names.contains(&"a<b>\n\"c\"".to_owned()), "{names:?}");
    let seconds = |stream: &mut Stream| -> Vec<String> {
        let events = (0..10).map(|_| stream.next());
        events.filter(|(name, _)| name == "second").map(|(_, data)| data.to_string()).collect()
    };
    let (left, right) = (seconds(&mut two), seconds(&mut three));
    assert!(left.iter().any(|second| right.contains(second)));
}

#[test]
fn a_router_of_an_application_keeps_books_from_the_first_question_on() {
    let exporter = Exporter::new(fixture::filled("orders"));
    let router = axum_of(&exporter);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let ask = |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            crate::client::exchange(address, &request)
        };
        let page = ask("/db/dashboard");
        assert!(page.body.contains("href=\"dashboard/app.css\""));
        assert_eq!(ask("/db/dashboard/app.css").status, 200);
        assert_eq!(ask("/db/api/v1/history").json()["at"].as_array().unwrap().len(), 0);
        std::thread::sleep(Duration::from_millis(2_300));
        ask("/db/api/v1/history").json()["at"].as_array().unwrap().len()
    });
    let rows = runtime.block_on(async move {
        let serve = tokio::spawn(async move { axum::serve(listener, router).await });
        let rows = tokio::task::spawn_blocking(move || asked.join().unwrap()).await.unwrap();
        serve.abort();
        rows
    });
    assert!((1..=3).contains(&rows), "{rows}");
}

fn axum_of(exporter: &Exporter) -> axum::Router {
    axum::Router::new().nest("/db", exporter.router())
}
