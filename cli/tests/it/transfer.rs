//! Import and export.

use std::fmt::Write as _;
use std::fs;

use crate::tool::{Place, Run, arg};

fn import(place: &Place, file: &std::path::Path, more: &[&str]) -> Run {
    let mut args = vec!["import", arg(file)];
    args.extend(more);
    place.run(&args)
}

fn sorted(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.sort();
    lines
}

#[test]
fn pairs_come_back_whatever_is_in_them() {
    let place = Place::new();
    let lines = concat!(
        "{\"key\":\"a\",\"value\":\"\"}\n",
        "{\"key\":\"b\\n\\\"\",\"value\":\"\\u001b[31m\\u0000\\u2028 \\ud83e\\udd98\"}\n",
        "\n",
        "{\"key_base64\":\"/w==\",\"value_base64\":\"AP8=\"}\n",
        "{\"key\":\"c\",\"value\":\"old\"}\r\n",
        "{\"value\":\"new\",\"key\":\"c\"}",
    );
    let file = place.file("in.ndjson", lines.as_bytes());
    assert_eq!(import(&place, &file, &[]).expect(0).text(), "imported 5 records\n");
    let out = place.path("out.ndjson");
    place.run(&["export", arg(&out)]).expect(0);
    let exported = fs::read(&out).unwrap();
    assert!(!exported.iter().any(|byte| byte.is_ascii_control() && *byte != b'\n'));
    assert_eq!(exported.split(|byte| *byte == b'\n').count(), 5);

    // Through another database and back, by way of pipes.
    let other = Place::new();
    let again = other.run_with(&["import", "-", "--batch", "2", "--durability", "sync"], &exported).expect(0);
    assert_eq!(again.text(), "imported 4 records\n");
    assert_eq!(other.run(&["export"]).expect(0).stdout, exported);
    assert_eq!(other.run(&["get", "c"]).expect(0).text(), "new\n");
    assert_eq!(other.run(&["get", "--format", "hex", "ff"]).expect(0).text(), "00ff\n");
}

#[test]
fn objects_come_back_byte_for_byte() {
    let place = Place::new();
    let mut text = String::new();
    for id in 0..2500 {
        let key = id * 7 % 2500;
        writeln!(text, "{{ \"id\": \"{key:05}\",\t\"n\":1.{id}0e2, \"s\":\"\\u00e9é\\/\" }}").unwrap();
    }
    let file = place.file("in.ndjson", text.as_bytes());
    let imported = import(&place, &file, &["--key-field", "id", "--json"]).expect(0).json();
    assert_eq!((&imported["imported"], &imported["bytes"]), (&2500.into(), &text.len().into()));
    let exported = place.run(&["export", "--raw", "-q"]).expect(0);
    assert_eq!((sorted(&exported.stdout), exported.stderr.as_str()), (sorted(text.as_bytes()), ""));
    import(&place, &file, &["--key-field", "id", "--value-field", "n"]).expect(0);
    assert_eq!(place.run(&["get", "00007"]).expect(0).text(), "1.10e2\n");
}

#[test]
fn csv_comes_back_with_quotes_and_newlines() {
    let place = Place::new();
    let text = "key,value\r\na,\"one, \"\"two\"\"\nthree\"\nb,\"\"\n\"c,\",plain\n";
    let file = place.file("in.csv", text.as_bytes());
    assert_eq!(import(&place, &file, &[]).expect(0).text(), "imported 3 records\n");
    place.run_with(&["set", "--format", "hex", "ff00", "0dff0a"], b"").expect(0);
    let out = place.path("out.csv");
    place.run(&["export", arg(&out)]).expect(0);
    let other = Place::new();
    assert_eq!(import(&other, &out, &[]).expect(0).text(), "imported 4 records\n");
    let hex = |place: &Place| place.run(&["scan", "--format", "hex"]).expect(0).stdout;
    assert_eq!(hex(&other), hex(&place));
    assert_eq!(other.run(&["get", "a"]).expect(0).text(), "one, \"two\"\\nthree\n");

    let wide = place.file("wide.csv", b"name,id,age\nAda,7,36\n");
    import(&place, &wide, &["--key-field", "id", "--value-field", "age"]).expect(0);
    assert_eq!(place.run(&["get", "7"]).expect(0).text(), "36\n");
    import(&place, &wide, &[]).expect(0);
    let row = "{\"name\":\"Ada\",\"id\":\"7\",\"age\":\"36\"}\n";
    assert_eq!(place.run(&["get", "Ada"]).expect(0).text(), row);
}

#[test]
fn a_bad_line_is_named_and_the_import_goes_on_from_there() {
    let place = Place::new();
    let good = |n: u32| format!("{{\"key\":\"{n}\",\"value\":\"v\"}}\n");
    let text =
        [good(1), good(2), "{\"key\":\"3\",\n".to_owned(), good(4), "{\"key\":5}\n".to_owned(), good(6)];
    let file = place.file("in.ndjson", text.concat().as_bytes());

    let stopped = import(&place, &file, &[]).expect(1);
    assert!(stopped.stderr.contains("line 3: column"), "{stopped:?}");
    assert!(stopped.stderr.contains("the 2 records before it are imported: resume with --from-line 3"));
    assert_eq!(place.run(&["count"]).expect(0).text(), "2\n");

    let stopped = import(&place, &file, &["--from-line", "4"]).expect(1);
    assert!(stopped.stderr.contains("line 5:"), "{stopped:?}");
    assert_eq!(place.run(&["count"]).expect(0).text(), "3\n");

    let skipped = import(&place, &file, &["--skip-errors"]).expect(0);
    assert_eq!(skipped.text(), "imported 4 records\npassed over 2 bad records\n");
    assert!(skipped.stderr.contains("line 3:") && skipped.stderr.contains("line 5:"), "{skipped:?}");
}

#[test]
fn bad_rows_have_line_numbers_too() {
    let place = Place::new();
    let file = place.file("in.csv", b"key,value\na,\"1\n1\"\nb\nc,3\n");
    let stopped = import(&place, &file, &[]).expect(1);
    assert!(stopped.stderr.contains("line 4: 1 columns"), "{stopped:?}");
    let skipped = import(&place, &file, &["--skip-errors"]).expect(0);
    assert!(skipped.text().starts_with("imported 2 records\n"), "{skipped:?}");
    let missing = import(&place, &file, &["--key-field", "id"]).expect(1);
    assert!(missing.stderr.contains("no column `id` in the header: key, value"), "{missing:?}");
}

#[test]
fn a_line_without_end_is_a_fault_and_not_the_end_of_the_memory() {
    let place = Place::new();
    let long = format!(
        "{{\"key\":\"k\",\"value\":\"{}\"}}\n{{\"key\":\"l\",\"value\":\"\"}}\n",
        "x".repeat(100_000)
    );
    let file = place.file("in.ndjson", long.as_bytes());
    let limit = ["--max-line-bytes", "64KiB"];
    let stopped = import(&place, &file, &limit).expect(1);
    assert!(stopped.stderr.contains("line 1: more than 65536 bytes"), "{stopped:?}");
    let skipped = import(&place, &file, &[&limit[..], &["--skip-errors"]].concat()).expect(0);
    assert!(skipped.text().starts_with("imported 1 records\n"), "{skipped:?}");
    let csv = place.file("in.csv", format!("key,value\na,\"{}", "x".repeat(1_000_000)).as_bytes());
    let stopped = import(&place, &csv, &limit).expect(1);
    assert!(stopped.stderr.contains("is a quote left open?"), "{stopped:?}");
}
