//! The figures of one step: one engine, one workload, one round.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::crew::Outcome;
use crate::engine::Engine;
use crate::workload::Workload;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) engine: Engine,
    pub(crate) workload: Workload,
    pub(crate) round: u64,
    pub(crate) threads: usize,
    /// The rate that was asked for, in an open loop.
    pub(crate) rate: Option<f64>,
    pub(crate) ops: u64,
    pub(crate) seconds: f64,
    pub(crate) ops_per_second: f64,
    pub(crate) latency: Latency,
    pub(crate) cost: Cost,
    /// Sets of the thread beside the readers.
    pub(crate) sets_beside: u64,
}

/// Nanoseconds of the operations that were timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) timed: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

/// What a step has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Processor time of all threads of the process, while the step ran.
    pub(crate) cpu_micros_per_op: f64,
    /// The same until the engine had settled.
    pub(crate) settled_cpu_micros_per_op: f64,
    pub(crate) settle_seconds: f64,
    /// Bytes of keys and values that were set, and of keys that were deleted.
    pub(crate) user_bytes: u64,
    /// Bytes given to the disk until the engine had settled, by the system's account.
    pub(crate) written_bytes: Option<u64>,
    /// The same by the engine's own account, if it keeps one.
    pub(crate) engine_written_bytes: Option<u64>,
    pub(crate) disk_bytes: u64,
    /// The most that the disk held of it from the beginning of the step until the engine had settled.
    #[serde(default)]
    pub(crate) most_disk_bytes: Option<u64>,
    /// Anonymous resident memory of the process when the step has ended and settled.
    pub(crate) anonymous_bytes: Option<u64>,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Latency { timed: histogram.len(), p50: at(0.5), p99: at(0.99), p999: at(0.999), max: histogram.max() }
    }
}

impl Cost {
    /// Written bytes per byte that the caller wrote.
    pub(crate) fn write_amplification(&self) -> Option<f64> {
        (self.user_bytes > 0).then_some(self.written_bytes? as f64 / self.user_bytes as f64)
    }
}

impl Figures {
    pub(crate) fn of(
        engine: Engine,
        workload: Workload,
        round: u64,
        outcome: &Outcome,
        cost: Cost,
    ) -> Figures {
        let seconds = outcome.elapsed.as_secs_f64();
        Figures {
            engine,
            workload,
            round,
            threads: outcome.tallies.len(),
            rate: None,
            ops: outcome.ops,
            seconds,
            ops_per_second: outcome.ops as f64 / seconds,
            latency: Latency::of(&outcome.latencies),
            cost,
            sets_beside: outcome.beside.sets,
        }
    }
}

/// Microseconds for each operation.
pub(crate) fn micros_per_op(time: Duration, ops: u64) -> f64 {
    time.as_secs_f64() * 1e6 / ops.max(1) as f64
}
