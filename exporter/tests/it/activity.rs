//! What goes on in a database, as the JSON snapshot shows it.

use bettong_exporter::formats::json;
use bettong_metrics::{
    Event, EventKind, HolderKind, JobKind, JobPlan, JobReport, JobResult, JobTable, JobTables, Operation,
    Registry,
};
use std::time::Duration;

fn compaction() -> JobPlan {
    let tables = (1..=100).map(|number| JobTable { number, bytes: 10 });
    JobPlan {
        kind: JobKind::Compaction,
        reason: 0,
        memtables: 0,
        inputs: vec![JobTables::of(0, tables)],
        output_level: 1,
        bytes_total: 1_000,
    }
}

#[test]
fn jobs_are_shown_while_they_run_and_when_they_have_ended() {
    let registry = Registry::new("orders");
    let recorder = registry.recorder();
    let running = recorder.job(compaction());
    running.set_bytes_done(250);
    recorder.job(compaction()).end(JobResult::failed("the disk is full"));
    let outputs = JobTables::of(1, [JobTable { number: 101, bytes: 900 }]);
    let report = JobReport { bytes_read: 1_000, bytes_written: 900, outputs, ..JobReport::default() };
    recorder.job(compaction()).end(JobResult::Ok(report));
    let document = json::to_value(&registry.snapshot());
    let (running, recent) = (&document["jobs"]["running"][0], &document["jobs"]["recent"]);
    assert_eq!((&running["kind"], &running["reason"]), (&"compaction".into(), &"l0_files".into()));
    assert_eq!((&running["bytes_done"], &running["bytes_total"]), (&250.into(), &1_000.into()));
    assert!(running.get("result").is_none());
    assert_eq!(running["inputs"][0]["count"], 100);
    assert_eq!(running["inputs"][0]["tables"].as_array().unwrap().len(), JobTables::NAMED);
    assert_eq!((&recent[0]["result"], &recent[0]["error"]), (&"failed".into(), &"the disk is full".into()));
    assert_eq!((&recent[1]["result"], &recent[1]["bytes_written"]), (&"ok".into(), &900.into()));
    assert_eq!(recent[1]["outputs"]["tables"][0]["number"], 101);
}

#[test]
fn holders_slow_operations_and_events_are_shown() {
    let registry = Registry::new("orders");
    let recorder = registry.recorder();
    let _held = recorder.hold(HolderKind::Snapshot, 42);
    registry.set_slow_threshold(Duration::ZERO);
    let timer = recorder.start(Operation::Get);
    timer.leave_fast_path();
    timer.finish();
    recorder.emit(Event::new(EventKind::TableDeleted).file(12).message("say \"when\""));
    let document = json::to_value(&registry.snapshot());
    assert_eq!(
        (&document["holders"]["snapshots"], &document["holders"]["iterators"]),
        (&1.into(), &0.into())
    );
    assert_eq!(document["holders"]["oldest"][0]["sequence"], 42);
    assert_eq!(document["slow_operations"][0]["operation"], "get");
    let event = &document["events"][0];
    assert_eq!((&event["event"], &event["file"]), (&"table_deleted".into(), &12.into()));
    assert_eq!(event["message"], "say \"when\"");
    assert!(event.get("level").is_none());
}

#[test]
fn the_document_stays_small_however_much_happens() {
    let registry = Registry::new("orders");
    let recorder = registry.recorder();
    let empty = json::render(&registry.snapshot()).len();
    let _holds: Vec<_> = (0..1_000).map(|n| recorder.hold(HolderKind::Iterator, n)).collect();
    for number in 0..2_000 {
        recorder.emit(Event::new(EventKind::ReadOnly).file(number).message("x".repeat(100_000)));
        drop(recorder.job(compaction()));
    }
    let snapshot = registry.snapshot();
    let document = json::to_value(&snapshot);
    assert_eq!(document["holders"]["iterators"], 1_000);
    for list in [&document["events"], &document["jobs"]["recent"], &document["holders"]["oldest"]] {
        assert_eq!(list.as_array().unwrap().len(), 32);
    }
    assert_eq!(document["events"][31]["number"], 5_999);
    assert!(json::render(&snapshot).len() < empty + 200_000);
}
