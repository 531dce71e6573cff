//! What the system says that this process has used.

use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Processor time and writes of the process so far, background threads included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// Bytes that the process has made the disk's business: pages of files that became dirty, by a call or in a mapping. One that
    /// is written again before the system has stored it counts once.
    pub(crate) written_bytes: Option<u64>,
}

impl Usage {
    pub(crate) fn now() -> Usage {
        let written_bytes = number_after("/proc/self/io", "write_bytes:");
        Usage { cpu: cpu(), written_bytes }
    }

    pub(crate) fn cpu_since(self, before: Usage) -> Duration {
        self.cpu.saturating_sub(before.cpu)
    }

    pub(crate) fn written_since(self, before: Usage) -> Option<u64> {
        Some(self.written_bytes?.saturating_sub(before.written_bytes?))
    }
}

/// Processor time of all threads, in user and system mode.
pub(crate) fn cpu() -> Duration {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer leads to a rusage that lives through the call.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) } != 0;
    // SAFETY: zeros are a valid rusage, and what the call wrote is, too.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    if failed { Duration::ZERO } else { time(usage.ru_utime) + time(usage.ru_stime) }
}

/// Memory that is no file's: heap, stacks, caches of the engine's own.
pub(crate) fn anonymous_bytes() -> Option<u64> {
    number_after("/proc/self/status", "RssAnon:").map(|kib| kib << 10)
}

/// Memory of the machine.
pub(crate) fn machine_bytes() -> Option<u64> {
    number_after("/proc/meminfo", "MemTotal:").map(|kib| kib << 10)
}

fn number_after(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Room that a directory takes on the disk, as `du` counts it: allocated blocks, so that reserved room counts and holes do not.
pub(crate) fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let bytes = |entry: std::fs::DirEntry| {
        let Ok(about) = entry.metadata() else { return 0 };
        about.blocks() * 512 + if about.is_dir() { disk_bytes(&entry.path()) } else { 0 }
    };
    entries.flatten().map(bytes).sum()
}

/// How long the process must have been idle.
const QUIET: Duration = Duration::from_millis(40);
const QUIET_MAX: Duration = Duration::from_secs(120);

/// Waits until the process has used less than a twentieth of a processor for a moment: whatever an engine calls settled, its
/// threads have nothing left to do then.
pub(crate) fn wait_until_quiet() {
    let began = Instant::now();
    while began.elapsed() < QUIET_MAX {
        let before = cpu();
        std::thread::sleep(QUIET);
        if cpu().saturating_sub(before) < QUIET / 20 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_seen() {
        let before = Usage::now();
        while Usage::now().cpu_since(before).is_zero() {
            std::hint::spin_loop();
        }
        assert!(anonymous_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(machine_bytes() > anonymous_bytes());
    }

    #[test]
    fn a_directory_takes_what_its_files_take() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("below")).unwrap();
        std::fs::write(dir.path().join("below/file"), vec![1; 100_000]).unwrap();
        assert!((100_000..200_000).contains(&disk_bytes(dir.path())));
    }
}
