//! `docs/metrics.md` is the catalogue, printed.

use bettong_metrics::{Desc, Family, Group};
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn the_documentation_says_what_the_catalogue_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let printed = printed();
    if std::env::var_os("BETTONG_WRITE_DOCS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(printed.lines()).position(|(old, new)| old != new);
    assert!(
        written == printed,
        "docs/metrics.md differs from the catalogue (line {}). Write it anew with\n    \
         BETTONG_WRITE_DOCS=1 cargo test -p bettong-metrics --test it documentation",
        differs.unwrap_or_else(|| written.lines().count().min(printed.lines().count())) + 1
    );
}

fn printed() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Every family that a database reports, as the code declares them: this file is printed from the catalogue, \
         `metrics-core/src/catalog`. Every series has one more label, `db`, the name of its database. Counters and \
         histograms grow while the database is open; gauges say what is so now. Times are exported in seconds, sizes in \
         bytes, shares as numbers from 0 to 1.\n",
    );
    let _ = writeln!(text, "\n{} families.", Family::all().count());
    for group in Group::ALL {
        let _ = writeln!(text, "\n## {}\n\n| name | type | unit | labels | meaning |", group.title());
        text.push_str("| --- | --- | --- | --- | --- |\n");
        for family in Family::all().filter(|family| family.group() == group) {
            let desc = family.desc();
            let unit = if desc.unit.as_str().is_empty() { "–" } else { desc.unit.as_str() };
            let (kind, labels) = (family.kind().as_str(), labels(desc));
            let _ = writeln!(text, "| `{}` | {kind} | {unit} | {labels} | {} |", desc.name, desc.help);
        }
    }
    text
}

/// Each label with its values; those that are known only of a build or a machine without.
fn labels(desc: &Desc) -> String {
    let one = |label: &bettong_metrics::Label| match label.values {
        [_] => format!("`{}`", label.name),
        values => format!("`{}`: {}", label.name, values.join(", ")),
    };
    let labels: Vec<_> = desc.labels.iter().map(one).collect();
    if labels.is_empty() { "–".to_owned() } else { labels.join("; ") }
}
