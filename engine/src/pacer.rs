//! How fast background work may go when nothing presses, and how fast writes may when something does.

use bettong_metrics::Counter;

use crate::compaction::plan::Reason;
use crate::engine::Engine;
use crate::metric::{BACKGROUND, FOREGROUND};
use crate::pressure::Pressure;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// Compaction never goes slower than this, in bytes of keys and values a second.
const COMPACTION_LEAST: u64 = 64 << 20;
/// Compaction keeps up with a steady stream of writes at this multiple of it: what leveling rewrites, and some to spare.
const COMPACTION_PER_WRITTEN: u64 = 16;
/// From this score of any level on, compaction goes as fast as it can.
const URGENT_SCORE: f64 = 1.5;
/// Waits shorter than this are saved up.
const SHORTEST_WAIT_NANOS: u64 = 1_000_000;

/// Measures the stream of writes by its flushes.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    bytes_per_second: AtomicU64,
    last_flush_nanos: AtomicU64,
}

impl Pacer {
    /// A flush of `bytes` of keys and values ended.
    pub(crate) fn flushed(&self, now_nanos: u64, bytes: u64) {
        let last = self.last_flush_nanos.swap(now_nanos, Ordering::Relaxed);
        let seconds = now_nanos.saturating_sub(last) as f64 / 1e9;
        if last > 0 && seconds > 0.0 {
            let before = self.bytes_per_second.load(Ordering::Relaxed) as f64;
            let rate = f64::midpoint(before, bytes as f64 / seconds);
            self.bytes_per_second.store(rate as u64, Ordering::Relaxed);
        }
    }

    /// Begins the pace of one compaction. One that scans have paid for goes as fast as it can: they lose until it is over.
    pub(crate) fn start(&self, now_nanos: u64, reason: Reason) -> CompactionPace {
        let wanted = self.bytes_per_second.load(Ordering::Relaxed).saturating_mul(COMPACTION_PER_WRITTEN);
        CompactionPace {
            bytes_per_second: if reason == Reason::Scans { u64::MAX } else { wanted.max(COMPACTION_LEAST) },
            due_nanos: AtomicU64::new(now_nanos),
        }
    }
}

/// The pace of one compaction, shared by its parts.
#[derive(Debug)]
pub(crate) struct CompactionPace {
    bytes_per_second: u64,
    /// When the next bytes are due. Changed under the work lock.
    due_nanos: AtomicU64,
}

impl CompactionPace {
    /// Holds the compaction back if it is ahead of its pace and nothing waits for it; says whether to go on.
    pub(crate) fn go_on(&self, engine: &Engine, bytes: u64) -> bool {
        let clock = &engine.env.clock;
        let mut state = engine.work.lock();
        self.due_nanos.fetch_add(nanos_for(bytes, self.bytes_per_second), Ordering::Relaxed);
        let began = clock.monotonic_nanos();
        loop {
            if state.closing {
                return false;
            }
            let now = clock.monotonic_nanos();
            let due = self.due_nanos.load(Ordering::Relaxed);
            let ahead = due.saturating_sub(now);
            let urgent = state.exclusive > 0 || is_urgent(engine);
            if ahead < SHORTEST_WAIT_NANOS || urgent {
                // What was hurried is not paid back, nor is what was idle saved up.
                let latest = if urgent { now } else { due };
                self.due_nanos.store(latest.max(now.saturating_sub(SHORTEST_WAIT_NANOS)), Ordering::Relaxed);
                if now > began {
                    engine.recorder.add(Counter::CompactionThrottledNanos, now - began);
                    engine.recorder.add(Counter::RateLimiterWaitNanos.at(BACKGROUND), now - began);
                }
                return true;
            }
            engine.work.wait_for(&mut state, ahead);
        }
    }
}

fn is_urgent(engine: &Engine) -> bool {
    let view = engine.view.load();
    let shape = crate::levels::shape::Shape::of(&view.version, &engine.options);
    !engine.pressure.is_none()
        || !view.immutables.is_empty()
        || shape.by_score().first().is_some_and(|level| shape.score(*level) >= URGENT_SCORE)
}

/// The pace of writes during a slowdown, shared by all writers.
#[derive(Debug, Default)]
pub(crate) struct WritePace(Mutex<u64>);

impl WritePace {
    /// Waits until a write of `bytes` is due, or until the slowdown ends.
    pub(crate) fn wait(&self, engine: &Engine, bytes: usize, bytes_per_second: u64) {
        let began = engine.recorder.now();
        self.wait_until_due(engine, bytes, bytes_per_second);
        engine.recorder.add(Counter::RateLimiterWaitNanos.at(FOREGROUND), engine.recorder.nanos_since(began));
    }

    fn wait_until_due(&self, engine: &Engine, bytes: usize, bytes_per_second: u64) {
        let clock = &engine.env.clock;
        let due = {
            let mut due = self.0.lock();
            *due = (*due).max(clock.monotonic_nanos()) + nanos_for(bytes as u64, bytes_per_second);
            *due
        };
        let mut state = engine.work.lock();
        loop {
            let ahead = due.saturating_sub(clock.monotonic_nanos());
            let slowed = matches!(engine.pressure.get(), Pressure::Slowdown { .. });
            if ahead < SHORTEST_WAIT_NANOS {
                return;
            }
            if !slowed || state.closing || engine.gate.is_read_only() {
                // The slowdown is over: what it still held against writers is forgotten.
                *self.0.lock() = 0;
                return;
            }
            engine.work.wait_for(&mut state, ahead);
        }
    }
}

fn nanos_for(bytes: u64, bytes_per_second: u64) -> u64 {
    (u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second.max(1))) as u64
}
