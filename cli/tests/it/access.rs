//! Single keys and ranges, in every format.

use crate::tool::{Place, run};

#[test]
fn a_key_comes_back_in_every_format() {
    for (format, key, value, shown) in [
        ("utf8", "wombat 袋熊", "digs \"x\\n\"", "digs \"x\\n\""),
        ("hex", "00ff", "0a1b", "0a1b"),
        ("base64", "AP8=", "Chs=", "Chs="),
    ] {
        let place = Place::new();
        assert_eq!(place.run(&["set", "--format", format, key, value]).expect(0).text(), "");
        assert_eq!(place.run(&["get", "--format", format, key]).expect(0).text(), format!("{shown}\n"));
        let scanned = place.run(&["scan", "--format", format]).expect(0);
        assert_eq!(scanned.text(), format!("{key}\t{shown}\n"));
        let json = place.run(&["scan", "--format", format, "--json"]).expect(0).json();
        assert_eq!((json["schema_version"].as_u64(), json["count"].as_u64()), (Some(1), Some(1)));
        assert_eq!(json["items"][0]["value"], value);
        assert_eq!(place.run(&["count"]).expect(0).text(), "1\n");
        place.run(&["delete", "--format", format, key]).expect(0);
        place.run(&["get", "--format", format, key]).expect(1);
        assert_eq!(place.run(&["count"]).expect(0).text(), "0\n");
    }
}

#[test]
fn bytes_come_from_standard_input_and_go_out_as_they_are() {
    let place = Place::new();
    let nasty = b"\x1b[31mred\n\x00\xff\xc2\x9b";
    place.run_with(&["set", "k", "-"], nasty).expect(0);
    assert_eq!(place.run(&["get", "--raw", "k"]).expect(0).stdout, nasty);
    let shown = place.run(&["get", "k"]).expect(0);
    assert_eq!(shown.text(), "\\x1b[31mred\\n\\x00\\xff\\u{9b}\n");
    let json = place.run(&["get", "--json", "k"]).expect(0).json();
    assert_eq!((&json["found"], json["value_base64"].as_str()), (&true.into(), Some("G1szMW1yZWQKAP/Cmw==")));
    place.run_with(&["set", "--format", "hex", "6b", "-"], b" 0aff\n").expect(0);
    assert_eq!(place.run(&["get", "--raw", "k"]).expect(0).stdout, b"\x0a\xff");
}

#[test]
fn a_missing_key_is_said_and_counted_as_a_failure() {
    let place = Place::new();
    place.run(&["set", "k", "v"]).expect(0);
    let missing = place.run(&["get", "nothing"]).expect(1);
    assert_eq!((missing.text(), missing.stderr.trim()), ("", "error: no key nothing"));
    let json = place.run(&["get", "--json", "nothing"]).expect(1).json();
    assert_eq!(json, serde_json::json!({"schema_version": 1, "found": false, "key": "nothing"}));
}

#[test]
fn ranges_begin_and_end_where_they_should() {
    let place = Place::new();
    for key in ["a", "ab", "abc", "b", "c"] {
        place.run(&["set", key, key]).expect(0);
    }
    let keys = |args: &[&str]| {
        let mut all = vec!["scan", "--keys-only"];
        all.extend(args);
        place.run(&all).expect(0).text().lines().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(&[]), "a ab abc b c");
    assert_eq!(keys(&["--prefix", "ab"]), "ab abc");
    assert_eq!(keys(&["--from", "ab", "--to", "b"]), "ab abc");
    assert_eq!(keys(&["--from", "ab", "--limit", "2"]), "ab abc");
    assert_eq!(keys(&["--reverse", "--limit", "2"]), "c b");
    assert_eq!(keys(&["--prefix", "a", "--reverse"]), "abc ab a");
    assert_eq!(keys(&["--from", "x", "--to", "b"]), "");
    assert_eq!(place.run(&["count", "--prefix", "a"]).expect(0).text(), "3\n");
    let json = place.run(&["count", "--from", "b", "--json"]).expect(0).json();
    assert_eq!(json["count"], 2);
}

#[test]
fn the_state_is_shown_and_tidied() {
    let place = Place::new();
    place.run(&["set", "a", "1"]).expect(0);
    place.run(&["delete", "a"]).expect(0);
    place.run(&["set", "b", "2"]).expect(0);
    let stats = place.run(&["stats"]).expect(0);
    for part in ["Recovery", "Levels", "Totals", "write amplification"] {
        assert!(stats.text().contains(part), "{stats:?}");
    }
    assert_eq!(place.run(&["stats", "--json"]).expect(0).json()["schema_version"], 1);
    let compacted = place.run(&["compact", "--json"]).expect(0).json();
    assert_eq!(compacted["entries_after"], 1, "{compacted}");
    assert!(place.run(&["verify"]).expect(0).text().starts_with("sound: 1 tables"));
    let verified = place.run(&["verify", "--json"]).expect(0).json();
    assert_eq!((&verified["sound"], &verified["entries"]), (&true.into(), &1.into()));
}

#[test]
fn a_value_with_a_time_to_live_is_gone_after_it() {
    let place = Place::new();
    place.run(&["set", "--ttl", "1d", "long", "here"]).expect(0);
    place.run(&["set", "--ttl", "1ms", "short", "gone"]).expect(0);
    place.run(&["set", "ever", "here"]).expect(0);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(place.run(&["get", "long"]).expect(0).text(), "here\n");
    place.run(&["get", "short"]).expect(1);
    assert_eq!(place.run(&["scan", "--keys-only"]).expect(0).text(), "ever\nlong\n");
    assert_eq!(place.run(&["count"]).expect(0).text(), "2\n");
    // A later set without one lives for ever.
    place.run(&["set", "short", "back"]).expect(0);
    assert_eq!(place.run(&["get", "short"]).expect(0).text(), "back\n");
    for bad in ["60", "0s", "soon"] {
        assert!(place.run(&["set", "--ttl", bad, "k", "v"]).expect(2).stderr.contains("--ttl"));
    }
}

#[test]
fn completions_are_a_script() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(["completions", shell]).expect(0);
        assert!(
            ["import", "gc", "dry-run", "ttl", "tree-view", "edits"]
                .iter()
                .all(|word| script.text().contains(word))
        );
    }
}
