//! A handful of kills, without root and on any machine. `tests/README.md` tells of the rest.
#![expect(clippy::unwrap_used, reason = "a test that fails may fail anywhere")]

use std::path::Path;
use std::process::{Command, Output};

fn stress(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bettong-stress")).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// G1, G2, G3, F50, F74.
#[test]
fn g2_g3_f50_f74_a_killed_writer_leaves_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for durability in ["mixed", "sync", "os", "none"] {
        let output = stress(&[
            "kill-loop",
            "--dir",
            path,
            "--cycles",
            "10",
            "--seed",
            "1",
            "--durability",
            durability,
        ]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("\"bad\":0"), "{}", said(&output));
    }
}

/// The verifier is no use if it does not notice: a ledger that promises more than there is, and a log cut short.
#[test]
fn g2_the_verifier_notices_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (db, ledger) = (path("db"), path("ledger"));
    let trial = ["--dir", &db, "--ledger", &ledger, "--seed", "5", "--threads", "1"];
    let run = |command: &str, more: &[&str]| stress(&[&[command], &trial[..], more].concat());
    let output = run("write", &["--commits", "300"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(run("verify", &[]).status.success());
    promise(Path::new(&ledger), 400);
    let output = run("verify", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("no state after 400 to 400 commits"), "{}", said(&output));
}

/// Writes that so many commits were begun and are durable.
fn promise(ledger: &Path, commits: u64) {
    let mut bytes = std::fs::read(ledger).unwrap();
    for count in 0..3 {
        bytes.splice(count * 8..count * 8 + 8, commits.to_le_bytes());
    }
    std::fs::write(ledger, bytes).unwrap();
}
