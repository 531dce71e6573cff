//! Health over HTTP, and in the formats of metrics.

use crate::client::{Answer, ask, ask_with, get};
use crate::exposition;
use crate::health::{FakeProbe, Found, probed, well};
use crate::logged;
use bettong_exporter::health::{CheckResult, HealthCheck, HealthMonitor};
use bettong_exporter::{Exporter, Profile, Secret, Server};
use bettong_metrics::{ProbeFault, Registry};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATHS: [&str; 2] = ["/health", "/api/v1/health"];

fn monitor() -> HealthMonitor {
    HealthMonitor::new().interval(Duration::from_millis(100)).memory_limit(u64::MAX).threads_max(u64::MAX)
}

/// Waits until the checks have found this.
fn wait_for(server: &Server, path: &str, status: &str) -> Answer {
    let began = Instant::now();
    loop {
        let answer = get(server, path);
        if answer.json()["status"] == status {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{}", answer.body);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start(found: Found) -> (Server, Arc<FakeProbe>) {
    let (registry, probe) = probed("orders", found);
    (Exporter::new(registry).health(monitor()).listen("127.0.0.1:0").unwrap(), probe)
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// RFC 3339, in UTC, to the second.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

/// K19 to K27, W38.
#[test]
fn health_has_the_members_of_the_guide_and_no_others() {
    let (server, _) = start(well());
    for path in PATHS {
        let answer = wait_for(&server, path, "healthy");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json; charset=utf-8"))
        );
        let health = answer.json();
        let members =
            ["checks", "status", "summary", "system_info", "timestamp", "uptime_seconds", "version"];
        assert_eq!(names(&health), members);
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        assert!(health["uptime_seconds"].is_u64() && is_time(&health["timestamp"]));
        let checks = ["compaction", "cpu", "disk", "errors", "memory", "storage", "threads"];
        assert_eq!(names(&health["checks"]), checks);
        for (name, check) in health["checks"].as_object().unwrap() {
            let members = ["critical", "details", "duration_ms", "message", "name", "status", "timestamp"];
            assert_eq!((names(check), &check["name"]), (members.to_vec(), &Value::from(name.as_str())));
            assert!(check["duration_ms"].is_number() && is_time(&check["timestamp"]), "{check}");
        }
        let storage = &health["checks"]["storage"];
        assert_eq!(
            (&storage["message"], &storage["critical"]),
            (&"Database is responsive".into(), &true.into())
        );
        assert_eq!(names(&storage["details"]), ["entries", "operation_time_ms", "total_size"]);
        let summary =
            serde_json::json!({"total": 7, "healthy": 7, "degraded": 0, "unhealthy": 0, "critical": 0});
        assert_eq!(health["summary"], summary);
        let system = &health["system_info"];
        let members = ["arch", "memory_mb", "num_cpu", "num_threads", "os", "rustc_version", "start_time"];
        assert_eq!(names(system), members);
        assert_eq!(
            (&system["os"], &system["arch"]),
            (&std::env::consts::OS.into(), &std::env::consts::ARCH.into())
        );
        assert!(system["num_cpu"].as_u64().unwrap() > 0 && is_time(&system["start_time"]));
        assert!(system["rustc_version"].as_str().unwrap().contains("1."), "{system}");
        if cfg!(target_os = "linux") {
            assert!(system["num_threads"].as_u64().unwrap() > 1 && system["memory_mb"].as_u64().unwrap() > 0);
        }
    }
    assert_eq!(ask(&server, "HEAD", "/health").status, 200);
    assert_eq!(get(&server, "/health?verbose=1").json()["parameter"], "verbose");
}

/// K20, K68.
#[test]
fn health_is_answered_with_503_when_something_fails_and_asks_nobody() {
    let (server, probe) = start(well());
    assert_eq!(wait_for(&server, "/health", "healthy").status, 200);
    probe.0.lock().unwrap().read = Err(ProbeFault::Damaged("a file".to_owned()));
    assert_eq!(wait_for(&server, "/health", "unhealthy").status, 503);
    probe.0.lock().unwrap().write = Err(ProbeFault::Failed("the disk is gone".to_owned()));
    let answer = wait_for(&server, "/health", "critical");
    assert_eq!((answer.status, &answer.json()["summary"]["critical"]), (503, &1.into()));
    assert_eq!(answer.json()["checks"]["storage"]["details"]["reason"], "the disk is gone");
    *probe.0.lock().unwrap() = Found { disk: Ok(None), ..well() };
    assert_eq!(wait_for(&server, "/health", "degraded").status, 200);
    // Whatever the probe does: a request does not wait for it.
    let held = probe.0.lock().unwrap();
    assert_eq!(get(&server, "/health").status, 200);
    drop(held);
    // That something is not known is no reason to send nobody here.
    let server = Exporter::new(Registry::new("orders")).health(monitor()).listen("127.0.0.1:0").unwrap();
    assert_eq!(wait_for(&server, "/health", "unknown").status, 200);
}

/// K41.
#[test]
fn health_is_metrics_for_those_that_ask_for_them() {
    let (server, _) = start(Found { read: Err(ProbeFault::Failed("x".to_owned())), ..well() });
    wait_for(&server, "/health", "critical");
    let ask = |accept: &str| ask_with(&server, "GET", "/api/v1/health", &format!("Accept: {accept}\r\n"));
    let text = ask("text/plain;version=0.0.4");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(text.status, 200, "a scrape with another status is not taken in");
    let families = exposition::parse(&text.body);
    let shown: Vec<_> = families.iter().map(|family| (&*family.name, family.samples.len())).collect();
    let expected = [
        ("db_health_status", 5),
        ("db_health_check", 35),
        ("db_health_check_duration_seconds", 7),
        ("db_health_check_timestamp_seconds", 7),
    ];
    assert_eq!(shown, expected);
    for line in [
        "db_health_status{status=\"critical\"} 1",
        "db_health_status{status=\"healthy\"} 0",
        "db_health_check{check=\"storage\",status=\"critical\"} 1",
        "db_health_check{check=\"disk\",status=\"healthy\"} 1",
    ] {
        assert!(text.body.lines().any(|found| found == line), "{line}\n{}", text.body);
    }
    let open = ask("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
    assert!(open.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    for accept in [
        "*/*",
        "application/json",
        "text/html,application/xml;q=0.9,*/*;q=0.8",
        "application/json, text/plain, */*",
    ] {
        let answer = ask(accept);
        assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some("critical")), "{accept}");
    }
}

#[test]
fn health_is_in_every_format_of_metrics_and_counted_in_the_budget() {
    let (registry, _) = probed("orders", well());
    let exporter =
        Exporter::new(registry).profile(Profile::Minimal).native_histograms(true).health(monitor());
    let server = exporter.listen("127.0.0.1:0").unwrap();
    wait_for(&server, "/health", "healthy");
    let families = exposition::parse(&get(&server, "/metrics").body);
    let health: Vec<_> = families.iter().filter(|family| family.name.starts_with("db_health_")).collect();
    assert_eq!(health.iter().map(|family| family.samples.len()).sum::<usize>(), 54);
    let own = families
        .iter()
        .filter(|family| family.name.starts_with("db_exporter_") || family.name.starts_with("db_health_"));
    let own: usize = own.map(|family| family.samples.len()).sum();
    assert_eq!(get(&server, "/api/v1/info").json()["series"]["exporter"], own);
    let documented = format!("The exporter adds {own} series of its own");
    assert!(include_str!("../../../docs/exporter.md").contains(&documented), "{documented}");
    let json = get(&server, "/metrics.json").json();
    assert_eq!(json["health"].as_array().unwrap().len(), 54);
    let first = &json["health"][0];
    assert_eq!((&first["name"], &first["labels"]["status"]), (&"db_health_status".into(), &"healthy".into()));
    assert_eq!((&first["value"], &first["type"]), (&1.0.into(), &"gauge".into()));
    let native = "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n";
    let bytes = ask_with(&server, "GET", "/metrics", native).bytes;
    if cfg!(feature = "protobuf") {
        let name = b"db_health_check_timestamp_seconds";
        assert!(bytes.windows(name.len()).any(|window| window == name));
    }
}

#[test]
fn the_checks_of_several_databases_bear_their_names() {
    let (orders, _) = probed("orders", well());
    let (stock, probe) = probed("st\"ock", well());
    let server = Exporter::new(orders).with(stock).health(monitor()).listen("127.0.0.1:0").unwrap();
    wait_for(&server, "/health", "healthy");
    probe.0.lock().unwrap().write = Err(ProbeFault::Failed("x".to_owned()));
    let all = wait_for(&server, "/health", "critical").json();
    assert_eq!(all["summary"]["total"], 11);
    assert_eq!(all["checks"]["st\"ock/storage"]["status"], "critical");
    assert_eq!(all["checks"]["orders/storage"]["status"], "healthy");
    let one = get(&server, "/api/v1/health?db=orders");
    assert_eq!((one.status, &one.json()["summary"]["total"]), (200, &7.into()));
    assert_eq!(get(&server, "/health?db=st%22ock").status, 503);
    assert_eq!(get(&server, "/health?db=nothing").status, 400);
    let metrics = get(&server, "/metrics").body;
    let line = "db_health_check{check=\"st\\\"ock/storage\",status=\"critical\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{line}");
    exposition::parse(&metrics);
    assert_eq!(get(&server, "/metrics.json").json()["health"].as_array().unwrap().len(), 5 + 11 * 7);
}

/// E11: who brings no token learns one word.
#[test]
fn with_a_token_health_says_one_word_to_those_who_do_not_bring_it() {
    let (registry, probe) = probed("orders", well());
    let exporter = Exporter::new(registry).health(monitor()).bearer_token(Secret::new("open sesame"));
    let server = exporter.listen("127.0.0.1:0").unwrap();
    assert_eq!(wait_for(&server, "/health", "ok").body, "{\"status\":\"ok\"}\n");
    probe.0.lock().unwrap().disk = Ok(None);
    assert_eq!(wait_for(&server, "/health", "degraded").body, "{\"status\":\"degraded\"}\n");
    probe.0.lock().unwrap().write = Err(ProbeFault::Closed);
    let answer = wait_for(&server, "/health", "unhealthy");
    assert_eq!((answer.status, &*answer.body), (503, "{\"status\":\"unhealthy\"}\n"));
    for headers in ["Authorization: Bearer x\r\n", "Accept: text/plain\r\n"] {
        let answer = ask_with(&server, "GET", "/health?db=orders", headers);
        assert_eq!((answer.status, &*answer.body), (503, "{\"status\":\"unhealthy\"}\n"), "{headers}");
    }
    assert_eq!(get(&server, "/api/v1/health").status, 401);
    let known = ask_with(&server, "GET", "/health", "Authorization: Bearer open sesame\r\n");
    assert_eq!((known.status, &known.json()["summary"]["total"]), (503, &7.into()));
}

/// B24, B25: a check of the application's own.
#[test]
fn an_application_has_checks_of_its_own() {
    struct Queue(&'static str);
    impl HealthCheck for Queue {
        fn name(&self) -> &str {
            self.0
        }

        fn is_critical(&self) -> bool {
            true
        }

        fn check(&self) -> CheckResult {
            CheckResult::unhealthy("The queue stands still").detail("jobs", 7)
        }
    }
    let (registry, _) = probed("orders", well());
    let monitor = monitor().register(Queue("queue")).register(Queue("threads"));
    let server = Exporter::new(registry).health(monitor).listen("127.0.0.1:0").unwrap();
    let health = wait_for(&server, "/health", "unhealthy").json();
    assert_eq!(health["summary"]["total"], 8, "one took the place of another");
    assert_eq!(health["checks"]["queue"]["details"], serde_json::json!({"jobs": 7}));
    assert_eq!(health["checks"]["threads"]["message"], "The queue stands still");
}

#[test]
fn a_line_is_logged_when_the_state_of_a_check_changes_and_none_otherwise() {
    logged::listen();
    let of_ours = || logged::lines(&["bettong_exporter::health", "logged/"]);
    let (registry, probe) = probed("logged", well());
    let others = Registry::new("beside");
    let health = monitor().interval(Duration::from_secs(3_600)).start(&[registry, others]);
    (0..3).for_each(|_| drop(health.check_now()));
    assert_eq!(of_ours(), Vec::<String>::new(), "all is well");
    probe.0.lock().unwrap().read = Err(ProbeFault::Failed("x".to_owned()));
    (0..3).for_each(|_| drop(health.check_now()));
    *probe.0.lock().unwrap() = well();
    (0..3).for_each(|_| drop(health.check_now()));
    let lines = of_ours();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (worse, better) = (&lines[0], &lines[1]);
    assert!(worse.starts_with("WARN ") && worse.contains("Cannot read from database"), "{worse}");
    assert!(better.starts_with("INFO ") && better.contains("before=\"critical\""), "{better}");
}
