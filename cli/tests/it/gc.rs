//! Value files: collected, and only looked at.

use std::path::PathBuf;

use crate::tool::{Place, arg, run};

/// A database of 2 MiB of live values, in which a bench left garbage.
fn churned(place: &Place) -> PathBuf {
    let dir = place.path("runs");
    let sizes = ["--value-size", "8KiB", "--live-bytes", "2MiB", "--write-bytes", "4MiB"];
    // A ceiling that is out of reach: the garbage stays.
    let options = ["--memtable-bytes", "256KiB", "--max-space-amplification", "100", "--dir", arg(&dir)];
    run(["bench", "-w", "churn", "-q"].into_iter().chain(sizes).chain(options)).expect(0);
    dir.join("churn")
}

#[test]
fn a_dry_run_says_what_would_become_of_each_file_and_gc_collects_them() {
    let place = Place::new();
    let db = churned(&place);
    let dry = |ceiling| {
        let options = ["--max-space-amplification", ceiling, "--memtable-bytes", "256KiB"];
        run(["gc", "-d", arg(&db), "--dry-run", "--json"].into_iter().chain(options)).expect(0).json()
    };
    let high = dry("50");
    assert_eq!(
        (&high["schema_version"], &high["dry_run"], &high["ceiling"]),
        (&1.into(), &true.into(), &50.0.into())
    );
    let files = high["files"].as_array().unwrap();
    let sum = |member: &str| files.iter().map(|file| file[member].as_u64().unwrap()).sum::<u64>();
    let totals = &high["totals"];
    assert_eq!(totals["files"], files.len());
    for member in ["bytes", "live_bytes", "live_entries"] {
        assert_eq!(totals[member], sum(member), "{member}: {high}");
    }
    assert!(high["space_amplification"].as_f64().unwrap() > 1.2, "{high}");
    assert!(files.iter().all(|file| file["standing"] != "candidate" && file["why"].is_string()), "{high}");
    assert!(high["holders"].as_array().unwrap().is_empty());
    // Looking changes nothing, whatever the ceiling is.
    let low = dry("1.1");
    assert!(low["totals"]["candidates"].as_u64().unwrap() > 0, "{low}");
    let next = |file: &serde_json::Value| file["why"].as_str().unwrap().starts_with("next");
    let files = low["files"].as_array().unwrap();
    assert!(files.iter().all(|file| next(file) == (file["standing"] == "candidate")), "{low}");
    assert_eq!((&low["totals"]["bytes"], &low["ceiling"]), (&totals["bytes"], &1.1.into()));
    assert_eq!(dry("50")["files"], high["files"]);

    let report = run(["gc", "-d", arg(&db), "--json"]).expect(0).json();
    assert_eq!((&report["dry_run"], &report["bytes_before"]), (&false.into(), &totals["bytes"]));
    let number = |member: &str| report[member].as_u64().unwrap_or_else(|| panic!("{member}: {report}"));
    assert_eq!(number("freed_bytes"), number("bytes_before") - number("bytes_after"), "{report}");
    assert!(
        number("moved_entries") > 0 && number("moved_bytes") > 0 && number("pinned_files") == 0,
        "{report}"
    );
    let after = dry("1.1");
    assert_eq!(
        (&after["totals"]["live_entries"], &after["totals"]["bytes"]),
        (&256.into(), &report["bytes_after"])
    );
    assert!(after["totals"]["garbage_ratio"].as_f64().unwrap() < 0.0625, "{after}");
    run(["verify", "-d", arg(&db)]).expect(0);
}

#[test]
fn people_get_lines_with_reasons() {
    let place = Place::new();
    let db = churned(&place);
    let text = run(["gc", "-d", arg(&db), "--dry-run", "--bytes"]).expect(0);
    for part in [
        ".val",
        "standing",
        "why",
        "less than a log segment",
        "are live and",
        "bytes of disk per live byte, the ceiling is 1.5",
    ] {
        assert!(text.text().contains(part), "{part}: {text:?}");
    }
    let stats = run(["stats", "-d", arg(&db)]).expect(0);
    for part in ["Value files", ".val", "are live and"] {
        assert!(stats.text().contains(part), "{part}: {stats:?}");
    }
    let collected = run(["gc", "-d", arg(&db)]).expect(0);
    for part in ["value files →", "given back", "were moved"] {
        assert!(collected.text().contains(part), "{part}: {collected:?}");
    }
}

#[test]
fn a_database_without_value_files_has_nothing_to_collect() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    assert!(place.run(&["gc", "--dry-run"]).expect(0).text().starts_with("no value files"));
    assert_eq!(place.run(&["gc", "--json"]).expect(0).json()["freed_bytes"], 0);
    let refused = place.run(&["gc", "--max-space-amplification", "2"]).expect(2);
    assert!(refused.stderr.contains("--dry-run"), "{refused:?}");
    place.run(&["gc", "--dry-run", "--max-space-amplification", "0.5"]).expect(2);
}
