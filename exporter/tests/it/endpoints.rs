//! Every path, what it answers, and what it says to a wrong question.

use crate::client::{ask, ask_with, connect, get};
use crate::{custom, exposition, fixture};
use bettong_exporter::{Exporter, Profile, Server};
use bettong_metrics::{
    Counter, ErrorLabel, Event, EventKind, Family, Gauge, Histogram, HolderKind, Operation, Registry,
};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

const V2: &str = "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
    text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n";
const V3_NATIVE: &str = "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
    encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
    text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n";

/// Everything below `/api/v1` that describes one database.
const VIEWS: [&str; 7] = ["performance", "levels", "values", "events", "slow", "errors", "readers"];

fn filled() -> Arc<Registry> {
    let registry = fixture::filled("orders");
    let recorder = registry.recorder();
    recorder.emit(Event::new(EventKind::Open));
    recorder.emit(Event::new(EventKind::Corruption).file(12).message("say \"when\""));
    registry.set_slow_threshold(Duration::ZERO);
    let timer = recorder.start(Operation::Get);
    timer.leave_fast_path();
    timer.finish();
    registry
}

fn start() -> Server {
    Exporter::new(filled()).listen("127.0.0.1:0").unwrap()
}

#[test]
fn metrics_are_in_the_format_that_the_client_prefers() {
    let plain = start();
    let native = Exporter::new(filled()).native_histograms(true).listen("127.0.0.1:0").unwrap();
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    for (accept, without, with) in [
        ("", text, text),
        (V2, openmetrics, openmetrics),
        (V3_NATIVE, openmetrics, protobuf),
        (
            "Accept: application/json\r\n",
            "application/json; charset=utf-8",
            "application/json; charset=utf-8",
        ),
        // A list may come in several headers.
        ("Accept: text/plain;q=0.1\r\nAccept: application/openmetrics-text\r\n", openmetrics, openmetrics),
    ] {
        for path in ["/metrics", "/api/v1/metrics"] {
            let answer = ask_with(&plain, "GET", path, accept);
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(without)), "{accept}");
            assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
            assert_eq!(answer.body.ends_with("# EOF\n"), without == openmetrics);
            let answer = ask_with(&native, "GET", path, accept);
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(with)), "{accept}");
        }
    }
}

#[test]
fn answers_are_in_gzip_for_those_who_take_it() {
    let server = start();
    for path in ["/metrics", "/metrics.json", "/schema/metrics.json"] {
        let plain = get(&server, path);
        let packed = ask_with(&server, "GET", path, "Accept-Encoding: deflate, gzip;q=0.5\r\n");
        assert_eq!(
            (plain.header("content-encoding"), packed.header("content-encoding")),
            (None, Some("gzip"))
        );
        let mut text = String::new();
        GzDecoder::new(&packed.bytes[..]).read_to_string(&mut text).unwrap();
        assert!(packed.bytes.len() * 4 < plain.bytes.len(), "{path}: {}", packed.bytes.len());
        assert_eq!(text.lines().count(), plain.body.lines().count(), "{path}");
    }
    let small = ask_with(&server, "GET", "/livez", "Accept-Encoding: gzip\r\n");
    assert_eq!((small.header("content-encoding"), small.body.as_str()), (None, "ok\n"));
}

#[test]
fn a_profile_chooses_what_is_served() {
    let server = Exporter::new(filled()).profile(Profile::Minimal).listen("127.0.0.1:0").unwrap();
    let families = exposition::parse(&get(&server, "/metrics").body);
    let of = |prefix| families.iter().filter(|family| family.name.starts_with(prefix)).count();
    let own = of("db_exporter_") + of("db_health_");
    assert_eq!((families.len() - own - of("process_"), own), (24, 9));
    let info = get(&server, "/api/v1/info").json();
    assert_eq!(info["series"]["profile"], "minimal");
    let lines: usize = families.iter().map(|family| family.samples.len()).sum();
    let counted = ["databases", "exporter", "process"].map(|part| info["series"][part].as_u64().unwrap());
    assert_eq!(counted.iter().sum::<u64>(), lines as u64);
}

#[test]
fn the_schema_is_served() {
    let answer = get(&start(), "/schema/metrics.json");
    assert_eq!(answer.header("content-type"), Some("application/schema+json; charset=utf-8"));
    assert_eq!(answer.body, bettong_exporter::formats::json::SCHEMA);
}

#[test]
fn performance_has_the_figures_of_operations_and_those_of_the_seeds() {
    let registry = filled();
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let whole = get(&server, "/api/v1/performance").json();
    assert_eq!(whole["operations"]["get"]["count"], 1_001);
    assert_eq!(
        (&whole["query_metrics"]["total_queries"], &whole["query_metrics"]["failed_queries"]),
        (&1_001.into(), &1.into())
    );
    assert_eq!(
        (&whole["amplification"]["write"], &whole["storage_metrics"]["cache_hit_rate"]),
        (&3.5.into(), &1.0.into())
    );
    let p99 = whole["operations"]["get"]["p99_seconds"].as_f64().unwrap();
    assert!((p99 / 0.000_99 - 1.0).abs() < 0.01, "{p99}");
    assert!(whole["query_metrics"]["p95_query_latency_ms"].as_f64().unwrap() > 0.9);
    // With a window only what happens in it counts.
    let work = Arc::clone(&registry);
    let worker = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        let recorder = work.recorder();
        (0..7).for_each(|_| recorder.start(Operation::Get).finish());
    });
    let window = get(&server, "/api/v1/performance?window=1").json();
    worker.join().unwrap();
    assert_eq!(window["operations"]["get"]["count"], 7);
    let seconds = window["seconds"].as_f64().unwrap();
    assert!((0.9..5.0).contains(&seconds), "{seconds}");
    let rate = window["query_metrics"]["queries_per_second"].as_f64().unwrap();
    assert!((rate * seconds - 7.0).abs() < 0.01, "{rate}");
}

/// Percentages are in JSON alone: base units are Prometheus' way.
#[test]
fn the_share_of_the_machine_is_a_percentage_in_json() {
    let registry = filled();
    registry.recorder().set(Gauge::DiskUsageBytes.at(1), 250.0);
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let system = |path: &str| get(&server, path).json()["system_metrics"].clone();
    assert_eq!(
        system("/api/v1/performance")["disk_usage_percent"],
        Value::Null,
        "the size of the disk is not known"
    );
    registry.recorder().set(Gauge::DiskCapacityBytes, 1_000.0);
    let known = cfg!(all(feature = "process", target_os = "linux"));
    for path in ["/api/v1/performance", "/api/v1/performance?window=1"] {
        let system = system(path);
        assert_eq!((&system["disk_usage_bytes"], &system["disk_usage_percent"]), (&250.into(), &25.0.into()));
        assert_eq!(
            system["cpu_usage_percent"].as_f64().is_some_and(|percent| percent >= 0.0),
            known,
            "{system}"
        );
        let memory = system["memory_usage_percent"].as_f64();
        assert_eq!(memory.is_some_and(|percent| percent > 0.0 && percent < 100.0), known, "{system}");
    }
    let info = get(&server, "/api/v1/info").json();
    assert_eq!(info["process"]["threads"].as_u64().is_some_and(|threads| threads >= 2), known, "{info}");
    assert_eq!(info["memory_bytes"].is_u64(), known);
}

#[test]
fn levels_and_values_are_as_they_were_published() {
    let server = start();
    let levels = get(&server, "/api/v1/levels").json();
    let first = &levels["levels"][0];
    let figures = ["tables", "bytes", "entries", "tombstones"].map(|name| first[name].as_u64().unwrap());
    assert_eq!(figures, [1, 2_048, 40, 3]);
    assert_eq!(
        (&levels["levels"][1]["score"], &levels["levels"][1]["write_amplification"]),
        (&0.75.into(), &Value::Null)
    );
    let values = get(&server, "/api/v1/values").json();
    assert_eq!(
        (&values["files"][0]["number"], &values["files"][0]["standing"]),
        (&11.into(), &"candidate".into())
    );
    assert!((values["files"][0]["garbage_ratio"].as_f64().unwrap() - 3_096.0 / 4_096.0).abs() < 1e-9);
}

#[test]
fn events_are_read_on_from_where_a_reader_stopped() {
    let registry = filled();
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let first = get(&server, "/api/v1/events?limit=1").json();
    assert_eq!((&first["events"][0]["event"], &first["next"]), (&"open".into(), &1.into()));
    let second = get(&server, "/api/v1/events?since=1").json();
    assert_eq!((&second["events"][0]["message"], &second["next"]), (&"say \"when\"".into(), &2.into()));
    assert_eq!(get(&server, "/api/v1/events?since=2").json()["events"], Value::Array(Vec::new()));
    (0..600).for_each(|_| registry.recorder().emit(Event::new(EventKind::FlushBegin)));
    let late = get(&server, "/api/v1/events?since=2&limit=1024").json();
    assert_eq!(
        (late["events"].as_array().unwrap().len(), &late["lost"], &late["next"]),
        (512, &88.into(), &602.into())
    );
}

#[test]
fn errors_slow_operations_and_readers_are_shown() {
    let registry = filled();
    let recorder = registry.recorder();
    let _held = recorder.hold(HolderKind::Snapshot, 42);
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let errors = get(&server, "/api/v1/errors").json();
    assert_eq!(errors["total"], 1);
    assert_eq!(
        (&errors["counts"][0]["name"], &errors["counts"][0]["labels"]["kind"]),
        (&"db_set_errors_total".into(), &"no_space".into())
    );
    assert_eq!(
        (&errors["events"][0]["event"], errors["events"].as_array().unwrap().len()),
        (&"corruption".into(), 1)
    );
    recorder.fail(Operation::Get, ErrorLabel::Io);
    assert_eq!(get(&server, "/api/v1/errors?limit=1").json()["total"], 2);
    let slow = get(&server, "/api/v1/slow").json();
    assert_eq!(
        (&slow["operations"][0]["operation"], &slow["counts"]["get"], &slow["threshold_seconds"]),
        (&"get".into(), &1.into(), &0.0.into())
    );
    let readers = get(&server, "/api/v1/readers").json();
    assert_eq!((&readers["snapshots"]["open"], &readers["iterators"]["open"]), (&1.into(), &0.into()));
    assert_eq!(
        (&readers["oldest"][0]["kind"], &readers["oldest"][0]["sequence"]),
        (&"snapshot".into(), &42.into())
    );
}

#[test]
fn config_and_info_say_what_runs_here() {
    let exporter = Exporter::new(filled()).allow_host("db1.example").profile(Profile::Full);
    let server = exporter.listen("127.0.0.1:0").unwrap();
    let config = get(&server, "/api/v1/config").json();
    assert_eq!(
        (&config["exporter"]["profile"], &config["exporter"]["native_histograms"]),
        (&"full".into(), &false.into())
    );
    assert_eq!(config["exporter"]["hosts"][0], "db1.example");
    let database = &config["databases"][0];
    assert_eq!(
        (&database["database"], &database["options"]["memtable_bytes"]["value"]),
        (&"orders".into(), &"67108864".into())
    );
    let sources = ["memtable_bytes", "cache"].map(|name| &database["options"][name]["source"]);
    assert_eq!(sources, ["default", "set"]);
    assert_eq!(database["options"]["cache"]["default"], "none");
    assert_eq!(
        (&database["instrumentation"], &database["slow_threshold_seconds"]),
        (&"sampled".into(), &0.0.into())
    );
    let info = get(&server, "/api/v1/info").json();
    assert_eq!(
        (&info["version"], &info["os"]),
        (&env!("CARGO_PKG_VERSION").into(), &std::env::consts::OS.into())
    );
    assert_eq!(info["pid"], std::process::id());
    assert!(info["build"]["rustc"].as_str().is_some_and(|rustc| !rustc.is_empty()));
    assert_eq!(
        (&info["databases"][0]["database"], &info["databases"][0]["ready"]),
        (&"orders".into(), &true.into())
    );
}

#[test]
fn a_histogram_is_given_in_the_formats_of_hdr_histogram() {
    let server = Exporter::new(filled()).with(custom::filled("stock")).listen("127.0.0.1:0").unwrap();
    let found = get(&server, "/api/v1/hdr?metric=db_get_latency_seconds&db=orders").json();
    assert_eq!((&found["raw_unit"], &found["database"]), (&"nanoseconds".into(), &"orders".into()));
    assert!(found["histogram"].as_str().unwrap().starts_with("HISTFAA"));
    let labelled = get(&server, "/api/v1/hdr?metric=db_fsync_duration_seconds&file=wal&db=orders").json();
    assert_eq!((&labelled["count"], &labelled["labels"]["file"]), (&1.into(), &"wal".into()));
    let custom = get(&server, "/api/v1/hdr?metric=app_upload_bytes&kind=image&db=stock").json();
    assert_eq!((&custom["count"], &custom["raw_unit"]), (&100.into(), &"bytes".into()));
    let text = get(&server, "/api/v1/hdr?metric=app_wait_seconds&db=stock&format=hgrm");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(text.body.contains("#[Max     =     1000.000, Total count    =         1000]"), "{}", text.body);
    // What is shorter than a microsecond is not nothing.
    let registry = Registry::new("quick");
    registry.recorder().record(Histogram::GetLatency, 300);
    let quick = Exporter::new(registry).listen("127.0.0.1:0").unwrap();
    let found = get(&quick, "/api/v1/hdr?metric=db_get_latency_seconds").json();
    let text = found["hgrm"].as_str().unwrap();
    assert_eq!(found["hgrm_unit"], "microseconds");
    assert!(text.contains("#[Max     =        0.300, Total count    =            1]"), "{text}");
    assert!(!text.contains("       0.000 "), "{text}");
    let both = get(&server, "/api/v1/hdr?metric=db_get_latency_seconds").json();
    assert_eq!(both["databases"].as_array().unwrap().len(), 2);
}

#[test]
fn several_databases_are_a_list_and_one_can_be_chosen() {
    let server = Exporter::new(filled()).with(custom::filled("a b&c")).listen("127.0.0.1:0").unwrap();
    for view in VIEWS {
        let both = get(&server, &format!("/api/v1/{view}")).json();
        let names: Vec<_> =
            both["databases"].as_array().unwrap().iter().map(|one| &one["database"]).collect();
        assert_eq!(names, ["orders", "a b&c"], "{view}");
        let one = get(&server, &format!("/api/v1/{view}?db=a+b%26c")).json();
        assert_eq!(one["database"], "a b&c", "{view}");
    }
    let config = get(&server, "/api/v1/config?db=orders").json();
    assert_eq!(config["databases"].as_array().unwrap().len(), 1);
}

#[test]
fn a_wrong_question_is_told_which_parameter_is_wrong() {
    let server = start();
    let wrong = [
        ("/api/v1/performance?window=6", "window"),
        ("/api/v1/performance?window=soon", "window"),
        ("/api/v1/levels?limit=3", "limit"),
        ("/api/v1/levels?db=nowhere", "db"),
        ("/api/v1/values?db=orders&db=orders", "db"),
        ("/api/v1/events?since=-1", "since"),
        ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/slow?limit=2049", "limit"),
        ("/api/v1/errors?limit=%zz", "limit"),
        ("/api/v1/readers?colour=red", "colour"),
        ("/api/v1/config?x=", "x"),
        ("/api/v1/info?%22=%22", "\""),
        ("/api/v1/hdr", "metric"),
        ("/api/v1/hdr?metric=nothing", "metric"),
        ("/api/v1/hdr?metric=db_entries", "metric"),
        ("/api/v1/hdr?metric=db_fsync_duration_seconds", "file"),
        ("/api/v1/hdr?metric=db_fsync_duration_seconds&file=nothing", "file"),
        ("/api/v1/hdr?metric=db_get_latency_seconds&level=0", "level"),
        ("/api/v1/hdr?metric=db_get_latency_seconds&format=xml", "format"),
    ];
    for (path, parameter) in wrong {
        let answer = get(&server, path);
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert_eq!(answer.json()["parameter"], parameter, "{path}");
        assert!(answer.json()["error"].as_str().unwrap().starts_with("parameter "), "{path}");
    }
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_in_json() {
    let server = start();
    let missing = get(&server, "/api/v1/nothing");
    assert_eq!((missing.status, missing.json()["error"].is_string()), (404, true));
    let paths = ["/metrics", "/metrics.json", "/schema/metrics.json", "/livez", "/readyz", "/events", "/"];
    let views =
        VIEWS.iter().chain(&["config", "info", "hdr", "metrics"]).map(|view| format!("/api/v1/{view}"));
    for path in paths.into_iter().map(str::to_owned).chain(views) {
        let refused = ask(&server, "POST", &path);
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET,HEAD")), "{path}");
        assert!(refused.json()["error"].is_string());
        let head = ask(&server, "HEAD", &path);
        assert!(head.body.is_empty(), "{path}");
        if path != "/events" {
            let whole = get(&server, &path);
            assert_eq!(head.status, whole.status, "{path}");
            assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 2, "{path}");
        }
    }
}

#[test]
fn readiness_is_that_of_the_databases() {
    let registry = Registry::new("orders");
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let ready = || {
        let answer = get(&server, "/readyz");
        (answer.status, answer.body)
    };
    assert_eq!(ready(), (503, "waiting\n".to_owned()));
    assert_eq!(get(&server, "/livez").status, 200);
    let published = fixture::filled("orders").published();
    registry.publish((*published).clone());
    registry.recorder().emit(Event::new(EventKind::Open));
    assert_eq!(ready(), (200, "ready\n".to_owned()));
    registry.recorder().emit(Event::new(EventKind::Close));
    assert_eq!(ready().0, 503);
}

#[test]
fn the_list_of_paths_is_complete() {
    let server = start();
    let index = get(&server, "/").body;
    let listed: Vec<_> = index.split_whitespace().filter(|word| word.starts_with('/')).collect();
    for view in VIEWS.iter().chain(&["config", "info", "hdr", "metrics"]) {
        assert!(listed.contains(&format!("/api/v1/{view}").as_str()), "{view}");
    }
    let streams = ["/events", "/api/v1/live", "/api/v1,"];
    for path in listed.iter().filter(|path| !streams.contains(path)) {
        assert_ne!(get(&server, path).status, 404, "{path}");
        let documented = include_str!("../../../docs/exporter.md");
        assert!(documented.contains(&format!("`{path}`")), "docs/exporter.md does not mention {path}");
    }
}

/// The events of a stream, as long as they come.
fn events(server: &Server) -> impl Iterator<Item = (String, String)> + use<> {
    let mut stream = connect(server.local_addr());
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].starts_with("HTTP/1.1 200"), "{head:?}");
    assert!(head.iter().any(|line| line == "content-type: text/event-stream; charset=utf-8"), "{head:?}");
    let mut name = String::new();
    lines.filter_map(move |line| {
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        }
        line.strip_prefix("data: ").map(|data| (name.clone(), data.to_owned()))
    })
}

#[test]
fn a_stream_tells_each_second_what_changed() {
    let registry = filled();
    let server = Exporter::new(Arc::clone(&registry)).listen("127.0.0.1:0").unwrap();
    let mut events = events(&server);
    registry.recorder().add(Counter::UserReadBytes, 77);
    let (name, data) = events.next().unwrap();
    let delta: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((name.as_str(), &delta["database"]), ("delta", &"orders".into()));
    let metrics = delta["metrics"].as_array().unwrap();
    let grown = metrics.iter().find(|metric| metric["name"] == "db_user_read_bytes_total").unwrap();
    assert_eq!(grown["value"], 77);
    assert!(metrics.iter().all(|metric| metric["name"] != "db_user_written_bytes_total"));
    assert!(metrics.len() < Family::all().count(), "{}", metrics.len());
    let (_, data) = events.next().unwrap();
    let second: Value = serde_json::from_str(&data).unwrap();
    assert!(
        second["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .all(|metric| metric["name"] != "db_user_read_bytes_total")
    );
    assert_eq!(second["window"]["start"], delta["window"]["end"]);
}

#[test]
fn streams_are_few_and_a_closed_one_makes_room() {
    let server = start();
    let mut open: Vec<_> = (0..8).map(|_| events(&server)).collect();
    open.iter_mut().for_each(|stream| assert!(stream.next().is_some()));
    let refused = ask(&server, "GET", "/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(get(&server, "/livez").status, 200);
    open.pop();
    let room = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        ask(&server, "HEAD", "/events").status == 200
    });
    assert!(room, "the place of a stream that was closed");
}
