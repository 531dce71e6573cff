//! Settings from outside, as a server shows and keeps them.

use crate::client::{ask_with, get};
use crate::fixture;
use bettong_exporter::{Config, Error, Exporter, Profile, Secret};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

fn environment(pairs: &[(&str, &str)]) -> Config {
    let variables = pairs.iter().map(|(name, text)| (format!("BETTONG_METRICS_{name}"), text));
    Config::default()
        .variables(variables.map(|(name, text)| (OsString::from(name), OsString::from(text))))
        .unwrap()
}

#[test]
fn what_is_set_in_code_wins_and_every_value_is_shown_with_its_source() {
    let registry = fixture::filled("orders");
    let config = environment(&[
        ("PORT", "0"),
        ("PATH", "/prom"),
        ("PROFILE", "full"),
        ("HOSTS", "db1.example"),
        ("BEARER_TOKEN", "sesame"),
        ("SLOW_THRESHOLD_MS", "1000"),
    ]);
    // Before or after: code wins.
    let before = Exporter::new(Arc::clone(&registry)).profile(Profile::Minimal).config(&config).unwrap();
    let after = Exporter::new(Arc::clone(&registry)).config(&config).unwrap().profile(Profile::Minimal);
    assert_eq!(registry.slow_threshold(), Duration::from_secs(1));
    for exporter in [before, after] {
        assert!(!format!("{exporter:?}").contains("sesame"));
        let server = exporter.start().unwrap().unwrap();
        let token = "Authorization: Bearer sesame\r\n";
        assert_eq!((get(&server, "/prom").status, get(&server, "/livez").status), (401, 200));
        let of = |path| ask_with(&server, "GET", path, token);
        assert_eq!(
            (of("/prom").status, of("/api/v1/metrics").status, of("/metrics").status),
            (200, 200, 404)
        );
        assert!(
            of("/prom").body.contains("db_exporter_requests_total{endpoint=\"metrics\",code=\"200\"} 2\n")
        );
        let shown = of("/api/v1/config");
        assert!(!shown.body.contains("sesame"));
        let settings = &shown.json()["exporter"]["settings"];
        for (name, value, source) in [
            ("profile", "\"minimal\"", "code"),
            ("port", "0", "environment"),
            ("path", "\"/prom\"", "environment"),
            ("hosts", "[\"db1.example\"]", "environment"),
            ("bearer_token", "\"<secret>\"", "environment"),
            ("address", "null", "default"),
            ("enabled", "true", "default"),
            ("native_histograms", "false", "default"),
        ] {
            assert_eq!(settings[name]["value"].to_string(), value, "{name}");
            assert_eq!(settings[name]["source"], source, "{name}");
        }
    }
}

#[test]
fn a_server_can_be_turned_off_as_a_whole_and_in_parts() {
    let exporter = |pairs: &[(&str, &str)]| {
        Exporter::new(fixture::filled("orders")).config(&environment(pairs)).unwrap()
    };
    assert!(exporter(&[("ENABLED", "false"), ("PORT", "0")]).start().unwrap().is_none());
    let paths = ["/metrics", "/api/v1/metrics", "/metrics.json", "/api/v1/info", "/livez"];
    for (off, expected) in
        [("PROMETHEUS_ENABLED", [404, 404, 200, 200, 200]), ("JSON_API_ENABLED", [200, 200, 404, 404, 200])]
    {
        let server =
            exporter(&[(off, "false"), ("PORT", "0"), ("ADDRESS", "127.0.0.1")]).start().unwrap().unwrap();
        assert_eq!(paths.map(|path| get(&server, path).status), expected, "{off}");
    }
    let error = exporter(&[("ADDRESS", "0.0.0.0"), ("PORT", "0")]).start().unwrap_err();
    assert!(matches!(error, Error::NotLoopback(_)), "{error}");
}

#[test]
fn a_path_that_is_something_else_is_refused() {
    let exporter = || Exporter::new(fixture::filled("orders"));
    for path in
        ["", "/", "metrics", "/livez", "/api/v1/metrics", "/metrics.json", "/a b", "/{x}", "/*x", "/a?b"]
    {
        assert!(matches!(exporter().metrics_path(path), Err(Error::Config(_))), "{path}");
    }
    let server = exporter().metrics_path("/-/prom_1.txt").unwrap().listen("127.0.0.1:0").unwrap();
    assert_eq!(get(&server, "/-/prom_1.txt").status, 200);
    assert!(get(&server, "/").body.contains("/-/prom_1.txt"));
}

#[test]
fn a_user_and_a_hash_belong_together_and_need_the_feature() {
    let hash = "$2b$04$LZbpPpL8bmKOGMuXBFnDqOKx7rVGGBOqbFBOEOXBqkUEBNMkFwGXe";
    let of = |pairs: &[(&str, &str)]| Exporter::new(fixture::filled("orders")).config(&environment(pairs));
    assert!(of(&[("BASIC_AUTH_USER", "ada")]).unwrap_err().to_string().contains("belong together"));
    let both = of(&[("BASIC_AUTH_USER", "ada"), ("BASIC_AUTH_HASH", hash)]);
    assert_eq!(both.is_ok(), cfg!(feature = "basic-auth"));
    assert!(of(&[("TLS_KEY", "/nowhere/key.pem")]).unwrap_err().to_string().contains("belong together"));
    let tls = of(&[("TLS_KEY", "/nowhere/key.pem"), ("TLS_CERTIFICATES", "/nowhere/chain.pem")]).unwrap_err();
    assert_eq!(matches!(tls, Error::Tls { .. }), cfg!(feature = "tls"), "{tls}");
    // A token of the application's is not put out by one of the environment's.
    let exporter = Exporter::new(fixture::filled("orders")).bearer_token(Secret::new("ours"));
    let server = exporter
        .config(&environment(&[("BEARER_TOKEN", "theirs"), ("PORT", "0")]))
        .unwrap()
        .start()
        .unwrap()
        .unwrap();
    let with = |token: &str| {
        ask_with(&server, "GET", "/metrics", &format!("Authorization: Bearer {token}\r\n")).status
    };
    assert_eq!((with("ours"), with("theirs")), (200, 401));
}

#[test]
fn the_log_and_the_checks_can_be_set_from_outside_and_code_wins_key_by_key() {
    use bettong_exporter::health::HealthMonitor;
    use bettong_exporter::log_sink::LogSink;
    crate::logged::listen();
    let config = environment(&[
        ("PORT", "0"),
        ("HEALTH_CHECK_INTERVAL_MS", "1000"),
        ("HEALTH_CHECK_TIMEOUT_MS", "250"),
        ("MEMORY_LIMIT_BYTES", "1"),
        ("PERFORMANCE_LOG", "true"),
        ("LOG_INTERVAL_MS", "1000"),
        ("LOG_FORMAT", "text"),
        ("LOG_LEVEL", "debug"),
    ]);
    let exporter = Exporter::new(fixture::filled("set from outside")).config(&config).unwrap();
    // After the configuration, and about other keys: those of the configuration stay.
    let exporter = exporter.health(HealthMonitor::new().threads_max(7)).log(LogSink::new());
    let server = exporter.start().unwrap().unwrap();
    let settings = &get(&server, "/api/v1/config").json()["exporter"]["settings"];
    for (name, value, source) in [
        ("health_check_interval_ms", "1000", "environment"),
        ("memory_limit_bytes", "1", "environment"),
        ("threads_max", "7", "code"),
        ("performance_log", "true", "code"),
        ("log_format", "\"text\"", "environment"),
        ("log_level", "\"debug\"", "environment"),
        ("global_labels", "[]", "default"),
    ] {
        assert_eq!(settings[name]["value"].to_string(), value, "{name}");
        assert_eq!(settings[name]["source"], source, "{name}");
    }
    let began = std::time::Instant::now();
    let of_ours =
        || crate::logged::lines(&["DEBUG bettong_exporter::log_sink", "database=\"set from outside\""]);
    loop {
        let health = get(&server, "/health").json();
        let memory = &health["checks"]["memory"];
        if memory["status"] != "unknown" && !of_ours().is_empty() {
            assert_eq!(memory["details"]["limit_bytes"], 1, "{memory}");
            assert_eq!(health["checks"]["threads"]["details"]["limit"], 7);
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{health}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(of_ours()[0].contains("set from outside, in the last"), "{}", of_ours()[0]);
}

#[test]
fn labels_of_all_series_are_in_every_format_and_take_nothing_away() {
    let registry = fixture::filled("orders");
    registry.record_counter("app_orders_total", 1, &[("region", "their own")]);
    let plain = Exporter::new(Arc::clone(&registry));
    let config = environment(&[("GLOBAL_LABELS", "region=eu,service=a \"b\"")]);
    let labelled = plain.clone().config(&config).unwrap();
    let without = |text: &str| text.replace("region=\"eu\",", "").replace("service=\"a \\\"b\\\"\",", "");
    let lines = |text: &str| -> Vec<String> {
        // Figures of the process change from one look to the next.
        let series = text.lines().filter(|line| line.starts_with("db_get") || line.starts_with("app_"));
        series.map(str::to_owned).collect()
    };
    for (of_plain, of_labelled) in
        [(plain.text(), labelled.text()), (plain.open_metrics(), labelled.open_metrics())]
    {
        let found = lines(&of_labelled);
        assert!(found.len() > 100);
        for line in &found {
            let own = line.starts_with("app_orders_total");
            assert_eq!(line.contains("region=\"eu\""), !own, "{line}");
            assert!(line.contains("service=\"a \\\"b\\\"\""), "{line}");
        }
        let closing =
            |line: &String| line.replace(",service=\"a \\\"b\\\"\"}", "}").replace(",region=\"eu\"", "");
        let bare: Vec<_> = found.iter().map(|line| without(line)).map(|line| closing(&line)).collect();
        assert_eq!(bare, lines(&of_plain));
        let process = of_labelled.lines().find(|line| line.starts_with("process_threads"));
        assert!(
            process.is_none_or(|line| line.starts_with("process_threads{region=\"eu\",service=")),
            "{process:?}"
        );
    }
    for (name, value) in
        [("", "x"), ("1a", "x"), ("a-b", "x"), ("__a", "x"), ("db", "x"), ("le", "x"), ("a", "")]
    {
        assert!(plain.clone().label(name, value).is_err(), "{name}={value}");
    }
    assert!(plain.clone().label("a", &"x".repeat(129)).is_err());
    let many = (0..16).try_fold(plain, |all, n| all.label(&format!("l{n}"), "x")).unwrap();
    assert!(many.clone().label("l0", "y").unwrap().text().contains("l0=\"y\""));
    assert!(many.label("l16", "x").is_err());
}

#[test]
fn labels_of_code_and_of_the_configuration_come_together_and_code_wins() {
    let plain = || Exporter::new(fixture::filled("orders"));
    let config = environment(&[("GLOBAL_LABELS", "region=eu,team=theirs")]);
    let before = plain().label("team", "ours").unwrap().config(&config).unwrap();
    let after = plain().config(&config).unwrap().label("team", "ours").unwrap();
    for exporter in [before, after] {
        let text = exporter.text();
        assert!(
            text.contains("db_entries{db=\"orders\",region=\"eu\",team=\"ours\"} "),
            "{}",
            &text[..2_000]
        );
    }
    let names: Vec<_> = (0..17).map(|n| format!("l{n}=x")).collect();
    let many = plain().config(&environment(&[("GLOBAL_LABELS", &names.join(","))]));
    assert!(many.unwrap_err().to_string().contains("one too many"));
}

#[test]
fn a_second_monitor_has_nothing_of_the_first() {
    use bettong_exporter::health::HealthMonitor;
    let first = HealthMonitor::new().interval(Duration::from_secs(1)).threads_max(3);
    let exporter = Exporter::new(fixture::filled("orders")).health(first).health(HealthMonitor::new());
    let server = exporter.listen("127.0.0.1:0").unwrap();
    let settings = &get(&server, "/api/v1/config").json()["exporter"]["settings"];
    assert_eq!(settings["health_check_interval_ms"]["value"], 30_000);
    assert_eq!(settings["threads_max"]["value"], 1_000);
}
