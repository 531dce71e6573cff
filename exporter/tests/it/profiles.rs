//! How many series each profile brings, and that what is documented is so.

use crate::custom;
use crate::exposition::parse;
use crate::fixture;
use bettong_exporter::formats::{Profile, budget, text};
use bettong_metrics::{Family, MetricsSnapshot, Registry};

fn lines(snapshots: &[MetricsSnapshot], profile: Profile) -> usize {
    let text = text::render_profile(snapshots, profile);
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn the_budget_counts_the_lines_that_are_written() {
    let snapshots = [fixture::filled("orders").snapshot(), custom::filled("stock").snapshot()];
    for profile in Profile::ALL {
        assert_eq!(budget::series(&snapshots, profile), lines(&snapshots, profile), "{profile}");
        assert!(budget::native_series(&snapshots, profile) < budget::series(&snapshots, profile));
    }
}

/// The figures of `docs/exporter.md`, and a bound that a new family must not push them over unnoticed.
#[test]
fn the_budget_is_as_documented_and_grows_by_the_database() {
    let snapshots: Vec<_> = ["a", "b", "c"].map(|name| Registry::new(name).snapshot()).into();
    let documented = include_str!("../../../docs/exporter.md");
    let bounds = [
        (Profile::Standard, 3_300),
        (Profile::Native, 1_100),
        (Profile::Minimal, 400),
        (Profile::Full, 6_600),
    ];
    let mut wrong = Vec::new();
    for (profile, bound) in bounds {
        let one = budget::series(&snapshots[..1], profile);
        let native = budget::native_series(&snapshots[..1], profile);
        println!("{profile}: {one} series of one database, {native} where histograms are native");
        assert!(one <= bound, "{profile}: {one}");
        assert_eq!(budget::series(&snapshots, profile), 3 * one);
        let row = format!("| `{profile}` | {one} | {native} |");
        wrong.extend((!documented.contains(&row)).then_some(row));
    }
    assert!(wrong.is_empty(), "docs/exporter.md says something else than:\n{}", wrong.join("\n"));
}

#[test]
fn profiles_show_what_they_say() {
    let snapshots = [fixture::filled("orders").snapshot()];
    let families = |profile| parse(&text::render_profile(&snapshots, profile));
    assert_eq!(families(Profile::Minimal).len(), 24);
    for profile in [Profile::Standard, Profile::Native, Profile::Full] {
        assert_eq!(families(profile).len(), Family::all().count(), "{profile}");
    }
    let edges = |profile, name: &str| {
        let found = families(profile).into_iter().find(|family| family.name == name).unwrap();
        found.samples.iter().filter(|sample| sample.name.ends_with("_bucket")).count()
    };
    assert_eq!(edges(Profile::Native, "db_get_latency_seconds"), 1);
    assert_eq!(edges(Profile::Minimal, "db_get_latency_seconds"), 59);
    assert_eq!(edges(Profile::Standard, "db_flush_duration_seconds"), 28);
    assert_eq!(edges(Profile::Full, "db_flush_duration_seconds"), 59);
}
