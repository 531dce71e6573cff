//! What Linux says of this process. Other systems say nothing here, and what is not known is not judged.

use std::fs;

/// The ticks of a second in what `/proc` shows to programs (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    /// Bytes of memory that it has.
    pub(super) resident_bytes: Option<u64>,
    /// Its threads.
    pub(super) threads: Option<u64>,
}

impl Process {
    pub(super) fn now() -> Self {
        fs::read_to_string("/proc/self/status").map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self { resident_bytes: field("VmRSS").map(|kibibytes| kibibytes << 10), threads: field("Threads") }
    }
}

/// The time that all processors have spent on the process, in seconds.
pub(super) fn cpu_seconds() -> Option<f64> {
    parse_cpu(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse_cpu(stat: &str) -> Option<f64> {
    // The second field, the name of the program, is in parentheses, and may have some itself. Times are the 14th and 15th.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut times = behind.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / TICKS_PER_SECOND)
}

/// The memory that the machine has, or the container if that is less.
pub(super) fn memory_there_is() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let machine = parse_total(&text)?;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    Some(limit.map_or(machine, |limit| limit.min(machine)))
}

fn parse_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_linux_writes() {
        let status = "Name:\tThreads: 9\nVmHWM:\t  9000 kB\nVmRSS:\t  2048 kB\nThreads:\t7\n";
        assert_eq!(Process::parse(status), Process { resident_bytes: Some(2 << 20), threads: Some(7) });
        assert_eq!(Process::parse("VmRSS: lots"), Process::default());
        let stat = "12 (a (strange) name) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 7 0";
        assert_eq!(parse_cpu(stat), Some(3.0));
        assert_eq!(parse_cpu("12 (short) S 1"), None);
        assert_eq!(parse_total("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16 << 10));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_there() {
        let process = Process::now();
        assert!(process.threads.is_some_and(|threads| threads >= 1));
        assert!(process.resident_bytes < memory_there_is());
        assert!(cpu_seconds().is_some());
    }
}
