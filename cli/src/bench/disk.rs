//! The disk that a directory takes, looked at every second.
//!
//! A file counts with the blocks that the file system gave it, as for `du`: room that is reserved counts, a hole does not.
//! A file without a name does not count either, though it keeps its blocks while somebody has it open.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::live::LiveBytes;
use crate::fault::{Fault, Result};
use crate::signal;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// The use of the disk is settled when it has not changed for so long …
const CALM: Duration = Duration::from_secs(5);
/// … and nobody waits longer than this.
const LIMIT: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(100);

/// One look. The names are those of the JSON document.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Sample {
    /// Since the watch began.
    pub(super) seconds: f64,
    /// Of all files in the directory.
    pub(super) disk_bytes: u64,
    /// Keys and values.
    pub(super) live_bytes: u64,
}

impl Sample {
    /// Bytes on disk per live byte.
    pub(super) fn amplification(&self) -> f64 {
        self.disk_bytes as f64 / self.live_bytes.max(1) as f64
    }
}

/// Bytes that the files in a directory and below it take.
pub(super) fn used(dir: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // Files come and go meanwhile.
        let Some(meta) = there(entry.metadata())? else { continue };
        sum += if meta.is_dir() { there(used(&entry.path()))?.unwrap_or(0) } else { allocated(&meta) };
    }
    Ok(sum)
}

fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(unix)]
fn allocated(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(meta) * 512
}

#[cfg(not(unix))]
fn allocated(meta: &Metadata) -> u64 {
    meta.len()
}

/// Looks at a directory.
#[derive(Debug)]
pub(super) struct DiskWatch<'a> {
    dir: &'a Path,
    live: &'a LiveBytes,
    began: Instant,
    samples: Mutex<Vec<Sample>>,
    /// Publishes nothing but itself.
    stop: AtomicBool,
}

impl<'a> DiskWatch<'a> {
    /// Takes the first look.
    pub(super) fn new(dir: &'a Path, live: &'a LiveBytes) -> Result<DiskWatch<'a>> {
        let (samples, stop) = (Mutex::default(), AtomicBool::new(false));
        let watch = DiskWatch { dir, live, began: Instant::now(), samples, stop };
        watch.look()?;
        Ok(watch)
    }

    /// Takes a look out of turn.
    pub(super) fn look(&self) -> Result<Sample> {
        let disk_bytes = used(self.dir).map_err(|error| Fault::io("read", self.dir, error))?;
        let seconds = self.began.elapsed().as_secs_f64();
        let sample = Sample { seconds, disk_bytes, live_bytes: self.live.total() };
        self.lock().push(sample);
        Ok(sample)
    }

    /// Does `work`, and meanwhile looks every second; `each` is told what was seen.
    pub(super) fn during<T>(
        &self,
        each: impl Fn(Sample) + Send,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        thread::scope(|scope| {
            let watcher = scope.spawn(|| self.keep_looking(each));
            let done = work();
            self.stop.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
            let panicked = |_| Err(Fault::Damaged("the thread that watches the disk panicked".to_owned()));
            let watched = watcher.join().unwrap_or_else(panicked);
            done.and_then(|done| watched.map(|()| done))
        })
    }

    fn keep_looking(&self, each: impl Fn(Sample)) -> Result<()> {
        let mut next = Instant::now() + INTERVAL;
        while !self.stop.load(Ordering::Relaxed) {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                each(self.look()?);
                next += INTERVAL;
            } else {
                thread::park_timeout(left);
            }
        }
        Ok(())
    }

    /// Waits until the use of the disk changes no more, or long enough; returns whether it is settled. Only of use while
    /// somebody looks.
    pub(super) fn settle(&self) -> Result<bool> {
        let began = Instant::now();
        self.look()?;
        while began.elapsed() < LIMIT {
            signal::check()?;
            thread::sleep(STEP);
            if self.calm() >= CALM && began.elapsed() >= CALM {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How long the use of the disk has been what it is now.
    fn calm(&self) -> Duration {
        let samples = self.lock();
        let Some(last) = samples.last() else { return Duration::ZERO };
        let same = samples.iter().rev().take_while(|sample| sample.disk_bytes == last.disk_bytes).last();
        let seconds = same.map_or(0.0, |first| last.seconds - first.seconds);
        Duration::from_secs_f64(seconds.max(0.0))
    }

    /// Everything seen so far.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Sample>> {
        // A panic elsewhere leaves the list whole.
        self.samples.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_with_their_blocks_and_those_below_too() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(used(dir.path()).unwrap(), 0);
        fs::write(dir.path().join("a"), vec![1; 100_000]).unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        fs::write(dir.path().join("below/b"), vec![1; 50_000]).unwrap();
        let bytes = used(dir.path()).unwrap();
        assert!((150_000..200_000).contains(&bytes), "{bytes}");
        assert!(used(&dir.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_watch_looks_at_both_ends_and_between_them() {
        let dir = tempfile::tempdir().unwrap();
        let live = LiveBytes::new(1);
        live.set(0, 984);
        let watch = DiskWatch::new(dir.path(), &live).unwrap();
        let work = || {
            fs::write(dir.path().join("a"), vec![1; 100_000]).unwrap();
            thread::sleep(INTERVAL + STEP);
            watch.look()
        };
        assert!(watch.during(|_| {}, work).unwrap().amplification() >= 100.0);
        let samples = watch.samples();
        assert!(samples.len() >= 3 && samples[0].disk_bytes == 0, "{samples:?}");
        assert!(samples.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds), "{samples:?}");
    }
}
