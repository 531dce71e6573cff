//! Which names and labels a custom series may have.
//!
//! Source: Prometheus, "Data model" and "Metric and label naming". On top of it, names end as OpenMetrics wants them to,
//! and no name can collide with one of the database's own or with the lines of a histogram.

use super::error::RegisterError;
use super::kind::CustomKind;
use crate::catalog::Family;

/// The most labels of a custom series, without the label `db`.
pub const MAX_LABELS: usize = 8;

/// The longest value of a label.
pub const MAX_LABEL_VALUE_BYTES: usize = 128;

/// The longest name of a metric or label.
pub const MAX_NAME_BYTES: usize = 128;

/// What the database's own names begin with.
const BUILT_IN_PREFIX: &str = "db_";

/// The suffixes that formats append to the names of families.
const RESERVED_SUFFIXES: [&str; 5] = ["_bucket", "_count", "_sum", "_created", "_info"];

/// The labels that formats add themselves.
const RESERVED_LABELS: [&str; 3] = ["le", "quantile", "db"];

/// Checks the name of a family of this kind.
pub(super) fn check_name(name: &str, kind: CustomKind) -> Result<(), RegisterError> {
    let stem = name.strip_suffix("_total");
    let rule = if !is_identifier(stem.unwrap_or(name)) {
        "use letters, digits and underscores, a digit not first, and at most 128 of them"
    } else if name.starts_with(BUILT_IN_PREFIX) || Family::all().any(|family| family.desc().name == name) {
        "names that begin with `db_` are the database's own; begin with the application's name"
    } else if stem.is_none() && kind == CustomKind::Counter {
        "the name of a counter ends in `_total`"
    } else if stem.is_some() && kind != CustomKind::Counter {
        "only the name of a counter ends in `_total`"
    } else if RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        "do not end it in `_bucket`, `_count`, `_sum`, `_created` or `_info`"
    } else {
        return Ok(());
    };
    Err(RegisterError::InvalidName { name: shortened(name), rule })
}

/// Checks labels that are sorted by name.
pub(super) fn check_labels(sorted: &[(&str, &str)]) -> Result<(), RegisterError> {
    for (name, value) in sorted {
        check_label_name(name)?;
        if value.len() > MAX_LABEL_VALUE_BYTES {
            return Err(RegisterError::LabelValueTooLong { label: shortened(name), bytes: value.len() });
        }
    }
    let mut followed = sorted.iter().zip(sorted.iter().skip(1));
    match followed.find(|((name, _), (next, _))| name == next) {
        Some(((name, _), _)) => Err(RegisterError::DuplicateLabel { label: shortened(name) }),
        None => Ok(()),
    }
}

fn check_label_name(name: &str) -> Result<(), RegisterError> {
    let rule = if !is_identifier(name) {
        "use letters, digits and underscores, a digit not first, and at most 128 of them"
    } else if name.starts_with("__") {
        "names that begin with two underscores are Prometheus' own"
    } else if RESERVED_LABELS.contains(&name) {
        "`le`, `quantile` and `db` are added by the formats"
    } else {
        return Ok(());
    };
    Err(RegisterError::InvalidLabel { label: shortened(name), rule })
}

fn is_identifier(name: &str) -> bool {
    let digit_first = name.bytes().next().is_none_or(|first| first.is_ascii_digit());
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !digit_first && name.len() <= MAX_NAME_BYTES && name.bytes().all(word)
}

/// The name, cut where an error would otherwise carry a whole document.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass_for_their_kind_alone() {
        for name in ["app_logins_total", "_private_total", "A9_total"] {
            assert_eq!(check_name(name, CustomKind::Counter), Ok(()));
            assert!(check_name(name, CustomKind::Gauge).is_err());
        }
        for name in ["app_queue_length", "total", "app_total_bytes", "d"] {
            for kind in [CustomKind::Gauge, CustomKind::Histogram, CustomKind::Summary] {
                assert_eq!(check_name(name, kind), Ok(()));
            }
            assert!(check_name(name, CustomKind::Counter).is_err());
        }
    }

    #[test]
    fn bad_names_are_refused() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for name in ["", "9a", "a:b", "a-b", "größe", "a b", "a\n", "db_mine", "a_bucket", "a_count", &long]
        {
            assert!(matches!(check_name(name, CustomKind::Gauge), Err(RegisterError::InvalidName { .. })));
        }
        for name in ["9_total", "a:_total", "_total_", "db_get_operations_total"] {
            assert!(check_name(name, CustomKind::Counter).is_err(), "{name}");
        }
        assert!(
            check_name("_total", CustomKind::Counter).is_err(),
            "OpenMetrics would call it nothing at all"
        );
        for name in ["a_sum", "a_created", "a_info", "db_entries"] {
            assert!(check_name(name, CustomKind::Histogram).is_err(), "{name}");
        }
    }

    #[test]
    fn bad_labels_are_refused() {
        let long = "x".repeat(MAX_LABEL_VALUE_BYTES + 1);
        for name in ["", "le", "quantile", "db", "__name__", "a-b", "1"] {
            assert!(matches!(check_labels(&[(name, "x")]), Err(RegisterError::InvalidLabel { .. })));
        }
        assert!(matches!(
            check_labels(&[("a", long.as_str())]),
            Err(RegisterError::LabelValueTooLong { bytes: 129, .. })
        ));
        assert!(matches!(check_labels(&[("a", "1"), ("a", "2")]), Err(RegisterError::DuplicateLabel { .. })));
        assert_eq!(check_labels(&[("a", ""), ("tenant", &long[1..])]), Ok(()));
    }
}
