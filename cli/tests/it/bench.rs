//! The benchmark, small.

use crate::tool::{Place, arg, run};

const NAMES: [&str; 15] = [
    "fillseq",
    "fillrandom",
    "overwrite",
    "readrandom",
    "readmissing",
    "readseq",
    "seekrandom",
    "deletes",
    "readwhilewriting",
    "ycsb-a",
    "ycsb-b",
    "ycsb-c",
    "ycsb-d",
    "ycsb-e",
    "ycsb-f",
];

fn check(report: &serde_json::Value, name: &str, threads: u64) {
    assert_eq!((report["workload"].as_str(), report["threads"].as_u64()), (Some(name), Some(threads)));
    assert_eq!((&report["keys"], &report["value_size"]), (&2000.into(), &100.into()), "{name}");
    let ops = if ["seekrandom", "ycsb-e"].contains(&name) { 200 } else { 2000 };
    assert_eq!((&report["ops"], &report["verified"]), (&ops.into(), &true.into()), "{name}");
    for figure in ["seconds", "ops_per_second", "p50_ns", "p99_ns", "p999_ns", "max_ns", "values_verified"] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{name}: {figure} in {report}");
    }
    for figure in ["write_amplification", "space_amplification", "peak_rss_anon_bytes"] {
        assert!(report[figure].as_f64().is_some(), "{name}: {figure} in {report}");
    }
    assert!(report["ops_per_second"].as_f64().unwrap() < 1e9, "{name}: {report}");
}

#[test]
fn every_workload_runs_with_one_thread_and_with_two() {
    for threads in [1, 2] {
        let count = threads.to_string();
        let args = ["bench", "--workload", "all", "--keys", "2000", "--threads", &count, "--json"];
        let document = run(args).expect(0).json();
        assert_eq!(document["schema_version"], 1);
        let runs = document["runs"].as_array().unwrap();
        assert_eq!(runs.len(), NAMES.len());
        for (report, name) in runs.iter().zip(NAMES) {
            check(report, name, threads);
        }
    }
}

#[test]
fn one_workload_is_one_document_and_options_are_heard() {
    let place = Place::new();
    let common = ["--keys", "500", "--value-size", "1KiB", "--ops", "300", "--json", "--dir"];
    let options =
        ["--sync", "--no-mmap", "--compression", "lz4", "--memtable-bytes", "1MiB", "--cache-bytes", "1MiB"];
    let dir = place.path("runs");
    let args = ["bench", "-w", "overwrite"].into_iter().chain(common).chain([arg(&dir)]).chain(options);
    let report = run(args.clone()).expect(0).json();
    assert_eq!((&report["schema_version"], &report["ops"]), (&1.into(), &300.into()));
    assert_eq!((&report["sync"], &report["mapped_reads"]), (&true.into(), &false.into()));
    assert!(run(args).expect(2).stderr.contains("exists"));
    let kept = dir.join("overwrite");
    assert_eq!(run(["count", "-d", arg(&kept)]).expect(0).text(), "500\n");
}

#[test]
fn people_get_lines() {
    let text = run(["bench", "-w", "readrandom", "--keys", "500", "--bytes"]).expect(0);
    for part in ["readrandom  500 keys × 100 B, 1 thread", "ops/s", "p99.9", "CPU per op", "all right"] {
        assert!(text.text().contains(part), "{part}: {text:?}");
    }
}

#[test]
fn a_level_of_instrumentation_is_heard() {
    for level in ["off", "counters", "sampled", "full"] {
        let args = ["bench", "-w", "overwrite", "--keys", "500", "--json", "--instrumentation", level];
        let report = run(args).expect(0).json();
        assert_eq!(report["instrumentation"], level);
        let absent = |member: &str| report.get(member).is_none();
        assert!(absent("overhead_ratio") && absent("noise_ratio") && absent("sampling_interval"), "{report}");
        assert_eq!((absent("write_amplification"), absent("stalls")), (level == "off", level == "off"));
    }
    assert!(
        run(["bench", "-w", "fillseq", "--instrumentation", "loud"]).expect(2).stderr.contains("sampled")
    );
}

#[test]
fn the_overhead_is_measured_by_slices_that_take_turns() {
    let common = ["--keys", "2000", "--ops", "2000", "--threads", "2", "--instrumentation", "both"];
    for workload in ["readrandom", "readseq", "fillrandom", "readwhilewriting", "ycsb-d"] {
        let args = ["bench", "-w", workload, "--json"].into_iter().chain(common);
        let report = run(args).expect(0).json();
        let number = |member: &str| report[member].as_f64().unwrap_or_else(|| panic!("{member}: {report}"));
        assert_eq!((&report["instrumentation"], &report["ops"]), (&"both".into(), &2000.into()));
        let [low, ratio, high] = ["overhead_ratio_low", "overhead_ratio", "overhead_ratio_high"].map(number);
        assert!(low <= ratio && ratio <= high && number("noise_ratio") >= 0.0, "{report}");
        assert!(number("sampling_interval") >= 1.0 && number("overhead_pairs") >= 40.0, "{report}");
        assert!(report.get("write_amplification").is_none(), "{report}");
    }
    let text = run(["bench", "-w", "readrandom"].into_iter().chain(common)).expect(0);
    assert!(text.text().contains("instrumentation sampled against off"), "{text:?}");
    let few = run(["bench", "-w", "overwrite", "--keys", "100", "--instrumentation", "both"]).expect(2);
    assert!(few.stderr.contains("--ops"), "{few:?}");
}

#[test]
fn churn_reports_what_overwriting_costs_in_writes_and_in_disk() {
    let sizes = ["--value-size", "1KiB..16KiB", "--live-bytes", "4MiB", "--write-bytes", "24MiB"];
    let options = ["--memtable-bytes", "1MiB", "--max-space-amplification", "2.5", "--threads", "2"];
    let args = ["bench", "-w", "churn", "--json"].into_iter().chain(sizes).chain(options);
    let report = run(args).expect(0).json();
    let number = |member: &str| report[member].as_f64().unwrap_or_else(|| panic!("{member}: {report}"));
    assert_eq!((&report["schema_version"], &report["workload"]), (&1.into(), &"churn".into()));
    assert_eq!((number("value_size"), number("keys"), number("threads")), (8704.0, 481.0, 2.0));
    assert_eq!((number("value_size_least"), number("value_size_most")), (1024.0, 16384.0));
    assert_eq!((number("space_amplification_ceiling"), number("separation_threshold")), (2.5, 4096.0));
    for figure in ["ops_per_second", "fill_bytes_per_second", "sequential_write_bytes_per_second", "p999_ns"]
    {
        assert!(number(figure) > 0.0, "{figure}: {report}");
    }
    for figure in ["write_amplification", "fill_write_amplification", "churn_write_amplification"] {
        assert!((1.0..100.0).contains(&number(figure)), "{figure}: {report}");
    }
    let churned = 24 << 20..(24 << 20) + 100_000;
    assert!(churned.contains(&report["churn_bytes"].as_i64().unwrap()), "{report}");
    let bytes = |member: &str| report[member].as_u64().unwrap();
    assert_eq!(bytes("user_written_bytes"), bytes("fill_bytes") + bytes("churn_bytes"), "{report}");
    let most = number("max_space_amplification");
    assert!(most >= number("settled_space_amplification") && most > 1.0 && most < 100.0, "{report}");
    let samples = report["samples"].as_array().unwrap();
    let disk = samples.iter().map(|sample| sample["disk_bytes"].as_f64().unwrap());
    let ratios = disk.zip(samples.iter().map(|sample| sample["live_bytes"].as_f64().unwrap()));
    let seen = ratios.map(|(disk, live)| disk / live).fold(0.0, f64::max);
    assert!((seen - most).abs() < 1e-9, "{seen} in {report}");
    assert!(samples.len() > 5 && number("settle_seconds") >= 5.0, "{report}");
}

#[test]
fn people_get_a_table_of_a_churn() {
    let place = Place::new();
    let dir = place.path("runs");
    let args =
        ["bench", "-w", "churn", "--value-size", "4KiB", "--live-bytes", "1MiB", "--write-bytes", "2MiB"];
    let off = ["--instrumentation", "off", "--dir", arg(&dir)];
    let text = run(args.into_iter().chain(off)).expect(0);
    for part in
        ["256 keys × 4096 B", "plain file", "fill", "disk per live byte: at most", "p99.9", "all right"]
    {
        assert!(text.text().contains(part), "{part}: {text:?}");
    }
    assert_eq!(run(["count", "-d", arg(&dir.join("churn"))]).expect(0).text(), "256\n");
    assert!(!dir.join("churn/sequential.tmp").exists());
}

#[test]
fn arguments_that_do_not_fit_the_workload_are_refused() {
    for (args, why) in [
        (["-w", "churn", "--ops", "7"], "--write-bytes"),
        (["-w", "churn", "--instrumentation", "both"], "one run"),
        (["-w", "overwrite", "--live-bytes", "1MiB"], "for churn"),
        (["-w", "overwrite", "--write-bytes", "1MiB"], "for churn"),
        (["-w", "overwrite", "--value-size", "2KiB..1KiB"], "smaller end"),
        (["-w", "overwrite", "--max-space-amplification", "1"], "max_space_amplification"),
    ] {
        let refused = run(["bench"].into_iter().chain(args)).expect(2);
        assert!(refused.stderr.contains(why), "{args:?}: {refused:?}");
    }
}

#[test]
fn any_workload_takes_values_of_different_sizes() {
    let args = ["bench", "-w", "ycsb-a", "--keys", "500", "--value-size", "8..4KiB", "--json"];
    let report = run(args).expect(0).json();
    assert_eq!((&report["value_size"], &report["verified"]), (&serde_json::json!([8, 4096]), &true.into()));
}

#[test]
fn the_metrics_of_a_run_can_be_watched_meanwhile() {
    let shown = run(["bench", "-w", "readrandom", "-k", "2000", "--listen", "127.0.0.1:0"]).expect(0);
    assert!(shown.stderr.contains("readrandom: http://127.0.0.1:"), "{shown:?}");
    let refused = run(["bench", "-w", "readrandom", "-k", "2000", "--listen", "192.0.2.1:1"]).expect(3);
    assert!(refused.stderr.contains("192.0.2.1:1"), "{refused:?}");
}

#[test]
fn a_report_tells_in_how_many_files_the_data_lies() {
    let run = |options: &[&str]| {
        let args = ["bench", "-w", "readrandom", "--json", "--memtable-bytes", "256KiB"];
        run(args.iter().chain(options)).expect(0).json()
    };
    let count = |report: &serde_json::Value, what: &str| report[what].as_u64().unwrap();
    let (few, many) = (run(&["-k", "8000"]), run(&["-k", "8000", "--table-bytes", "64KiB"]));
    assert!(count(&many, "tables") > 2 * count(&few, "tables"), "{few} {many}");
    assert!((1..=count(&many, "tables")).contains(&count(&many, "sorted_runs")), "{many}");
    assert_eq!(count(&many, "value_files"), 0);
    let large = run(&["-k", "200", "--value-size", "8KiB"]);
    assert!(count(&large, "value_files") > 1, "{large}");
}
