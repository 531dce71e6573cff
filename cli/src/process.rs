//! What this process uses of the machine: anonymous memory and processor time, from Linux's `/proc`.
//!
//! Elsewhere the figures are missing, not wrong.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Ticks in a second of processor time, as every Linux shows it to programs.
const TICKS_PER_SECOND: f64 = 100.0;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Resident anonymous memory in bytes: heap and stacks, but no page of a mapped file.
fn rss_anon_bytes() -> Option<u64> {
    parse_rss_anon(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_rss_anon(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Processor time of all threads so far, user and system, in seconds.
pub(crate) fn cpu_seconds() -> Option<f64> {
    parse_cpu(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse_cpu(stat: &str) -> Option<f64> {
    // The second field is a name in parentheses and may hold anything; utime and stime are the 14th and 15th.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

/// Looks at the anonymous memory every tenth of a second, and keeps the most it saw.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    shared: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Watched {
    // Neither publishes anything but itself.
    peak: AtomicU64,
    stop: AtomicBool,
}

impl Watched {
    fn look(&self) {
        if let Some(bytes) = rss_anon_bytes() {
            self.peak.fetch_max(bytes, Ordering::Relaxed);
        }
    }
}

impl MemoryWatch {
    /// Begins to look. Without a thread it only looks when asked for the peak.
    pub(crate) fn start() -> MemoryWatch {
        let shared = Arc::new(Watched::default());
        let watched = shared.clone();
        let look = move || {
            while !watched.stop.load(Ordering::Relaxed) {
                watched.look();
                std::thread::park_timeout(SAMPLE_INTERVAL);
            }
        };
        let thread = std::thread::Builder::new().name("memory-watch".to_owned()).spawn(look).ok();
        MemoryWatch { shared, thread }
    }

    /// The most anonymous memory seen so far, in bytes; 0 where it cannot be told.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.shared.look();
        self.shared.peak.load(Ordering::Relaxed)
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_linux_writes() {
        assert_eq!(
            parse_rss_anon("VmRSS:\t 9 kB\nRssAnon:\t    1234 kB\nRssFile:\t 5 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(parse_rss_anon("VmRSS: 9 kB\n"), None);
        let stat = "42 (a) (name) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1";
        assert_eq!(parse_cpu(stat), Some(2.0));
        assert_eq!(parse_cpu("42"), None);
    }

    #[test]
    fn a_watch_sees_this_process() {
        let watch = MemoryWatch::start();
        assert_eq!(watch.peak_bytes() > 0, cfg!(target_os = "linux"));
    }
}
