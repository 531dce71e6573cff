//! The example of the README; a test runs it and compares the two.
#![expect(clippy::print_stdout, reason = "it is an example")]

use bettong::{Db, Options, WriteBatch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Db::open("data", Options::default())?;
    db.set(b"user:1", b"Ada")?;
    let mut batch = WriteBatch::new();
    batch.set(b"user:2", b"Grace");
    batch.delete(b"user:1");
    db.write(batch)?; // all of it or nothing
    for item in db.prefix(b"user:") {
        let item = item?;
        println!("{:?} = {:?}", item.key(), item.value()?);
    }
    println!("{}", db.stats()); // latencies, levels, write amplification
    Ok(())
}
