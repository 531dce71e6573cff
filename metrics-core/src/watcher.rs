//! The thread that watches all registries of the process.
//!
//! It starts with the first registry that is watched and ends with the last, or when nothing is counted any more: one thread,
//! one tick every 10 ms, some microseconds each. A panic in what it calls ends that call and nothing else.

use crate::catalog::EventKind;
use crate::clock::Clock;
use crate::drift::Drift;
use crate::events::Event;
use crate::histogram::{EPOCH_SECONDS, advance_epoch};
use crate::instrumentation::Instrumentation;
use crate::registry::Registry;
use crate::watch::Watch;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Time between two looks.
const TICK: Duration = Duration::from_millis(10);

/// Called once a second, to store gauges that would otherwise grow stale.
type Refresh = Box<dyn Fn() + Send>;

/// The registries that are watched, and whether the thread runs.
struct Watched {
    entries: Vec<Entry>,
    running: bool,
}

struct Entry {
    registry: Weak<Registry>,
    watch: Watch,
    refresh: Refresh,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { entries: Vec::new(), running: false });

impl Registry {
    /// Has the registry watched by the thread that all registries of the process share, for as long as it lives: operations
    /// that hang, mean latencies by Little's law, the sampling interval for the budget, recent maxima, the clock.
    ///
    /// `refresh` is called once a second on that thread, to store gauges that change without an event; it must not wait.
    ///
    /// Without a watcher intervals stay at 64, and recent maxima are those since the registry was made.
    pub fn watch(self: &Arc<Self>, refresh: impl Fn() + Send + 'static) {
        let watch = Watch::new(self, Instant::now());
        let entry = Entry { registry: Arc::downgrade(self), watch, refresh: Box::new(refresh) };
        let mut watched = lock();
        watched.entries.push(entry);
        watched.ensure_running();
    }

    /// Changes how much is recorded, from the next operation of every thread on. Counts stay what they are: what happens
    /// while the level is [`Instrumentation::Off`] is missing from them for ever.
    pub fn set_level(&self, level: Instrumentation) {
        let before = self.level_cell().swap(level as u64, Ordering::Relaxed);
        self.look_again();
        if before != level as u64 {
            self.emit(Event::new(EventKind::LevelChanged).result(level.as_str()));
        }
        if level.counts() {
            lock().ensure_running();
        }
    }
}

/// The list is changed in single steps: a panic elsewhere leaves it whole.
fn lock() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// Starts the thread if there is anything to watch. If it cannot be started, nothing is watched, and the next registry
    /// tries again.
    fn ensure_running(&mut self) {
        if !self.running && self.wants_thread() {
            let thread = std::thread::Builder::new().name("bettong-watch".to_owned());
            self.running = thread.spawn(run).is_ok();
        }
    }

    fn wants_thread(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.registry.upgrade().is_some_and(|registry| registry.level().counts()))
    }
}

fn run() {
    let mut drift = Drift::new(Clock::global());
    let mut epoch_began = Instant::now();
    let mut looked_at_clock = epoch_began;
    loop {
        std::thread::sleep(TICK);
        let now = Instant::now();
        if now.duration_since(looked_at_clock) >= Duration::from_secs(1) {
            drift.look();
            looked_at_clock = now;
        }
        if now.duration_since(epoch_began) >= Duration::from_secs(EPOCH_SECONDS) {
            advance_epoch();
            epoch_began = now;
        }
        if !tick(now) {
            return;
        }
    }
}

/// Looks at all registries; `false` if the thread is to end.
fn tick(now: Instant) -> bool {
    // Taken out, so that nobody who makes a registry waits for a look.
    let mut entries = {
        let mut watched = lock();
        if !watched.wants_thread() {
            watched.entries.retain(|entry| entry.registry.strong_count() > 0);
            watched.running = false;
            return false;
        }
        std::mem::take(&mut watched.entries)
    };
    entries.retain_mut(|entry| {
        let Some(registry) = entry.registry.upgrade() else { return false };
        if registry.level().counts() {
            let look = || {
                if entry.watch.look(&registry, now) {
                    (entry.refresh)();
                }
            };
            // A look that panics must not end the watch of other databases.
            let _ = catch_unwind(AssertUnwindSafe(look));
        }
        true
    });
    let mut watched = lock();
    entries.append(&mut watched.entries);
    watched.entries = entries;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    fn wait_until(what: &str, done: impl Fn() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(TICK);
        }
    }

    #[test]
    fn a_registry_is_watched_until_it_is_gone_and_a_panic_disturbs_nobody() {
        let (panicking, counted) = (Registry::new("a"), Registry::new("b"));
        let calls = Arc::new(AtomicU64::new(0));
        panicking.watch(|| panic!("a refresh that panics: this message belongs to a test"));
        counted.watch({
            let calls = Arc::clone(&calls);
            move || {
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
        wait_until("two refreshes", || calls.load(Ordering::Relaxed) >= 2);
        assert!(lock().running);
        counted.set_level(Instrumentation::Off);
        drop(panicking);
        let of_ours = |registry: &Arc<Registry>| {
            lock().entries.iter().any(|entry| std::ptr::eq(entry.registry.as_ptr(), Arc::as_ptr(registry)))
        };
        wait_until("the end of the thread", || !lock().running);
        assert!(of_ours(&counted));
        counted.set_level(Instrumentation::Counters);
        assert!(lock().running);
        let before = calls.load(Ordering::Relaxed);
        wait_until("a refresh after the restart", || calls.load(Ordering::Relaxed) > before);
        drop(counted);
        wait_until("the end of the watch", || !lock().running);
        assert!(lock().entries.is_empty());
    }
}
