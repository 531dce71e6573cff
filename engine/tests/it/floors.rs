//! The house rules that no linter knows: floors, file headers, no left-overs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 6] = ["metrics-core", "engine", "exporter", "paired", "cli", "simulator"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every `.rs` file below `dir`.
pub(crate) fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The module path of a file below a crate's `src`: `src/log/writer.rs` is `["log", "writer"]`.
fn module_of(src: &Path, file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(src).unwrap().with_extension("");
    let mut parts: Vec<String> = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// The children that each module declares, in order.
fn floors(src: &Path) -> HashMap<Vec<String>, Vec<String>> {
    let mut floors = HashMap::new();
    for file in sources(src) {
        let declared = fs::read_to_string(&file).unwrap();
        let names = declared.lines().filter_map(|line| {
            let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
        });
        floors.entry(module_of(src, &file)).or_insert_with(Vec::new).extend(names);
    }
    floors
}

/// The paths that a file names: what follows `crate::`, up to where it stops being a module.
fn named_paths(text: &str) -> Vec<Vec<String>> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut paths = Vec::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let path: String = rest.chars().take_while(|c| word(*c)).collect();
            paths.push(path.split("::").map(str::to_owned).collect());
        }
    }
    paths
}

/// Whether a module may name another: where their paths part, the other's must be declared earlier.
fn allowed(floors: &HashMap<Vec<String>, Vec<String>>, from: &[String], to: &[String]) -> bool {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let Some(siblings) = floors.get(&from[..shared]) else {
        return true;
    };
    let place =
        |path: &[String]| path.get(shared).and_then(|name| siblings.iter().position(|other| other == name));
    match (place(from), place(to)) {
        (Some(from), Some(to)) => to < from,
        // A parent names its children, and a path that ends at no module is a name of the parent's own.
        _ => true,
    }
}

#[test]
fn a_module_names_only_what_is_declared_above_it() {
    let mut faults = Vec::new();
    for name in CRATES {
        let src = root().join(name).join("src");
        let floors = floors(&src);
        for file in sources(&src) {
            let from = module_of(&src, &file);
            if from.is_empty() || from.last().is_some_and(|last| last == "tests") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for to in named_paths(text) {
                if !allowed(&floors, &from, &to) {
                    faults.push(format!("{name}: {} names {}", from.join("::"), to.join("::")));
                }
            }
        }
    }
    assert!(faults.is_empty(), "modules that name what lies above them:\n{}", faults.join("\n"));
}

#[test]
fn the_test_of_the_floors_notices_a_module_that_looks_up() {
    let floors = HashMap::from([(vec![], vec!["low".to_owned(), "high".to_owned()])]);
    let (low, high) = (["low".to_owned()], ["high".to_owned(), "Thing".to_owned()]);
    assert!(!allowed(&floors, &low, &high));
    assert!(allowed(&floors, &high, &low));
    assert_eq!(named_paths("use crate::high::Thing;"), [["high", "Thing"]]);
}

#[test]
fn the_exporter_does_not_know_the_engine() {
    let manifest = fs::read_to_string(root().join("exporter/Cargo.toml")).unwrap();
    // Its examples are applications, which know both.
    let (needed, _) = manifest.split_once("[dev-dependencies]").unwrap();
    assert!(!needed.lines().any(|line| line.starts_with("bettong.") || line.starts_with("bettong ")));
}

#[test]
fn every_file_says_what_it_owns_and_none_has_left_overs() {
    for name in CRATES {
        for file in sources(&root().join(name).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let shown = file.display();
            if !file.ends_with("tests.rs") {
                assert!(text.starts_with("//!"), "{shown} does not open with //!");
            }
            for (at, line) in text.lines().enumerate() {
                let line = line.trim();
                let commented = line.starts_with("// ") && (line.ends_with(';') || line.ends_with('{'));
                assert!(!commented, "{shown}:{}: code commented out: {line}", at + 1);
                for word in ["TODO", "FIXME", "XXX"] {
                    assert!(!line.contains(word), "{shown}:{}: {word}", at + 1);
                }
            }
        }
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for name in CRATES {
        for file in sources(&root().join(name).join("src")) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: look for the second noun in it", file.display());
        }
    }
}

/// F96: no lock of the engine can be poisoned by a panic; elsewhere who takes one that can be goes on in spite of it.
#[test]
fn f96_a_poisoned_lock_stops_nobody() {
    let poisonable = ["Mutex", "RwLock", "Condvar"];
    for name in CRATES {
        for file in sources(&root().join(name).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            let imports = text.lines().filter(|line| line.starts_with("use std::sync::"));
            let taken = imports.clone().any(|line| poisonable.iter().any(|lock| line.contains(lock)));
            let tests_only = text.contains("#![cfg(test)]")
                || file.ends_with("tests.rs")
                || file.components().any(|part| part.as_os_str() == "fuzzing");
            assert!(
                !taken || tests_only || (name != "engine" && text.contains("PoisonError")),
                "{}",
                file.display()
            );
        }
    }
}
