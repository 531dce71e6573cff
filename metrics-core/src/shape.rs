//! Which series a snapshot has: what stays the same from one snapshot to the next, while only values change.

use crate::clock::ClockSource;
use crate::custom::FamilyShape;
use crate::snapshot::MetricsSnapshot;
use std::sync::Arc;

/// Which series a snapshot has, with all their names, help texts and labels; from [`MetricsSnapshot::shape`].
///
/// Whoever shows snapshots again and again needs to prepare only once what is the same in all of them.
///
/// # Examples
/// ```
/// use bettong_metrics::Registry;
///
/// let registry = Registry::new("orders");
/// let shape = registry.snapshot().shape();
/// assert!(shape.fits(&registry.snapshot()));
/// assert!(!shape.fits(&Registry::new("stock").snapshot()));
/// registry.set_gauge("app_queue_length", 3.0, &[]);
/// assert!(!shape.fits(&registry.snapshot()));
/// ```
#[derive(Clone, Debug)]
pub struct Shape {
    database: Arc<str>,
    // The labels of `db_clock_info`, the only ones of the catalogue that are known at run time alone.
    clock_source: ClockSource,
    clock_frequency: String,
    custom: Vec<FamilyShape>,
}

impl MetricsSnapshot {
    /// Which series it has.
    pub fn shape(&self) -> Shape {
        Shape {
            database: Arc::clone(&self.database),
            clock_source: self.clock.source(),
            clock_frequency: self.clock_frequency.clone(),
            custom: self.custom.iter().map(FamilyShape::of).collect(),
        }
    }
}

impl Shape {
    /// Whether `snapshot` has the same series, in the same order.
    pub fn fits(&self, snapshot: &MetricsSnapshot) -> bool {
        self.database == snapshot.database
            && self.clock_source == snapshot.clock.source()
            && self.clock_frequency == snapshot.clock_frequency
            && self.custom.len() == snapshot.custom.len()
            && self.custom.iter().zip(&snapshot.custom).all(|(shape, family)| shape.fits(family))
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::Registry;

    #[test]
    fn a_shape_outlives_new_values_and_no_new_series_or_description() {
        let registry = Registry::new("orders");
        registry.record_counter("app_a_total", 1, &[("kind", "x")]);
        let shape = registry.snapshot().shape();
        registry.record_counter("app_a_total", 1, &[("kind", "x")]);
        assert!(shape.fits(&registry.snapshot()));

        registry.counter("app_a_total", "What it is", &[("kind", "x")]).unwrap();
        let described = registry.snapshot();
        assert!(!shape.fits(&described));
        registry.record_counter("app_a_total", 1, &[("kind", "y")]);
        assert!(!described.shape().fits(&registry.snapshot()));
    }

    #[test]
    fn registries_with_equal_names_and_series_have_one_shape() {
        let [a, b] = [(), ()].map(|()| {
            let registry = Registry::new("orders");
            registry.set_gauge("app_size", 1.0, &[]);
            registry.snapshot()
        });
        assert!(a.shape().fits(&b));
    }
}
