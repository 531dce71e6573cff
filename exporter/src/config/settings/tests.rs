//! What is read, what is refused, and what wins.

use super::*;
use proptest::prelude::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, text)| (OsString::from(name), OsString::from(text))).collect()
}

fn environment(pairs: &[(&str, &str)]) -> Result<Config> {
    Config::default().variables(variables(pairs))
}

fn faults(result: Result<Config>) -> Vec<String> {
    match result.unwrap_err() {
        Error::Config(faults) => faults,
        other => panic!("{other}"),
    }
}

fn shown(config: &Config, name: &str) -> String {
    let (value, source) = config.value(name).unwrap();
    format!("{} {source}", value.shown())
}

#[test]
fn every_key_has_a_variable_and_a_default_that_fits() {
    for key in &KEYS {
        assert_eq!(KEYS.iter().filter(|other| other.name == key.name).count(), 1, "{}", key.name);
        let fits = match key.default() {
            Value::Switch(value) => key.switch(value).is_some(),
            Value::Number(value) => key.number(value).is_some(),
            Value::Text(value) => key.text(&value).is_some(),
            Value::Words(words) => key.words(words.iter().map(String::as_str)).is_some(),
            Value::Nothing => true,
            Value::Path(_) | Value::Hidden(_) => false,
        };
        assert!(fits && !key.wanted().is_empty(), "{}", key.name);
    }
    assert_eq!(keys::of("port").unwrap().variable(), "BETTONG_METRICS_PORT");
}

#[test]
fn the_environment_is_read_as_far_as_it_is_ours() {
    let config = environment(&[
        ("BETTONG_METRICS_PORT", "9465"),
        ("BETTONG_METRICS_PATH", "/prom/metrics"),
        ("BETTONG_METRICS_HOSTS", "db1.example, db2.example,"),
        ("BETTONG_METRICS_NATIVE_HISTOGRAMS", "1"),
        ("BETTONG_METRICS_BEARER_TOKEN", "sesame"),
        ("BETTONG_UPDATE_GOLDEN", "x"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    assert_eq!(shown(&config, "port"), "9465 environment");
    assert_eq!(shown(&config, "path"), "\"/prom/metrics\" environment");
    assert_eq!(shown(&config, "hosts"), "[\"db1.example\",\"db2.example\"] environment");
    assert_eq!(shown(&config, "native_histograms"), "true environment");
    assert_eq!(shown(&config, "bearer_token"), "\"<secret>\" environment");
    assert!(!format!("{config:?}").contains("sesame"));
    assert_eq!(config.values().count(), 5);
}

#[test]
fn all_faults_of_the_environment_are_told_at_once_and_no_secret_is() {
    let found = faults(environment(&[
        ("BETTONG_METRICS_PROT", "1"),
        ("BETTONG_METRICS_PORT", "70000"),
        ("BETTONG_METRICS_ENABLED", "yes"),
        ("BETTONG_METRICS_ADDRESS", "localhost"),
        ("BETTONG_METRICS_PATH", "/api/v1/info"),
        ("BETTONG_METRICS_PROFILE", "tiny"),
        ("BETTONG_METRICS_HOSTS", "a b"),
        ("BETTONG_METRICS_BEARER_TOKEN", ""),
        ("BETTONG_METRICS_SLOW_THRESHOLD_MS", "+5"),
    ]));
    assert_eq!(found.len(), 9, "{found:?}");
    assert!(
        found[0].ends_with("BETTONG_METRICS_PROT is not known; is BETTONG_METRICS_PORT meant?"),
        "{}",
        found[0]
    );
    assert!(found[1].ends_with("PORT must be a whole number from 0 to 65535, not \"70000\""), "{}", found[1]);
    assert!(found[2].ends_with("ENABLED must be true or false, not \"yes\""), "{}", found[2]);
}

#[cfg(feature = "config")]
#[test]
fn faults_of_a_file_name_key_range_and_line() {
    let text = "# first\n[exporter]\nport = 70_000\nprot = 1\nprofile = \"tiny\"\nbearer_token = 5\nhosts = [\"a\", 1]\nenabled = 1.5\n\n[exportr]\n";
    let found = super::super::file::read(text);
    let expected = [
        "line 3: exporter.port must be a whole number from 0 to 65535, not 70000",
        "line 4: exporter.prot is not known; is exporter.port meant?",
        "line 5: exporter.profile must be standard, native, minimal or full, not \"tiny\"",
        "line 6: exporter.bearer_token must be a text that is not empty",
        "line 7: exporter.hosts must be a list of names of hosts, not a value of type array",
        "line 8: exporter.enabled must be true or false, not a value of type float",
        "line 10: exportr is not known; is exporter meant?",
    ];
    let mut faults = found.faults;
    faults.sort_by_key(|fault| fault[5..].split(':').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(faults, expected);
    for (text, start) in [
        ("[exporter]\nport = \n", "line 2: "),
        ("exporter = 3", "line 1: exporter must be a table"),
        ("[exporter]\nport = 1\nport = 2\n", "line 3: "),
        ("[exporter]\nbearer_token = \"sesame\n", "line 2: "),
    ] {
        let faults = super::super::file::read(text).faults;
        assert!(faults.len() == 1 && faults[0].starts_with(start), "{faults:?}");
        assert!(!faults[0].contains("sesame"));
    }
}

#[cfg(all(feature = "config", unix))]
#[test]
fn e19_secrets_are_read_from_files_that_nobody_else_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = std::env::temp_dir().join(format!("bettong-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let put = |name: &str, text: &str, mode| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let plain = put("plain.toml", "[exporter]\nport = 9465\nprofile = \"full\"\n", 0o644);
    // Whatever the order of the calls, the environment wins over a file.
    let port = variables(&[("BETTONG_METRICS_PORT", "9466")]);
    for config in [
        Config::default().file(&plain).and_then(|config| config.variables(port.clone())).unwrap(),
        Config::default().variables(port.clone()).and_then(|config| config.file(&plain)).unwrap(),
    ] {
        assert_eq!(
            (shown(&config, "port"), shown(&config, "profile")),
            ("9466 environment".into(), "\"full\" file".into())
        );
    }
    let secret = "[exporter]\nbearer_token = \"sesame\"\n";
    let found = faults(Config::default().file(put("open.toml", secret, 0o644)));
    assert!(found.len() == 1 && found[0].contains("chmod 600") && !found[0].contains("sesame"), "{found:?}");
    let inline = Config::default().file(put("closed.toml", secret, 0o600)).unwrap();
    assert_eq!(shown(&inline, "bearer_token"), "\"<secret>\" file");

    let secret_of = |config: &Config| config.secret("bearer_token", "bearer_token_file");
    let token = put("token", "from a file\n", 0o600);
    let by_file = variables(&[("BETTONG_METRICS_BEARER_TOKEN_FILE", token.to_str().unwrap())]);
    let both = inline.clone().variables(by_file.clone()).unwrap();
    let (secret, source) = secret_of(&both).unwrap().unwrap();
    assert!(secret.is(b"from a file") && source == Source::Environment);
    assert!(
        !both.value("bearer_token_file").unwrap().0.shown().to_string().contains("token"),
        "where it lies is not shown"
    );
    let twice = both.variables(variables(&[("BETTONG_METRICS_BEARER_TOKEN", "x")])).unwrap();
    assert!(secret_of(&twice).unwrap_err().to_string().contains("both set"));
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = Config::default().variables(by_file).unwrap();
    assert!(secret_of(&open).unwrap_err().to_string().contains("chmod 600"));
    assert!(secret_of(&Config::default()).unwrap().is_none());
    let missing = faults(Config::default().file(directory.join("missing.toml")));
    assert!(missing[0].contains("missing.toml"), "{missing:?}");
    std::fs::remove_dir_all(&directory).unwrap();
}

proptest! {
    #[test]
    fn no_variable_makes_it_panic(name in "BETTONG_METRICS_[A-Z_]{0,20}", text in ".{0,80}") {
        let _ = environment(&[(name.as_str(), text.as_str())]);
        for key in &KEYS {
            let _ = environment(&[(key.variable().as_str(), text.as_str())]);
        }
    }

    #[cfg(feature = "config")]
    #[test]
    fn no_text_of_a_file_makes_it_panic(
        text in ".{0,200}",
        lines in prop::collection::vec("(\\[|\\[\\[)?(exporter|port|hosts|enabled|a\\.b)(\\]|\\]\\])? ?=? ?(-?[0-9]{1,30}|true|\"x\"|\\[\"a\",|\\{|'|\"\"\"|[0-9]e9)?", 0..8),
    ) {
        for text in [text, format!("[exporter]\n{}", lines.join("\n")), lines.join("\n")] {
            let found = super::super::file::read(&text);
            let lines = text.split('\n').count();
            for fault in found.faults {
                let line = fault.strip_prefix("line ").and_then(|rest| rest.split(':').next()).unwrap();
                prop_assert!((1..=lines).contains(&line.parse::<usize>().unwrap()), "{}", fault);
            }
        }
    }
}
