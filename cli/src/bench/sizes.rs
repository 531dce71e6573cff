//! How large the values of a run are: all alike, or anything from a least to a most.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::payload;
use crate::random::mix;
use crate::units::parse_size;

/// The largest value of a run.
const MOST_BYTES: u64 = 64 << 20;

/// Bytes of a value, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueSizes {
    least: u64,
    most: u64,
}

impl ValueSizes {
    /// The least and the most.
    pub(super) fn ends(self) -> (u64, u64) {
        (self.least, self.most)
    }

    pub(super) fn mean(self) -> u64 {
        self.least.midpoint(self.most)
    }

    /// The size of a key's version: each size is as likely as another, and the same version always has the same.
    #[inline]
    pub(super) fn of(self, seed: u64, number: u64, version: u64) -> usize {
        let span = self.most - self.least + 1;
        if span == 1 {
            return self.least as usize;
        }
        let scattered = mix(seed ^ mix(number).rotate_left(32) ^ mix(version));
        (self.least + ((u128::from(scattered) * u128::from(span)) >> 64) as u64) as usize
    }

    #[inline]
    pub(super) fn contains(self, bytes: usize) -> bool {
        (self.least..=self.most).contains(&(bytes as u64))
    }
}

impl FromStr for ValueSizes {
    type Err = String;

    /// Reads `100`, `4KiB` or `1KiB..64KiB`.
    fn from_str(text: &str) -> Result<ValueSizes, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let sizes = ValueSizes { least: parse_size(least)?, most: parse_size(most)? };
        let shortest = payload::LEAST_BYTES as u64;
        if sizes.least < shortest || sizes.most > MOST_BYTES {
            return Err(format!("must be from {shortest} bytes to 64 MiB"));
        }
        if sizes.least > sizes.most {
            return Err("a range begins with its smaller end, as in 1KiB..64KiB".to_owned());
        }
        Ok(sizes)
    }
}

impl Serialize for ValueSizes {
    /// One size is a number, as it always was; a range is an array of its ends.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.ends() {
            (least, most) if least == most => least.serialize(serializer),
            ends => ends.serialize(serializer),
        }
    }
}

impl fmt::Display for ValueSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ends() {
            (least, most) if least == most => write!(f, "{least} B"),
            (least, most) => write!(f, "({least} to {most} B)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_one_or_a_range() {
        let sizes = |text: &str| text.parse::<ValueSizes>();
        assert_eq!(sizes("4KiB").map(|sizes| (sizes.ends(), sizes.mean())), Ok(((4096, 4096), 4096)));
        assert_eq!(sizes("1KiB..64KiB").map(ValueSizes::ends), Ok((1024, 65_536)));
        assert_eq!(sizes("8..8").map(|sizes| sizes.to_string()), Ok("8 B".to_owned()));
        for bad in ["7", "65MiB", "64KiB..1KiB", "..", "1KiB..", "1KiB-2KiB"] {
            assert!(sizes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_size_of_a_range_comes_up_and_again_for_the_same_version() {
        let sizes: ValueSizes = "100..107".parse().unwrap();
        let mut seen = [0_u32; 8];
        for version in 0..8000 {
            let size = sizes.of(1, 5, version);
            assert!(sizes.contains(size) && size == sizes.of(1, 5, version));
            seen[size - 100] += 1;
        }
        assert!(seen.iter().all(|times| (800..1200).contains(times)), "{seen:?}");
    }
}
