//! What Linux says of the process: the seven families that every Prometheus client has, under their usual names.
//!
//! | file | figures |
//! | --- | --- |
//! | `/proc/self/stat` | processor time, start |
//! | `/proc/self/status` | memory, threads |
//! | `/proc/self/fd`, `/proc/self/limits` | file descriptors, open and allowed |
//! | `/proc/stat`, once | when the machine was started |
//!
//! They belong to the process, not to a database: they are read once for each scrape and have no label `db`. Elsewhere
//! than on Linux, or without the feature `process`, they are absent, not wrong; so is each that cannot be read. Health checks
//! look at them with or without that feature.
//!
//! Source: proc(5); Prometheus, "Writing client libraries", process metrics.

use crate::formats::own::{OwnFamily, OwnSeries, OwnValue};
use bettong_metrics::{Kind, Unit};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Ticks in a second, as Linux shows times to programs on every processor that the engine runs on.
const TICKS_PER_SECOND: u64 = 100;

const NANOS_PER_TICK: u64 = 1_000_000_000 / TICKS_PER_SECOND;

/// What is known of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Process {
    /// Processor time of all threads, user and system.
    pub(crate) cpu_nanos: Option<u64>,
    pub(crate) resident_bytes: Option<u64>,
    /// What of these are pages of files, which the system takes back when it needs room.
    pub(crate) file_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    /// In Unix seconds.
    pub(crate) started: Option<f64>,
    pub(crate) open_fds: Option<u64>,
    /// `None` also where there is no limit.
    pub(crate) max_fds: Option<u64>,
    pub(crate) threads: Option<u64>,
}

impl Process {
    /// As it is shown to others: nothing without the feature `process`.
    pub(crate) fn shown() -> Self {
        if cfg!(feature = "process") { Self::read() } else { Self::default() }
    }

    /// As it is now.
    pub(crate) fn read() -> Self {
        if !cfg!(target_os = "linux") {
            return Self::default();
        }
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (stat, status) = (text("/proc/self/stat"), text("/proc/self/status"));
        Self {
            cpu_nanos: parse_cpu_ticks(&stat).map(|ticks| ticks.saturating_mul(NANOS_PER_TICK)),
            resident_bytes: parse_kib(&status, "VmRSS:"),
            file_bytes: parse_kib(&status, "RssFile:"),
            virtual_bytes: parse_kib(&status, "VmSize:"),
            started: started(&stat),
            open_fds: open_fds(),
            max_fds: parse_max_fds(&text("/proc/self/limits")),
            threads: value_of(&status, "Threads:").and_then(|value| value.parse().ok()),
        }
    }

    /// The families, those that are known.
    pub(crate) fn families(&self) -> Vec<OwnFamily> {
        let whole = |value: Option<u64>| value.map(|value| OwnValue::Gauge(value as f64));
        let family = |name, help, unit, value: Option<OwnValue>| {
            let kind = if matches!(value, Some(OwnValue::Counter(_))) { Kind::Counter } else { Kind::Gauge };
            value.map(|value| OwnFamily {
                name,
                help,
                unit,
                kind,
                series: vec![OwnSeries { labels: Vec::new(), value }],
            })
        };
        let all = [
            family(
                "process_cpu_seconds_total",
                "Processor time of the process, user and system",
                Unit::Nanoseconds,
                self.cpu_nanos.map(OwnValue::Counter),
            ),
            family(
                "process_resident_memory_bytes",
                "Memory of the process that is in the machine's memory",
                Unit::Bytes,
                whole(self.resident_bytes),
            ),
            family(
                "process_virtual_memory_bytes",
                "Memory that the process has addresses for",
                Unit::Bytes,
                whole(self.virtual_bytes),
            ),
            family(
                "process_start_time_seconds",
                "When the process was started, in seconds since the Unix epoch",
                Unit::Seconds,
                self.started.map(OwnValue::Gauge),
            ),
            family("process_open_fds", "File descriptors that are open", Unit::Count, whole(self.open_fds)),
            family("process_max_fds", "File descriptors that may be open", Unit::Count, whole(self.max_fds)),
            family("process_threads", "Threads of the process", Unit::Count, whole(self.threads)),
        ];
        all.into_iter().flatten().collect()
    }
}

/// Shares, for those who ask over HTTP.
#[cfg(feature = "http")]
impl Process {
    /// Processor time as a percentage of one processor, since `before`, so many seconds ago, or since the process was started.
    pub(crate) fn cpu_percent(&self, before: Option<(&Self, f64)>) -> Option<f64> {
        let (spent, seconds) = match before {
            Some((before, seconds)) => (self.cpu_nanos?.saturating_sub(before.cpu_nanos?), seconds),
            None => (self.cpu_nanos?, unix_seconds() - self.started?),
        };
        let percent = spent as f64 / 1e9 / seconds * 100.0;
        percent.is_finite().then_some(percent.max(0.0))
    }

    /// Resident memory as a percentage of the machine's.
    pub(crate) fn memory_percent(&self) -> Option<f64> {
        let machine = machine_bytes().filter(|bytes| *bytes > 0)?;
        Some(self.resident_bytes? as f64 / machine as f64 * 100.0)
    }
}

/// The machine's memory in bytes, as it is shown to others.
#[cfg(feature = "http")]
pub(crate) fn machine_bytes() -> Option<u64> {
    if cfg!(feature = "process") { all_memory() } else { None }
}

fn all_memory() -> Option<u64> {
    parse_kib(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The memory that the machine has, or the container if that is less.
pub(crate) fn memory_there_is() -> Option<u64> {
    let machine = all_memory()?;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    Some(limit.map_or(machine, |limit| limit.min(machine)))
}

#[cfg(feature = "http")]
fn unix_seconds() -> f64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The fields of `/proc/self/stat` from the third on. The second is a name in parentheses, which may hold anything.
fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace())
}

/// The 14th and 15th field: user and system time.
fn parse_cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = fields(stat)?.skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    user.checked_add(system)
}

/// The 22nd field: when it was started, in ticks after the machine.
fn parse_start_ticks(stat: &str) -> Option<u64> {
    fields(stat)?.nth(19)?.parse().ok()
}

/// When the process was started. The machine's start is read once: Linux moves it when its clock is set, and the process
/// would seem to be another one.
fn started(stat: &str) -> Option<f64> {
    static MACHINE: OnceLock<Option<u64>> = OnceLock::new();
    let read = || value_of(&fs::read_to_string("/proc/stat").ok()?, "btime").and_then(|at| at.parse().ok());
    let machine = MACHINE.get_or_init(read).as_ref()?;
    Some(*machine as f64 + parse_start_ticks(stat)? as f64 / TICKS_PER_SECOND as f64)
}

/// From Linux 6.2 on the size of the directory is the number of its entries, and no descriptor is needed to count them.
fn open_fds() -> Option<u64> {
    let path = Path::new("/proc/self/fd");
    match fs::metadata(path).ok()?.len() {
        // One of the entries is the directory itself, while it is read.
        0 => Some((fs::read_dir(path).ok()?.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

/// `Max open files            1024                 1048576              files`
fn parse_max_fds(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// `VmRSS:     1234 kB`
fn parse_kib(text: &str, name: &str) -> Option<u64> {
    let kib: u64 = value_of(text, name)?.strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

/// What follows a name at the beginning of a line.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.starts_with(char::is_whitespace).then(|| line.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a) (na me) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 8800 1000 5";

    #[test]
    fn figures_are_read_from_what_linux_writes() {
        assert_eq!((parse_cpu_ticks(STAT), parse_start_ticks(STAT)), (Some(200), Some(8_800)));
        let status =
            "Name:\tThreads: 9\nVmPeak:\t 9 kB\nVmSize:\t  2000 kB\nVmRSS:\t    1234 kB\nThreads:\t3\n";
        assert_eq!(parse_kib(status, "VmRSS:"), Some(1_234 * 1_024));
        assert_eq!(parse_kib(status, "VmSize:"), Some(2_000 * 1_024));
        assert_eq!(value_of(status, "Threads:"), Some("3"));
        assert_eq!(value_of("cpu 1\nbtime 1795213600\n", "btime"), Some("1795213600"));
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024      4096       files\n";
        assert_eq!(parse_max_fds(limits), Some(1_024));
        assert_eq!(parse_max_fds("Max open files            unlimited   unlimited  files\n"), None);
    }

    #[test]
    fn what_is_not_there_is_absent() {
        for text in ["", ")", "42", "42 (a) S 1", "VmRSS:", "VmRSS: x kB", "VmRSS: 99999999999999999999 kB"] {
            assert_eq!((parse_cpu_ticks(text), parse_start_ticks(text)), (None, None), "{text}");
            assert_eq!((parse_kib(text, "VmRSS:"), parse_max_fds(text)), (None, None), "{text}");
        }
        assert!(Process::default().families().is_empty());
        let one = Process { threads: Some(3), ..Process::default() };
        assert_eq!(one.families().len(), 1);
        #[cfg(feature = "http")]
        assert_eq!((one.cpu_percent(None), one.memory_percent()), (None, None));
    }

    #[cfg(feature = "http")]
    #[test]
    fn percentages_are_of_one_processor_and_of_the_machine() {
        let at = |cpu_nanos| Process { cpu_nanos: Some(cpu_nanos), ..Process::default() };
        let percent = |now, before, seconds| at(now).cpu_percent(Some((&at(before), seconds)));
        assert_eq!(percent(3_000_000_000, 1_000_000_000, 1.0), Some(200.0));
        assert_eq!(percent(1, 2, 1.0), Some(0.0), "never negative");
        assert_eq!(percent(1, 1, 0.0), None, "nor infinite");
    }

    #[test]
    fn this_process_is_seen_where_it_can_be() {
        let families = Process::shown().families();
        let expected = if cfg!(all(feature = "process", target_os = "linux")) { 7 } else { 0 };
        assert_eq!(families.len(), expected);
        for family in &families {
            match family.series[0].value {
                OwnValue::Gauge(value) => assert!(value > 0.0, "{family:?}"),
                OwnValue::Counter(_) => assert_eq!(family.name, "process_cpu_seconds_total"),
                OwnValue::Histogram(_) => panic!("{family:?}"),
            }
        }
        let twice = [Process::read(), Process::read()].map(|process| process.started);
        assert_eq!(twice[0], twice[1], "it is started once");
        #[cfg(target_os = "linux")]
        assert!(twice[0].is_some() && Process::read().resident_bytes < memory_there_is());
    }
}
