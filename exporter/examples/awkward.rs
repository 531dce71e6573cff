//! Two databases with names, keys, labels and messages that a careless page would take for markup, and nothing behind them.
//! The tests of the dashboard look at them.
//!
//! ```text
//! awkward ADDRESS                              a server of the exporter's own
//! awkward ADDRESS TOKEN                        the same, with a token
//! awkward ADDRESS PREFIX USER BCRYPT_HASH      a server of an application, the exporter below PREFIX, with a user
//! ```

use axum::Router;
use bettong_exporter::{Exporter, Secret};
use bettong_metrics::{
    Counter, Event, EventKind, Gauge, LevelState, Operation, OptionState, PublishedState, Registry,
    TableState, ValueFileStanding, ValueFileState,
};
use std::sync::Arc;
use std::time::Duration;

const MARKUP: &str = "<img src=x onerror=\"window.pwned=1\">";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let registries = [MARKUP, "</script><script>window.pwned=1</script>"].map(filled);
    let [one, other] = &registries;
    let exporter = Exporter::new(Arc::clone(one)).with(Arc::clone(other));
    let given: Vec<String> = arguments.collect();
    let _server = match given.as_slice() {
        [] => exporter.listen(address)?,
        [token] => exporter.bearer_token(Secret::new(token.as_str())).listen(address)?,
        [prefix, user, hash] => {
            std::thread::spawn(move || work(&registries));
            let exporter = exporter.basic_auth(user.as_str(), &Secret::new(hash.as_str()))?;
            return mounted(address, Router::new().nest(prefix, exporter.router()));
        }
        _ => return Err("awkward ADDRESS [TOKEN | PREFIX USER BCRYPT_HASH]".into()),
    };
    work(&registries)
}

fn mounted(address: String, app: Router) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        Ok(axum::serve(listener, app).await?)
    })
}

fn work(registries: &[Arc<Registry>]) -> ! {
    let mut number = 10;
    loop {
        number += 1;
        for registry in registries {
            registry.recorder().add(Counter::StorageWrittenBytes.at(0), 4_096);
            drop(registry.recorder().start(Operation::Get));
            registry.publish(state(number));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn filled(name: &str) -> Arc<Registry> {
    let registry = Registry::new(name);
    registry.publish(state(1));
    registry.set_slow_threshold(Duration::ZERO);
    let recorder = registry.recorder();
    recorder.emit(Event::new(EventKind::Corruption).message(MARKUP));
    recorder.set(Gauge::LevelFiles.at(0), 2.0);
    recorder.set(Gauge::LevelBytes.at(0), 4_096.0);
    registry.record_counter("app_markup_total", 3, &[("kind", MARKUP)]);
    registry
}

fn state(number: u64) -> PublishedState {
    let table = |number| TableState {
        number,
        bytes: 2_048,
        entries: 40,
        tombstones: 3,
        smallest_key_prefix: TableState::key_prefix(b"<img src=x onerror=alert(1)>"),
        largest_key_prefix: TableState::key_prefix(b"<svg onload=alert(2)>"),
    };
    let file = ValueFileState {
        number: 7,
        bytes: 8_192,
        live_bytes: 1_024,
        live_entries: 3,
        standing: ValueFileStanding::Pinned,
    };
    PublishedState {
        levels: vec![
            LevelState { level: 0, tables: vec![table(number), table(1_000_000)] },
            LevelState { level: 1, tables: Vec::new() },
        ],
        value_files: vec![file],
        options: vec![OptionState {
            name: MARKUP.to_owned(),
            value: MARKUP.to_owned(),
            default: String::new(),
        }],
        recovery: vec![(MARKUP.to_owned(), MARKUP.to_owned())],
    }
}
