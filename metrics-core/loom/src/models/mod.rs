//! The models. Each is a small case that Loom runs again and again, until it has seen all that can happen.

pub mod begun;
pub mod latencies;
pub mod lending;
pub mod level;

use loom::model::Builder;

/// Runs a case in every way in which threads are interrupted at most `preemptions` times.
fn explore(preemptions: usize, case: impl Fn() + Sync + Send + 'static) {
    let mut model = Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(case);
}
