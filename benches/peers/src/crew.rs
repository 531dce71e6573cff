//! The threads of a step: made ready first, so that what that costs is nobody's, then run together.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::actor::{Actor, Tally};
use crate::failed::{Done, Failed};
use crate::open_loop::{Schedule, wait_until};
use crate::recorder::Recorder;
use crate::site::{Bounds, Site};
use crate::store::Store;
use crate::walker::Walker;
use crate::workload::Workload;

/// When operations start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The next when the last has ended.
    Closed(Bounds),
    /// So many a second, for so long.
    Open { per_second: f64, lasts: Duration },
}

/// What a step came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ops: u64,
    /// From the first start to the last end.
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Histogram<u64>,
    /// One for each thread that counts.
    pub(crate) tallies: Vec<Tally>,
    /// What the thread beside them did.
    pub(crate) beside: Tally,
}

pub(crate) struct Crew<'a> {
    members: Vec<Member<'a>>,
    /// Overwrites while the others read.
    writer: Option<Actor<'a>>,
    write_rate: Option<f64>,
}

struct Member<'a> {
    hand: Hand<'a>,
    recorder: Recorder,
    thread: usize,
}

enum Hand<'a> {
    Acts(Box<Actor<'a>>),
    Walks(Walker<'a>),
}

/// What one thread did.
struct Shift {
    began: Instant,
    ended: Instant,
    ops: u64,
    tally: Tally,
    latencies: Histogram<u64>,
}

impl<'a> Crew<'a> {
    pub(crate) fn new(
        store: &'a dyn Store,
        site: &Site,
        workload: Workload,
        open_loop: bool,
    ) -> Done<Crew<'a>> {
        let timed_one_in = if open_loop { 1 } else { workload.timed_one_in() };
        let member = |thread| {
            let hand = match workload {
                Workload::ReadSeq => Hand::Walks(Walker::new(store, site, thread)),
                workload => Hand::Acts(Box::new(Actor::new(store, site, workload, thread)?)),
            };
            // Gaps are not drawn from the numbers that choose keys.
            let recorder = Recorder::new(timed_one_in, site.random(thread + 1000))?;
            Ok(Member { hand, recorder, thread })
        };
        let members = (0..site.threads).map(member).collect::<Done<Vec<_>>>()?;
        let writer = match workload {
            Workload::ReadWhileWriting => Some(Actor::new(store, site, Workload::Overwrite, site.threads)?),
            _ => None,
        };
        Ok(Crew { members, writer, write_rate: site.write_rate })
    }

    /// Runs all threads to their end.
    pub(crate) fn run(self, pace: Pace) -> Done<Outcome> {
        let threads = self.members.len();
        let (start, stop) =
            (Barrier::new(threads + usize::from(self.writer.is_some())), AtomicBool::new(false));
        let (shifts, beside) = std::thread::scope(|scope| {
            let (start, stop) = (&start, &stop);
            let writer =
                self.writer.map(|writer| scope.spawn(move || write(writer, self.write_rate, start, stop)));
            let members: Vec<_> = self
                .members
                .into_iter()
                .map(|member| scope.spawn(move || member.run(pace, threads, start)))
                .collect();
            let shifts: Vec<_> = members.into_iter().map(|member| joined(member.join())).collect();
            stop.store(true, Ordering::Relaxed);
            (shifts, writer.map_or(Ok(Tally::default()), |writer| joined(writer.join())))
        });
        Outcome::of(shifts.into_iter().collect::<Done<Vec<Shift>>>()?, beside?)
    }
}

fn joined<T>(result: std::thread::Result<Done<T>>) -> Done<T> {
    result.unwrap_or_else(|_| Err(Failed::from("a thread panicked")))
}

/// Overwrites random keys until it is told to stop, as fast as it can or at a rate.
fn write(mut actor: Actor<'_>, rate: Option<f64>, start: &Barrier, stop: &AtomicBool) -> Done<Tally> {
    start.wait();
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Some(rate) = rate {
            wait_until(began + Duration::from_secs_f64(actor.tally.sets as f64 / rate));
        }
        actor.act()?;
    }
    Ok(actor.tally)
}

impl Member<'_> {
    fn run(mut self, pace: Pace, threads: usize, start: &Barrier) -> Done<Shift> {
        start.wait();
        let began = Instant::now();
        let recorder = &mut self.recorder;
        let ops = match (&mut self.hand, pace) {
            (Hand::Acts(actor), Pace::Closed(bounds)) => {
                closed(actor, recorder, bounds.ops_of(threads), deadline(began, bounds))?
            }
            (Hand::Walks(walker), Pace::Closed(bounds)) => {
                walker.run(recorder, bounds.ops_of(threads), deadline(began, bounds))?
            }
            (Hand::Acts(actor), Pace::Open { per_second, lasts }) => {
                Schedule::new(per_second, threads, self.thread, lasts).run(actor, recorder)?
            }
            (Hand::Walks(_), Pace::Open { .. }) => return Err("a walk has no rate".into()),
        };
        let ended = Instant::now();
        let tally = match &self.hand {
            Hand::Acts(actor) => actor.tally,
            Hand::Walks(_) => Tally::default(),
        };
        Ok(Shift { began, ended, ops, tally, latencies: self.recorder.into_histogram() })
    }
}

fn deadline(began: Instant, bounds: Bounds) -> Option<Instant> {
    bounds.seconds.map(|seconds| began + Duration::from_secs_f64(seconds))
}

/// One operation after the other. The clock is read for those that are timed only, and the time is up after one of them.
fn closed(actor: &mut Actor<'_>, recorder: &mut Recorder, ops: u64, deadline: Option<Instant>) -> Done<u64> {
    let mut done = 0;
    while done < ops {
        if !recorder.is_due() {
            match actor.act()? {
                0 => break,
                more => done += more,
            }
            continue;
        }
        let began = Instant::now();
        let more = actor.act()?;
        let ended = Instant::now();
        if more == 0 {
            break;
        }
        recorder.add(ended - began);
        done += more;
        if deadline.is_some_and(|deadline| ended >= deadline) {
            break;
        }
    }
    Ok(done)
}

impl Outcome {
    fn of(shifts: Vec<Shift>, beside: Tally) -> Done<Outcome> {
        let first = shifts.iter().map(|shift| shift.began).min();
        let last = shifts.iter().map(|shift| shift.ended).max();
        let (Some(first), Some(last)) = (first, last) else { return Err("there are no threads".into()) };
        let tallies = shifts.iter().map(|shift| shift.tally).collect();
        let ops = shifts.iter().map(|shift| shift.ops).sum();
        let mut latencies = shifts.into_iter().map(|shift| shift.latencies);
        let mut all = latencies.next().ok_or("there are no threads")?;
        for one in latencies {
            all.add(one)?;
        }
        Ok(Outcome { ops, elapsed: last - first, latencies: all, tallies, beside })
    }

    /// Bytes of keys and values that the caller wrote.
    pub(crate) fn user_bytes(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.written_bytes).sum::<u64>() + self.beside.written_bytes
    }
}
