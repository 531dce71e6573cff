//! Entries in the order of their keys: the check of what a scan shows.

use crate::failed::{Done, Failed, wrong};
use crate::keys::{self, Key};
use crate::values::Check;

/// A walk over entries, which must be in order and have the right values.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) entries: u64,
    /// The least that the next key may be.
    least: u128,
    fault: Option<Failed>,
}

impl Walk {
    pub(crate) fn from(key: &Key) -> Walk {
        Walk { entries: 0, least: u128::from_be_bytes(*key), fault: None }
    }

    /// Takes the next entry and says whether it is good.
    #[inline]
    pub(crate) fn step(&mut self, key: &[u8], value: &[u8], check: Check) -> bool {
        let number = keys::as_number(key).unwrap_or(0);
        if number < self.least {
            self.fault = Some(wrong(key, "is not after the one before it"));
        } else if !check.is_good(key, value) {
            self.fault = Some(wrong(key, "has a wrong value in a scan"));
        }
        self.least = number.saturating_add(1);
        self.entries += 1;
        self.fault.is_none()
    }

    pub(crate) fn end(&mut self) -> Done {
        self.fault.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::values::{Sizes, Values};

    #[test]
    fn wrong_order_and_wrong_values_are_faults() {
        let sizes = Sizes::All(100);
        let check = Check { sizes, consume: false };
        let mut values = Values::new(sizes, 0.0, &mut Random::new(1));
        let mut entry = |number| {
            let key = keys::present(number);
            (key, values.make(&key, number).to_vec())
        };
        let (first, second, third) = (entry(1), entry(2), entry(3));
        let mut walk = Walk::from(&first.0);
        assert!(walk.step(&first.0, &first.1, check) && walk.step(&third.0, &third.1, check));
        assert!(!walk.step(&second.0, &second.1, check));
        assert!(walk.end().is_err());
        let mut walk = Walk::from(&first.0);
        assert!(!walk.step(&first.0, &second.1, check) && walk.end().is_err());
    }
}
