//! All threads of the load, their pace, and their end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bettong::Db;

use super::ledger::Ledger;
use super::mix::{KEYS, Mix};
use super::scene::Scene;
use super::worker::{Counts, KeyNames, Worker};
use crate::fault::{Fault, Result};
use crate::progress::Progress;
use crate::signal;
use crate::units;

/// How much load, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) scene: Scene,
    pub(super) seed: u64,
    pub(super) threads: u64,
    /// Operations a second of all threads together; as many as possible without.
    pub(super) rate: Option<u64>,
    pub(super) duration: Duration,
}

/// What the load did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) elapsed: Duration,
}

/// What the threads share.
#[derive(Debug)]
struct Shared<'a> {
    db: &'a Db,
    ledger: Ledger,
    keys: KeyNames,
    load: Load,
    // Counts and flags that publish nothing but themselves.
    steps: AtomicU64,
    stop: AtomicBool,
    /// The first fault of any thread.
    fault: Mutex<Option<Fault>>,
}

impl Load {
    /// Runs the load to its end, to the first fault, or to a signal.
    pub(super) fn run(self, db: &Db, progress: &Progress) -> Result<Done> {
        let shared = Shared {
            db,
            ledger: Ledger::new(KEYS),
            keys: KeyNames { seed: self.seed },
            load: self,
            steps: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            fault: Mutex::new(None),
        };
        let started = Instant::now();
        let counts = thread::scope(|scope| {
            let shared = &shared;
            let workers: Vec<_> =
                (0..self.threads).map(|at| scope.spawn(move || shared.work(at, started))).collect();
            shared.watch(started, progress);
            shared.stop.store(true, Ordering::Relaxed);
            let mut sum = Counts::default();
            for worker in workers {
                let died = |_| Fault::Damaged("a thread of the load panicked".to_owned());
                sum.add(&worker.join().map_err(died)?);
            }
            Ok::<_, Fault>(sum)
        })?;
        let elapsed = started.elapsed();
        let fault = shared.fault.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        fault.map_or(Ok(Done { counts, elapsed }), Err)
    }
}

impl Shared<'_> {
    /// One thread.
    fn work(&self, thread: u64, started: Instant) -> Counts {
        let mix = Mix::new(self.load.scene, self.load.seed, thread, self.load.threads);
        let mut worker = Worker::new(self.db, &self.ledger, &self.keys, mix);
        let mut pace = Pace::new(self.load, started);
        let hold = self.load.scene.holds().filter(|_| thread == 0);
        let mut held = hold.map(|_| (self.db.snapshot(), Instant::now()));
        while !self.stop.load(Ordering::Relaxed) {
            if hold.zip(held.as_ref()).is_some_and(|(time, (_, since))| since.elapsed() > time) {
                held = Some((self.db.snapshot(), Instant::now()));
            }
            if let Err(fault) = worker.step() {
                self.stop.store(true, Ordering::Relaxed);
                let mut first = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                first.get_or_insert(fault);
                break;
            }
            self.steps.fetch_add(1, Ordering::Relaxed);
            pace.wait(&self.stop);
        }
        worker.counts
    }

    /// Shows progress until the time is over.
    fn watch(&self, started: Instant, progress: &Progress) {
        let mut shown = (started, 0);
        signal::sleep_until(started + self.load.duration, Duration::from_millis(100), || {
            progress.set(started.elapsed().as_millis() as u64);
            let (since, before) = (shown.0.elapsed(), shown.1);
            if since >= Duration::from_secs(1) {
                let steps = self.steps.load(Ordering::Relaxed);
                progress.say(format!("{} ops/s", units::rate((steps - before) as f64 / since.as_secs_f64())));
                shown = (Instant::now(), steps);
                // Also refreshes the gauges that are not stored at every write.
                self.db.stats();
            }
            !self.stop.load(Ordering::Relaxed)
        });
    }
}

/// Holds a thread to its share of a rate.
#[derive(Debug)]
struct Pace {
    load: Load,
    started: Instant,
    next: Instant,
}

impl Pace {
    /// A thread that falls behind catches up, but not with more than this.
    const MOST_BEHIND: Duration = Duration::from_secs(1);

    fn new(load: Load, started: Instant) -> Pace {
        Pace { load, started, next: started }
    }

    fn wait(&mut self, stop: &AtomicBool) {
        let now = Instant::now();
        let Some(rate) = self.load.scene.rate(self.load.rate, now.duration_since(self.started)) else {
            self.next = now;
            return;
        };
        let interval = Duration::from_secs_f64(self.load.threads as f64 / rate.max(1) as f64);
        self.next = (self.next + interval).max(now.checked_sub(Self::MOST_BEHIND).unwrap_or(now));
        while let Some(left) = self.next.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}
