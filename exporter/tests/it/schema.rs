//! The JSON Schema and the renderer say the same. `.ci/exporter` has a real validator compare them, too.

use crate::{custom, fixture};
use bettong_exporter::Exporter;
use bettong_exporter::formats::json;
use bettong_metrics::{
    Event, EventKind, GetSource, HolderKind, JobKind, JobPlan, JobReport, JobResult, JobTable, JobTables,
    MetricsSnapshot, Operation, Registry, Stage,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// The snapshot of a registry with everything that a document can show.
fn everything() -> MetricsSnapshot {
    let registry = fixture::filled("orders");
    let recorder = registry.recorder();
    registry.counter("app_logins_total", "Logins", &[("tenant", "a")]).unwrap();
    registry.observe("app_wait_seconds", 5, &[]);
    let plan = |kind| JobPlan {
        kind,
        reason: 0,
        memtables: 1,
        inputs: vec![JobTables::of(0, [JobTable { number: 1, bytes: 10 }])],
        output_level: 1,
        bytes_total: 10,
    };
    let _running = recorder.job(plan(JobKind::Flush));
    recorder.job(plan(JobKind::Compaction)).end(JobResult::failed("the disk is full"));
    let outputs = JobTables::of(1, [JobTable { number: 2, bytes: 9 }]);
    recorder.job(plan(JobKind::Compaction)).end(JobResult::Ok(JobReport { outputs, ..JobReport::default() }));
    let _held = recorder.hold(HolderKind::Snapshot, 42);
    registry.set_slow_threshold(Duration::ZERO);
    let timer = recorder.start(Operation::Get);
    timer.leave_fast_path();
    timer.served(GetSource::Level(2), false);
    timer.mark(Stage::Data);
    timer.finish();
    let event = Event::new(EventKind::Corruption).job(1).file(2).level(3).bytes(4).nanos(5);
    recorder.emit(event.cause("x").result("y").message("z"));
    registry.snapshot()
}

/// The path of every member in a document. Where names are data, there is `*` instead.
fn written(value: &Value, path: &str, open: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let name = if open.contains(path) { "*" } else { name };
            let path = format!("{path}.{name}");
            written(value, &path, open, found);
            found.insert(path);
        }),
        Value::Array(elements) => {
            elements.iter().for_each(|element| written(element, &format!("{path}[]"), open, found));
        }
        _ => {}
    }
}

/// The path of every member that the schema allows; those of maps with any names are put into `open`.
fn allowed(
    schema: &Value,
    root: &Value,
    path: &str,
    open: &mut BTreeSet<String>,
    found: &mut BTreeSet<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name}"));
        return allowed(target, root, path, open, found);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        allowed(member, root, &path, open, found);
        found.insert(path);
    }
    if schema["type"] == "object" {
        match &schema["additionalProperties"] {
            Value::Bool(false) => {}
            Value::Object(_) => {
                open.insert(path.to_owned());
                found.insert(format!("{path}.*"));
            }
            other => panic!("{path} allows anything: {other}"),
        }
    }
    if let Some(items) = schema.get("items") {
        allowed(items, root, &format!("{path}[]"), open, found);
    }
}

fn schema() -> Value {
    serde_json::from_str(json::SCHEMA).unwrap()
}

#[test]
fn every_member_that_is_written_is_in_the_schema_and_every_member_of_the_schema_is_written() {
    let schema = schema();
    let (mut open, mut expected, mut found) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    allowed(&schema["$defs"]["document"], &schema, "", &mut open, &mut expected);
    let mut document = json::to_value(&everything());
    // A server adds these: metrics, as the others of the document.
    document["health"] = document["metrics"].clone();
    // What is known of the process is no database's, and beside it in a whole exporter's document.
    let whole: Value = serde_json::from_str(&Exporter::new(Registry::new("orders")).json()).unwrap();
    match whole.get("process") {
        Some(process) => document["process"] = process.clone(),
        None => expected.retain(|path| !path.starts_with(".process")),
    }
    written(&document, "", &open, &mut found);
    // Series are series wherever they are listed.
    let series = |paths: BTreeSet<String>| -> BTreeSet<String> {
        paths.into_iter().map(|path| path.replace(".process[]", ".metrics[]")).collect()
    };
    let (expected, found) = (series(expected), series(found));
    // A job in either list has the same shape: one that runs may end before it is rendered, and one that has ended has more.
    let one_list = |paths: BTreeSet<String>| -> BTreeSet<String> {
        paths.into_iter().map(|path| path.replace(".jobs.running[]", ".jobs.recent[]")).collect()
    };
    let (expected, found) = (one_list(expected), one_list(found));
    let missing: Vec<_> = found.difference(&expected).collect();
    let superfluous: Vec<_> = expected.difference(&found).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "not in the schema: {missing:?}\nnever written: {superfluous:?}"
    );
    assert!(expected.len() > 70, "{}", expected.len());
}

#[test]
fn what_the_schema_requires_is_always_written() {
    let schema = schema();
    let required = |name: &str| -> Vec<String> {
        let list = schema["$defs"][name]["required"].as_array().unwrap();
        list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for snapshot in [Registry::new("empty").snapshot(), everything(), custom::filled("custom").snapshot()] {
        let document = json::to_value(&snapshot);
        let check = |value: &Value, name: &str| {
            for member in required(name) {
                assert!(value.get(&member).is_some(), "{name}.{member} of {value}");
            }
        };
        check(&document, "document");
        for (list, name) in [
            ("/metrics", "metric"),
            ("/value_files", "value_file"),
            ("/jobs/running", "job"),
            ("/jobs/recent", "job"),
            ("/holders/oldest", "holder"),
            ("/slow_operations", "slow_operation"),
            ("/events", "event"),
        ] {
            document.pointer(list).unwrap().as_array().unwrap().iter().for_each(|value| check(value, name));
        }
    }
}

#[test]
fn the_schema_knows_the_kinds_of_families_that_are_written() {
    let schema = schema();
    let kinds = schema["$defs"]["metric"]["properties"]["type"]["enum"].as_array().unwrap();
    let units = schema["$defs"]["metric"]["properties"]["unit"]["enum"].as_array().unwrap();
    for snapshot in [everything(), custom::filled("custom").snapshot()] {
        let document = json::to_value(&snapshot);
        for metric in document["metrics"].as_array().unwrap() {
            assert!(kinds.contains(&metric["type"]) && units.contains(&metric["unit"]), "{metric}");
        }
    }
    assert_eq!(schema["$defs"]["document"]["properties"]["schema_version"]["const"], json::SCHEMA_VERSION);
}

#[test]
fn latencies_say_how_they_were_sampled() {
    let registry = Registry::new("orders");
    let recorder = registry.recorder();
    (0..100_000).for_each(|_| recorder.start(Operation::Get).finish());
    let snapshot = registry.snapshot();
    let document = json::to_value(&snapshot);
    let metric = |name: &str| {
        document["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == name).unwrap()
    };
    let strata = snapshot.strata(Operation::Get);
    assert!(strata.samples < strata.fast, "{strata:?}");
    let get = metric("db_get_latency_seconds");
    assert_eq!((&get["sampled"], &get["rank_error"]), (&true.into(), &strata.rank_error().into()));
    let set = metric("db_set_latency_seconds");
    assert_eq!((&set["sampled"], &set["rank_error"]), (&false.into(), &0.0.into()));
    let traced = metric("db_get_stage_duration_seconds");
    assert_eq!((&traced["sampled"], traced.get("rank_error")), (&true.into(), None));
}
