//! Numbers as people write them.

/// Bytes: `100`, `16K`, `16KiB`, `64M`, `1GiB`, all powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return Err(format!("{unit:?} is no unit: K, M or G, powers of 1024")),
    };
    scaled(digits, (1u64 << shift) as f64)
}

/// A count: `5000`, `500k`, `4M`, powers of 1000.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let factor = match unit {
        "" => 1.0,
        "K" | "k" => 1e3,
        "M" | "m" => 1e6,
        _ => return Err(format!("{unit:?} is no unit: k or M, powers of 1000")),
    };
    scaled(digits, factor)
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn scaled(digits: &str, factor: f64) -> Result<u64, String> {
    let number: f64 = digits.parse().map_err(|_| format!("{digits:?} is no number"))?;
    Ok((number * factor).round() as u64)
}

/// A rate or a count with three digits: `372k`, `4.61M`, `3.10`.
pub(crate) fn short(number: f64) -> String {
    match number {
        n if n >= 999.5e3 => format!("{}M", three(n / 1e6)),
        n if n >= 9_999.5 => format!("{}k", three(n / 1e3)),
        n if n >= 999.5 => format!("{n:.0}"),
        n => three(n),
    }
}

fn three(number: f64) -> String {
    match number {
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood() {
        assert_eq!((bytes("16K"), bytes("16KiB"), bytes("100")), (Ok(16384), Ok(16384), Ok(100)));
        assert_eq!((count("4M"), count("1.5k"), count("7")), (Ok(4_000_000), Ok(1500), Ok(7)));
        assert!(bytes("1x").is_err() && count("x").is_err());
    }

    #[test]
    fn three_digits_are_kept() {
        let shown = [371_946.0, 4_611_000.0, 1234.0, 307.7, 3.1, 99.96].map(short);
        assert_eq!(shown, ["372k", "4.61M", "1234", "308", "3.10", "100"]);
    }
}
