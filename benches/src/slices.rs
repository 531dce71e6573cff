//! A process that goes a hot path in slices, as it is told on its standard input, one line per command, one line per answer:
//!
//! | command | answer |
//! |---|---|
//! | `open PATH KEYS` | `ok`: the last database is gone, a fresh one is there |
//! | `run LEVEL THREADS COUNT FROM` | nanoseconds that a thread took for its `COUNT` operations, elapsed and of its processor time, both the mean over the threads; then the sampling interval |
//!
//! Before each slice every thread does a quarter of its operations untimed, because another process has just had the caches.
//! `FROM` is the place in the order of keys to begin at, so that two processes can be made to do exactly the same.
//! The threads live as long as the database: a slice does not begin with the start of a thread.

use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Instant;

use bettong::Db;
use bettong_metrics::{Instrumentation, Registry};

use crate::paths::Path;
use crate::{Bench, Place};

/// The most threads a slice can have.
pub const MOST_THREADS: usize = 8;

/// Answers commands until there are no more.
///
/// # Errors
/// Of the engine, and of commands that make no sense.
pub fn serve(commands: impl BufRead, mut answers: impl Write) -> Result<(), Box<dyn Error>> {
    // While a level counts nothing, the thread that watches registries ends, and the next level that counts starts it anew. A
    // registry that always counts keeps it alive: starting a thread is no part of what is measured.
    let keeper = Registry::with_level("keeper", Instrumentation::Counters);
    keeper.watch(|| {});
    let mut stage = None;
    for line in commands.lines() {
        let line = line?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match (words.as_slice(), &stage) {
            (["open", path, keys], _) => {
                drop(stage.take());
                stage = Some(Stage::open(Path::named(path).ok_or("no such path")?, keys.parse()?)?);
                writeln!(answers, "ok")?;
            }
            (["run", level, threads, count, from], Some(stage)) => {
                stage.bench.db.metrics().set_level(level.parse()?);
                let slice = Slice { from: from.parse()?, count: count.parse()? };
                let Took { elapsed, processor } = stage.run(threads.parse()?, slice)?;
                let interval = stage.bench.db.metrics().sampling_interval(stage.path.operation());
                writeln!(answers, "{elapsed} {processor} {interval}")?;
            }
            _ => return Err(format!("not understood: {line}").into()),
        }
        answers.flush()?;
    }
    Ok(())
}

/// What a thread does in one slice.
#[derive(Clone, Copy, Debug)]
struct Slice {
    from: u64,
    count: u64,
}

/// Nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    elapsed: f64,
    /// While the thread had a processor.
    processor: f64,
}

/// A database, and threads that wait to go a path on it.
struct Stage {
    path: Path,
    bench: Bench,
    workers: Vec<Worker>,
}

impl Stage {
    fn open(path: Path, keys: u64) -> Result<Stage, Box<dyn Error>> {
        let bench = Bench::new(keys, 100, if path.wants_tables() { Place::Tables } else { Place::Memtable })?;
        let workers = (0..MOST_THREADS).map(|_| Worker::start(path, bench.db.clone(), keys)).collect();
        Ok(Stage { path, bench, workers })
    }

    /// The mean of what the threads took, in nanoseconds.
    fn run(&self, threads: usize, slice: Slice) -> Result<Took, Box<dyn Error>> {
        let workers = self.workers.get(..threads).filter(|some| !some.is_empty()).ok_or("so many threads")?;
        let start = Arc::new(Barrier::new(threads));
        for (worker, at) in workers.iter().zip(0..) {
            // Threads begin at different keys, so that they do not go in step.
            let slice = Slice { from: slice.from + at * slice.count, ..slice };
            worker.slices.send((slice, Arc::clone(&start)))?;
        }
        let mut mean = Took::default();
        for worker in workers {
            let took = worker.times.recv()??;
            mean.elapsed += took.elapsed / threads as f64;
            mean.processor += took.processor / threads as f64;
        }
        Ok(mean)
    }
}

/// One thread. It ends when its stage is dropped.
struct Worker {
    slices: Sender<(Slice, Arc<Barrier>)>,
    times: Receiver<bettong::Result<Took>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(path: Path, db: Db, keys: u64) -> Worker {
        let (slices, orders) = channel::<(Slice, Arc<Barrier>)>();
        let (answer, times) = channel();
        let thread = std::thread::spawn(move || {
            for (slice, start) in orders {
                let warm = path.run(&db, keys, slice.from, slice.count / 4);
                start.wait();
                let (began, had) = (Instant::now(), processor_nanos());
                let gone = warm.and_then(|()| path.run(&db, keys, slice.from, slice.count));
                let elapsed = began.elapsed().as_nanos() as f64;
                let took = Took { elapsed, processor: processor_nanos() - had };
                if answer.send(gone.map(|()| took)).is_err() {
                    return;
                }
            }
        });
        Worker { slices, times, thread: Some(thread) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let (closed, _) = channel();
        // The thread's loop ends with the last sender.
        self.slices = closed;
        // A thread that panicked has said so already.
        self.thread.take().map(JoinHandle::join);
    }
}

/// The processor time of the calling thread, in nanoseconds.
pub fn processor_nanos() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a time that lives until the call returns.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    debug_assert_eq!(status, 0, "every thread has this clock");
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_takes_time_and_nonsense_is_refused() {
        let mut answers = Vec::new();
        let commands =
            "open get_memtable 100\nrun full 2 1000 0\nrun off 1 1000 5\nopen set 10\nrun counters 1 10 0\n";
        serve(commands.as_bytes(), &mut answers).unwrap();
        let answers = String::from_utf8(answers).unwrap();
        let lines: Vec<&str> = answers.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[3]), (5, "ok", "ok"));
        let numbers: Vec<f64> = lines[1].split(' ').map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] > 1_000.0 && numbers[1] > 1_000.0, "{answers}");
        assert!(lines[1].ends_with(" 1"), "{answers}");
        for nonsense in ["run off 1 1 0", "open nowhere 1", "open set 1\nrun off 99 1 0", "hop"] {
            assert!(serve(nonsense.as_bytes(), Vec::new()).is_err(), "{nonsense}");
        }
    }
}
