//! Numbers as the format prints them: as the standard library does, and the usual ones faster.

use crate::formats::scaled;
use bettong_metrics::Unit;
use std::fmt::Write as _;

/// A value, and how it is printed. Two are equal only if their texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    bits: u64,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    Billionths,
    Thousandths,
    /// The bits of an `f64`.
    Float,
}

impl Number {
    /// What a quantile of nothing is, as Prometheus' own clients have it.
    pub(super) const NONE: Self = Self::float(f64::NAN);

    /// A number of things.
    pub(super) const fn count(count: u64) -> Self {
        Self { bits: count, form: Form::Whole }
    }

    /// A value in the raw unit of its family.
    pub(super) const fn raw(raw: u64, unit: Unit) -> Self {
        let form = match unit {
            Unit::Nanoseconds => Form::Billionths,
            Unit::Thousandths => Form::Thousandths,
            Unit::Count | Unit::Bytes | Unit::BytesPerSecond | Unit::Seconds | Unit::Ratio => Form::Whole,
        };
        Self { bits: raw, form }
    }

    /// Any number.
    pub(super) const fn float(value: f64) -> Self {
        Self { bits: value.to_bits(), form: Form::Float }
    }

    /// Appends the number.
    pub(super) fn push_to(self, text: &mut String) {
        match self.form {
            Form::Whole => push_whole(text, self.bits),
            Form::Billionths => push_scaled::<1_000_000_000>(text, self.bits),
            Form::Thousandths => push_scaled::<1_000>(text, self.bits),
            Form::Float => push_float(text, f64::from_bits(self.bits)),
        }
    }

    /// Appends the number in the form that the labels `le` and `quantile` have in OpenMetrics.
    pub(super) fn push_canonical_to(self, text: &mut String) {
        let value = match self.form {
            Form::Whole => scaled(self.bits, 1),
            Form::Billionths => scaled(self.bits, 1_000_000_000),
            Form::Thousandths => scaled(self.bits, 1_000),
            Form::Float => f64::from_bits(self.bits),
        };
        push_canonical(text, value);
    }
}

/// Prints a number as Go does with its shortest form, and with a point where that has neither point nor exponent: what
/// OpenMetrics calls canonical, and what makes edges the same label whoever wrote them.
fn push_canonical(text: &mut String, value: f64) {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let written = if (-4..6).contains(&exponent) || !value.is_finite() || value == 0.0 {
        let point = if value.fract() == 0.0 { ".0" } else { "" };
        write!(text, "{value}{point}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(text, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    };
    debug_assert!(written.is_ok(), "writing into a string does not fail");
}

/// Prints a whole number: most values are one, and most of them small.
fn push_whole(text: &mut String, number: u64) {
    push_digits(text, number, 0);
}

/// Prints `raw / PER_UNIT`, which is a power of ten.
fn push_scaled<const PER_UNIT: u64>(text: &mut String, raw: u64) {
    // A double tells all decimals of 15 digits apart: the shortest one that stands for the quotient is the quotient itself.
    if raw >= 1_000_000_000_000_000 {
        push_float(text, scaled(raw, PER_UNIT));
        return;
    }
    push_whole(text, raw / PER_UNIT);
    let (mut fraction, mut per_unit) = (raw % PER_UNIT, PER_UNIT);
    if fraction > 0 {
        while fraction % 10 == 0 {
            (fraction, per_unit) = (fraction / 10, per_unit / 10);
        }
        text.push('.');
        // The leading one keeps the zeros behind it.
        push_digits(text, per_unit + fraction, 1);
    }
}

fn push_float(text: &mut String, value: f64) {
    // Below 2⁵³, what is whole is printed like a count, in a tenth of the time.
    if value.fract() == 0.0 && (1.0..9e15).contains(&value) || value.to_bits() == 0 {
        push_whole(text, value as u64);
        return;
    }
    let written = write!(text, "{value}");
    debug_assert!(written.is_ok(), "writing into a string does not fail");
}

/// Prints the digits of `number` but for the first `skipped`.
fn push_digits(text: &mut String, number: u64, skipped: usize) {
    let mut digits = [0; 20];
    let (mut rest, mut first) = (number, digits.len());
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first -= 1;
        if rest == 0 {
            break;
        }
    }
    let digits = digits.get(first + skipped..).unwrap_or_default();
    text.push_str(str::from_utf8(digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(number: Number) -> String {
        let mut text = String::new();
        number.push_to(&mut text);
        text
    }

    #[test]
    fn raw_values_are_printed_in_their_unit() {
        assert_eq!(printed(Number::raw(1_500_000_000, Unit::Nanoseconds)), "1.5");
        assert_eq!(printed(Number::raw(127, Unit::Nanoseconds)), "0.000000127");
        assert_eq!(printed(Number::raw(2_047, Unit::Thousandths)), "2.047");
        assert_eq!(printed(Number::raw(u64::MAX, Unit::Bytes)), u64::MAX.to_string());
        assert_eq!(printed(Number::NONE), "NaN");
    }

    #[test]
    fn numbers_at_the_bounds_are_printed_as_the_standard_library_does() {
        let limit = 1_000_000_000_000_000_u64;
        for number in [0, 1, 9, 10, 99, 100, 999, limit - 1, limit, limit + 1, u64::MAX] {
            assert_eq!(printed(Number::count(number)), number.to_string());
            let expected = scaled(number, 1_000_000_000).to_string();
            assert_eq!(printed(Number::raw(number, Unit::Nanoseconds)), expected);
            let expected = scaled(number, 1_000).to_string();
            assert_eq!(printed(Number::raw(number, Unit::Thousandths)), expected);
        }
        for value in [0.0, -0.0, 0.1, 1.0, -1.0, 1e15, 9e15, 1e16, 1e300, f64::MIN_POSITIVE] {
            assert_eq!(printed(Number::float(value)), value.to_string());
        }
    }

    #[test]
    fn canonical_numbers_are_those_of_the_specification() {
        let canonical = |value| {
            let mut text = String::new();
            Number::float(value).push_canonical_to(&mut text);
            text
        };
        // The examples of OpenMetrics 1.0, "Considerations: Canonical Numbers", and what Go prints for some others.
        for (value, expected) in [
            (0.0, "0.0"),
            (0.001, "0.001"),
            (0.002, "0.002"),
            (1.0, "1.0"),
            (1.001, "1.001"),
            (10.0, "10.0"),
            (1e-10, "1e-10"),
            (1e-9, "1e-09"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (0.1, "0.1"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1e10, "1e+10"),
            (1.27e-7, "1.27e-07"),
            (1_099_511_627_775.0, "1.099511627775e+12"),
        ] {
            assert_eq!(canonical(value), expected);
        }
        let mut edge = String::new();
        Number::raw(1_023, Unit::Nanoseconds).push_canonical_to(&mut edge);
        assert_eq!(edge, "1.023e-06");
    }

    proptest! {
        #[test]
        fn canonical_numbers_are_read_back(value in any::<f64>().prop_filter("numbers", |value| value.is_finite())) {
            let mut text = String::new();
            Number::float(value).push_canonical_to(&mut text);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{}", text);
            prop_assert!(text.contains(['.', 'e']));
        }

        #[test]
        fn numbers_are_printed_as_the_standard_library_does(shift in 0..64_u32, number: u64, value: f64) {
            let number = number >> shift;
            prop_assert_eq!(printed(Number::count(number)), number.to_string());
            let expected = scaled(number, 1_000_000_000).to_string();
            prop_assert_eq!(printed(Number::raw(number, Unit::Nanoseconds)), expected);
            let expected = scaled(number, 1_000).to_string();
            prop_assert_eq!(printed(Number::raw(number, Unit::Thousandths)), expected);
            prop_assert_eq!(printed(Number::float(value)), value.to_string());
        }
    }
}
