//! Two databases of one program behind one address, told apart by the label `db`.
//!
//! ```text
//! cargo run -p bettong-exporter --example two_databases
//! cargo run -p bettong-exporter --example two_databases -- --stay     until Ctrl-C
//! ```
#![expect(clippy::print_stdout, reason = "it is an example")]

mod support;

use bettong::{Db, Options};
use bettong_exporter::Exporter;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let dir = tempfile::tempdir()?;
    // Without a name of its own a database has that of its directory.
    let orders = Db::open(dir.path().join("orders"), Options::default())?;
    let stock = Db::open(dir.path().join("stock"), Options::default())?;
    let server = Exporter::new(orders.metrics()).with(stock.metrics()).listen("127.0.0.1:0")?;
    let address = server.local_addr();
    println!("http://{address}/metrics");

    (0..300_u32).try_for_each(|n| orders.set(n.to_be_bytes(), b"sold"))?;
    (0..70_u32).try_for_each(|n| stock.set(n.to_be_bytes(), b"there"))?;

    let text = support::ask(address, "GET /metrics", "")?;
    let shown = support::lines(&text, &["db_set_operations_total"]);
    print!("{shown}");
    for line in ["{db=\"orders\"} 300\n", "{db=\"stock\"} 70\n"] {
        assert!(shown.contains(line), "{shown}");
    }
    let one = support::ask(address, "GET /api/v1/performance?db=stock", "")?;
    assert!(one.contains("\"database\":\"stock\"") && !one.contains("orders"), "{one}");
    println!("{}…", one.chars().take(72).collect::<String>());

    support::stay_if_asked()?;
    server.stop();
    orders.close()?;
    stock.close()?;
    Ok(())
}
