//! A database in a program, and its metrics over HTTP: three lines.
//!
//! ```text
//! cargo run -p bettong-exporter --example embed
//! cargo run -p bettong-exporter --example embed -- --stay     until Ctrl-C, for a look with a browser
//! ```
#![expect(clippy::print_stdout, reason = "it is an example")]

mod support;

use bettong::{Db, Options};
use bettong_exporter::Exporter;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let dir = tempfile::tempdir()?;
    let db = Db::open(dir.path(), Options::default().name("orders"))?;

    // On a port that is free. A program that is scraped has one that is known: 127.0.0.1:9464.
    let server = Exporter::new(db.metrics()).listen("127.0.0.1:0")?;
    let address = server.local_addr();
    println!("http://{address}/metrics");

    for order in 0..10_000_u32 {
        db.set(order.to_be_bytes(), format!("order {order}"))?;
    }
    for order in 0..10_000_u32 {
        assert!(db.get(order.to_be_bytes())?.is_some());
    }

    let text = support::ask(address, "GET /metrics", "")?;
    let shown = support::lines(&text, &["db_set_operations_total", "db_get_operations_total"]);
    print!("{shown}");
    assert!(shown.contains("db_set_operations_total{db=\"orders\"} 10000\n"), "{shown}");
    println!("{}", support::ask(address, "GET /readyz", "")?.trim_end());

    support::stay_if_asked()?;
    server.stop();
    db.close()?;
    Ok(())
}
