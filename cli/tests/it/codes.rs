//! Exit codes, and what is said with them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use crate::tool::{Place, arg, command, pairs, run, run_with};

#[test]
fn wrong_usage_is_2() {
    let place = Place::new();
    run(["no-such-command"]).expect(2);
    run(["get", "k"]).expect(2);
    let bad = place.run(&["set", "--format", "hex", "xyz", "00"]).expect(2);
    assert!(bad.stderr.contains("KEY: 'x' is no hexadecimal digit"), "{bad:?}");
    let empty = place.run(&["set", "", "v"]).expect(2);
    assert!(empty.stderr.contains("the key is empty"), "{empty:?}");
    run(["bench", "--workload", "no-such-workload"]).expect(2);
    run(["bench", "--workload", "fillseq", "--memtable-bytes", "1"]).expect(2);
}

#[test]
fn a_place_without_a_database_is_3() {
    let place = Place::new();
    for name in ["get", "scan", "count", "export", "stats", "verify", "repair", "compact", "gc"] {
        let args = if name == "get" { vec![name, "k"] } else { vec![name] };
        place.run(&args).expect(3);
    }
    place.run(&["import", arg(&place.path("no-such-file"))]).expect(3);
}

#[test]
fn a_flipped_byte_is_4() {
    let place = Place::new();
    let lines = pairs(1000);
    run_with(["import", "-d", arg(&place.db()), "-"], lines.as_bytes()).expect(0);
    assert!(place.run(&["verify"]).expect(0).text().starts_with("sound"));
    let table = place.tables().pop().unwrap();
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x10;
    fs::write(&table, bytes).unwrap();
    let found = place.run(&["verify"]).expect(4);
    assert!(found.text().contains("damaged  ") && found.text().contains(".sst"), "{found:?}");
    assert!(found.text().contains("1 fault"), "{found:?}");
    let json = place.run(&["verify", "--json"]).expect(4).json();
    assert_eq!(json["sound"], false);
    assert!(json["faults"][0]["path"].as_str().unwrap().contains(".sst"), "{json}");
    place.run(&["count"]).expect(4);
}

/// F17, F45: a repair says what it would do, does it, and says what was lost.
#[test]
fn a_repair_makes_a_damaged_database_open_again() {
    let place = Place::new();
    let lines = pairs(1000);
    run_with(["import", "-d", arg(&place.db()), "-"], lines.as_bytes()).expect(0);
    assert!(place.run(&["repair"]).expect(0).text().starts_with("sound"));
    let current = fs::read(place.db().join("CURRENT")).unwrap();
    fs::write(place.db().join("CURRENT"), "rubbish").unwrap();
    assert!(place.run(&["verify"]).expect(4).text().contains("CURRENT is damaged"));
    place.run(&["count"]).expect(4);
    assert!(place.run(&["repair", "--dry-run"]).expect(0).text().contains("would be repaired"));
    assert_ne!(fs::read(place.db().join("CURRENT")).unwrap(), current);
    place.run(&["repair"]).expect(0);
    assert_eq!(fs::read(place.db().join("quarantine/CURRENT")).unwrap(), b"rubbish");
    assert_eq!(place.run(&["count"]).expect(0).text().trim(), "1000");

    let table = place.tables().pop().unwrap();
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x10;
    fs::write(&table, bytes).unwrap();
    let json = place.run(&["repair", "--json"]).expect(4).json();
    let lost = json["losses"][0]["entries"].as_u64().unwrap();
    assert!(lost > 0 && lost < 1000, "{json}");
    assert_eq!(place.run(&["count"]).expect(0).text().trim(), (1000 - lost).to_string());
    assert!(place.run(&["verify"]).expect(0).text().starts_with("sound"));
}

#[test]
fn a_database_that_is_open_elsewhere_is_5() {
    let place = Place::new();
    let mut demo = command();
    demo.args(["demo", "--seconds", "60", "--headless", "--listen", "127.0.0.1:0", "--rate", "100", "--dir"]);
    demo.arg(place.db()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = demo.spawn().unwrap();
    // The first line comes when the database is open.
    let mut lines = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let locked = place.run(&["get", "k"]);
    demo.kill().unwrap();
    demo.wait().unwrap();
    let locked = locked.expect(5);
    assert!(locked.stderr.contains(&format!("process {}", demo.id())), "{locked:?}");
    // It was killed, so what comes next is a recovery.
    let stats = place.run(&["stats"]).expect(0);
    assert!(stats.text().contains("not closed"), "{stats:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let place = Place::new();
    let lines = pairs(50_000);
    run_with(["import", "-d", arg(&place.db()), "-"], lines.as_bytes()).expect(0);
    let mut scan = command();
    scan.arg("scan").arg("-d").arg(place.db()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut scan = scan.spawn().unwrap();
    let mut first = [0; 5];
    scan.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = scan.wait_with_output().unwrap();
    assert_eq!((first, output.status.code(), output.stderr), (*b"00000", Some(0), vec![]));
}
