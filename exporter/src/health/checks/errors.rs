//! How many operations fail.

use crate::health::check::{CheckResult, HealthCheck};
use bettong_metrics::{Counter, ErrorLabel, MetricsSnapshot, Operation, Registry};
use std::sync::{Arc, Mutex, PoisonError};

/// From this share of errors on it is degraded, and unhealthy.
const DEGRADED_FROM: f64 = 0.01;
const UNHEALTHY_FROM: f64 = 0.05;

/// Fewer errors are degraded at the worst, whatever their share.
const ERRORS_FEW: u64 = 5;

/// What counts errors, by kind.
const ERRORS: [Counter; 3] = [Counter::GetErrors, Counter::SetErrors, Counter::DeleteErrors];

/// The check `errors`: the share of operations since its last run that failed. Degraded from 1 % on, unhealthy from 5 % on if they are five
/// at least, and unhealthy if damaged data were read.
#[derive(Debug)]
pub struct ErrorsCheck {
    registry: Arc<Registry>,
    before: Mutex<Counts>,
}

/// What was counted up to a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    operations: u64,
    errors: u64,
    damage: u64,
}

impl Counts {
    fn of(snapshot: &MetricsSnapshot) -> Self {
        let operations =
            Operation::ALL.map(|operation| snapshot.counter_total(Counter::operations(operation)));
        let damage = |family: Counter| snapshot.counter(family.at(ErrorLabel::Corruption.index()));
        Self {
            operations: operations.iter().sum(),
            errors: ERRORS.iter().map(|family| snapshot.counter_total(*family)).sum(),
            damage: ERRORS.iter().map(|family| damage(*family)).sum(),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            operations: self.operations.saturating_sub(before.operations),
            errors: self.errors.saturating_sub(before.errors),
            damage: self.damage.saturating_sub(before.damage),
        }
    }

    fn judge(self) -> CheckResult {
        // One that failed may not be counted as one that was done.
        let share = self.errors as f64 / self.operations.max(self.errors).max(1) as f64;
        let found = if self.damage > 0 {
            CheckResult::unhealthy("Damaged data were read")
        } else if share >= UNHEALTHY_FROM && self.errors >= ERRORS_FEW {
            CheckResult::unhealthy("Many operations fail")
        } else if share >= DEGRADED_FROM {
            CheckResult::degraded("Some operations fail")
        } else {
            CheckResult::healthy("Error rate is normal")
        };
        found
            .detail("operations", self.operations)
            .detail("errors", self.errors)
            .detail("corruptions", self.damage)
            .detail("error_ratio", share)
    }
}

impl ErrorsCheck {
    /// The check of one database. The first run looks at everything since it was opened.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self { registry: Arc::clone(registry), before: Mutex::default() }
    }
}

impl HealthCheck for ErrorsCheck {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn check(&self) -> CheckResult {
        let now = Counts::of(&self.registry.snapshot());
        let before = std::mem::replace(&mut *self.before.lock().unwrap_or_else(PoisonError::into_inner), now);
        now.since(before).judge()
    }
}
