//! `docs/guarantees.md` names a test for every promise and every fault case, and the tests are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::floors::sources;

const FAULT_CASES: usize = 108;
const PROMISES: usize = 12;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names of all functions in all sources: a test that is renamed and not looked up here would be lost.
fn functions() -> BTreeSet<String> {
    let crates = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let folders = crates
        .chain(["engine/shuttle", "engine/loom"].map(|dir| root().join(dir)))
        .flat_map(|dir| [dir.join("src"), dir.join("tests"), dir.join("fuzz_targets")]);
    let files = folders.flat_map(|dir| sources(&dir));
    let texts = files.map(|file| fs::read_to_string(file).unwrap());
    let name = |line: &str| Some(line.trim_start().strip_prefix("fn ")?.split_once('(')?.0.to_owned());
    texts.flat_map(|text| text.lines().filter_map(name).collect::<Vec<_>>()).collect()
}

/// The rows of the tables: their first cell, and the names between backquotes in the last.
fn rows(document: &str) -> Vec<(String, Vec<String>, bool)> {
    let cells = document.lines().filter(|line| line.starts_with("| ")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let names = cells.last().unwrap().split('`').skip(1).step_by(2).map(str::to_owned);
        (cells[0].to_owned(), names.collect(), line.contains("| — "))
    });
    cells.collect()
}

#[test]
fn every_promise_and_every_fault_case_has_its_tests_or_says_why_not() {
    let document = fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let rows = rows(&document);
    let expected = (1..=PROMISES).map(|n| format!("G{n}")).chain((1..=FAULT_CASES).map(|n| format!("F{n}")));
    assert!(rows.iter().map(|(case, ..)| case.clone()).filter(|case| !case.is_empty()).eq(expected));
    let functions = functions();
    for (case, tests, explained) in rows.iter().filter(|(case, ..)| !case.is_empty()) {
        assert!(!tests.is_empty() || *explained, "{case} has neither a test nor a reason");
        for test in tests {
            let is_there =
                if test.contains('/') { root().join(test).exists() } else { functions.contains(test) };
            assert!(is_there, "{case}: there is no {test}");
        }
    }
}
