#![expect(clippy::disallowed_methods, reason = "the corpora are not files of a database")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::script::{Dice, Script};
use super::seeds;

type Target = fn(&[u8]);

/// Every target, and how many inputs the test makes of each that is committed: fewer where one takes long.
const TARGETS: [(&str, Target, u8); 10] = [
    ("header", super::header, 60),
    ("log", super::log, 60),
    ("manifest", super::manifest, 60),
    ("block", super::block, 60),
    ("filter", super::filter, 60),
    ("table", super::table, 30),
    ("value", super::value, 60),
    ("batch", super::batch, 3),
    ("open", super::open, 3),
    ("history", super::history, 3),
];

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Says which input it was when a target panics.
struct Named<'a>(&'a str, &'a [u8]);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("target {}: {:?}", self.0, self.1);
        }
    }
}

#[test]
fn every_committed_input_passes() {
    for (name, target, _) in TARGETS {
        let inputs = inputs(name);
        assert!(
            (8..=100).contains(&inputs.len()),
            "{name} has {} inputs: from 8 to 100 are of use",
            inputs.len()
        );
        for (path, input) in inputs {
            assert!(input.len() <= 4096, "{} is large: minimise it", path.display());
            let _named = Named(&path.display().to_string(), &input);
            target(&input);
        }
    }
}

/// What a fuzzer does first, for those who run no fuzzer.
#[test]
fn committed_inputs_with_changes_pass() {
    for (name, target, changes) in TARGETS {
        for (_, input) in inputs(name) {
            for change in 0..changes {
                let mut changed = input.clone();
                let noise = seeds::noise(change, 24);
                let mut script = Script::new(&noise);
                (0..=change % 3).for_each(|_| _ = script.damage(&mut changed));
                let _named = Named(name, &changed);
                target(&changed);
            }
        }
    }
}

#[test]
fn the_seeds_are_made_of_files_of_today() {
    let write = std::env::var_os("BETTONG_WRITE_SEEDS").is_some();
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    for (target, input) in seeds::all() {
        let number = numbers.entry(target).or_default();
        *number += 1;
        let path = corpus(target).join(format!("seed-{number:02}"));
        if write {
            fs::create_dir_all(corpus(target)).unwrap();
            fs::write(&path, &input).unwrap();
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(
            committed == input,
            "{} is of another format: BETTONG_WRITE_SEEDS=1 writes it anew",
            path.display()
        );
    }
}

#[test]
fn dice_and_damage_repeat() {
    let (mut a, mut b) = (Dice::new(3), Dice::new(3));
    assert_eq!([a.below(9), a.below(9)], [b.below(9), b.below(9)]);
    let mut file = vec![0; 8];
    assert_eq!(Script::new(&[0, 3, 0, 0xff]).damage(&mut file), 3);
    assert_eq!(file, [0, 0, 0, 0xff, 0, 0, 0, 0]);
}
