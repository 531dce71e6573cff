//! Figures for people: sizes, times, counts.

use std::time::Duration;

/// How sizes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// Three digits and an IEC unit: `1.50 MiB`.
    #[default]
    Short,
    /// The number of bytes: `1572864`.
    Exact,
}

impl Sizes {
    /// A number of bytes.
    pub(crate) fn show(self, bytes: u64) -> String {
        match self {
            Sizes::Short => scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"]),
            Sizes::Exact => bytes.to_string(),
        }
    }
}

/// A time with three digits and its unit.
pub(crate) fn time(time: Duration) -> String {
    scaled(time.as_nanos() as f64, 1000.0, &["ns", "µs", "ms", "s"])
}

/// A rate with three digits: `1.23 M`.
pub(crate) fn rate(per_second: f64) -> String {
    scaled(per_second, 1000.0, &["", "k", "M", "G"]).trim_end().to_owned()
}

/// A whole number, its digits in groups of three: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while value >= step {
        let Some(next) = units.next() else { break };
        value /= step;
        unit = next;
    }
    let digits = if value >= 100.0 || value.fract() == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

/// Reads a size: a number with an optional unit, as in `64MiB`, `64M`, `4096`. Decimal prefixes mean powers of 1024
/// too, since that is what they are typed for here.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no size: try 64MiB"))?;
    let shift = match unit.trim().to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(format!("`{unit}` is no unit of size: use KiB, MiB, GiB or TiB")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is too large"))
}

/// Reads a time: a number with its unit, as in `500ms`, `60s`, `5m`, `2h`, `7d`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no time: try 60s"))?;
    let millis = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{unit}` is no unit of time: use ms, s, m, h or d")),
    };
    match number.checked_mul(millis) {
        None => Err(format!("`{text}` is too long")),
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        assert_eq!(Sizes::Short.show(1_572_864), "1.50 MiB");
        assert_eq!(Sizes::Exact.show(1_572_864), "1572864");
        assert_eq!(time(Duration::from_nanos(1_234_567)), "1.23 ms");
        assert_eq!(rate(4_610_000.0), "4.61 M");
        assert_eq!(rate(12.0), "12");
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("2g"), Ok(2 << 30));
        for bad in ["", "MiB", "1.5MiB", "3 apples", "99999999999999999999", "99999999999T"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_read_with_a_unit() {
        assert_eq!(parse_time("1500ms"), Ok(Duration::from_millis(1500)));
        let seconds = |text: &str| parse_time(text).unwrap().as_secs();
        assert_eq!(["60s", "5m", "2h", "7d"].map(seconds), [60, 300, 7200, 604_800]);
        for bad in
            ["", "60", "s", "0s", "-1s", "1.5s", "3 moons", "99999999999999999999s", "99999999999999999d"]
        {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
