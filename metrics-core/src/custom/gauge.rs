//! A gauge of the embedding application.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A gauge of the embedding application, from [`Registry::gauge`](crate::Registry::gauge).
///
/// A clone sets the same series; so does every handle of the same name and labels.
#[derive(Clone, Default)]
pub struct CustomGauge {
    /// The bits of an `f64`. A gauge publishes nothing but itself, hence relaxed throughout.
    bits: Arc<AtomicU64>,
}

impl CustomGauge {
    /// Bytes of memory for each gauge.
    pub(super) const BYTES: usize = size_of::<[usize; 2]>() + size_of::<AtomicU64>();

    /// Stores `value`. What is not a finite number is ignored: formats have no place for it.
    #[inline]
    pub fn set(&self, value: f64) {
        if value.is_finite() {
            self.bits.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// Adds `difference`, which may be negative. A sum that is not finite is ignored.
    pub fn add(&self, difference: f64) {
        let sum = |bits| Some(f64::from_bits(bits) + difference).filter(|sum| sum.is_finite());
        // `Err` means that the sum was not finite, and the gauge is as it was.
        let _ =
            self.bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| sum(bits).map(f64::to_bits));
    }

    /// The value stored last.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for CustomGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomGauge").field(&self.value()).finish()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "small integers are exact")]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_ignored() {
        let gauge = CustomGauge::default();
        gauge.set(3.0);
        gauge.clone().add(-5.0);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            gauge.set(odd);
            gauge.add(odd);
            assert_eq!(gauge.value(), -2.0);
        }
        gauge.set(f64::MAX);
        gauge.add(f64::MAX);
        assert_eq!(gauge.value(), f64::MAX);
    }
}
