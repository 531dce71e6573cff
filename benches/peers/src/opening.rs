//! How long it takes from nothing to the first value: opening a database and getting a key.

use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::crew::{Crew, Pace};
use crate::failed::{Done, wrong};
use crate::figures::{Cost, Figures, Latency, micros_per_op};
use crate::job::{Job, Message};
use crate::keys;
use crate::measure;
use crate::recorder::histogram;
use crate::settings::Settings;
use crate::site::{Bounds, Site};
use crate::store::{Store, settle};
use crate::workload::{Chain, Workload};

/// However long one takes, so many openings are timed; however short, no more than these.
const OPENINGS_MIN: u64 = 3;
const OPENINGS_MAX: u64 = 1_000;
const SECONDS: f64 = 2.0;

pub(crate) fn run(job: &Job, say: &mut dyn FnMut(Message) -> Done) -> Done {
    let (settings, site) = (job.settings_of_chain(), job.site());
    let live = job.dir.join("live");
    std::fs::create_dir(&live)?;
    let store = job.engine.open(&live, &settings)?;
    store.note().map_or(Ok(()), |note| say(Message::Note(note)))?;
    let workload = if job.chain == Chain::Open { Workload::Open } else { Workload::OpenLog };
    say(Message::Begun(workload))?;
    Crew::new(&*store, &site, Workload::FillRandom, false)?.run(Pace::Closed(Bounds::NONE))?;
    let mut openings = Openings::new(settings, site)?;
    let disk_bytes = match workload {
        Workload::Open => {
            settle(&*store)?;
            store.close()?;
            openings.repeat(job, |openings, nth| openings.time(job, &live, nth))?;
            measure::disk_bytes(&live)
        }
        _ => {
            store.sync()?;
            let copy = job.dir.join("copy");
            openings.repeat(job, |openings, nth| {
                copy_files(&live, &copy)?;
                openings.time(job, &copy, nth)?;
                Ok(std::fs::remove_dir_all(&copy)?)
            })?;
            let bytes = measure::disk_bytes(&live);
            store.close()?;
            bytes
        }
    };
    say(Message::Measured(Box::new(openings.figures(job, workload, disk_bytes))))
}

struct Openings {
    settings: Settings,
    site: Site,
    latencies: Histogram<u64>,
    elapsed: Duration,
    cpu: Duration,
}

impl Openings {
    fn new(settings: Settings, site: Site) -> Done<Openings> {
        Ok(Openings { settings, site, latencies: histogram()?, elapsed: Duration::ZERO, cpu: Duration::ZERO })
    }

    /// Opens until the bounds say that it is enough.
    fn repeat(&mut self, job: &Job, mut one: impl FnMut(&mut Openings, u64) -> Done) -> Done {
        let lasts = Duration::from_secs_f64(job.bounds.seconds.unwrap_or(SECONDS));
        let most = job.bounds.ops.unwrap_or(OPENINGS_MAX).clamp(OPENINGS_MIN, OPENINGS_MAX);
        let began = Instant::now();
        for nth in 0..most {
            if nth >= OPENINGS_MIN && began.elapsed() > lasts {
                break;
            }
            one(self, nth)?;
        }
        Ok(())
    }

    /// Opens and gets a key, which is timed, and closes, which is not.
    fn time(&mut self, job: &Job, dir: &Path, nth: u64) -> Done {
        let key = keys::present(self.site.random(nth as usize).below(self.site.shape.keys));
        let check = self.site.check();
        let mut good = false;
        let (began, cpu) = (Instant::now(), measure::cpu());
        let store: Box<dyn Store> = job.engine.open(dir, &self.settings)?;
        store.get(&key, &mut |value| good = check.is_good(&key, value))?;
        let took = began.elapsed();
        self.cpu += measure::cpu().saturating_sub(cpu);
        self.elapsed += took;
        self.latencies.saturating_record(took.as_nanos() as u64);
        store.close()?;
        if good { Ok(()) } else { Err(wrong(&key, "is lost or wrong after opening")) }
    }

    fn figures(&self, job: &Job, workload: Workload, disk_bytes: u64) -> Figures {
        let (ops, seconds) = (self.latencies.len(), self.elapsed.as_secs_f64());
        let cpu = micros_per_op(self.cpu, ops);
        let cost = Cost {
            cpu_micros_per_op: cpu,
            settled_cpu_micros_per_op: cpu,
            disk_bytes,
            anonymous_bytes: measure::anonymous_bytes(),
            ..Cost::default()
        };
        Figures {
            engine: job.engine,
            workload,
            round: job.round,
            threads: 1,
            rate: None,
            ops,
            seconds,
            ops_per_second: ops as f64 / seconds,
            latency: Latency::of(&self.latencies),
            cost,
            sets_beside: 0,
        }
    }
}

/// Copies a directory as it is, while nobody writes to it. What the engine has not given to the system is not in the copy: it is
/// what a process that is killed leaves behind.
fn copy_files(from: &Path, to: &Path) -> Done {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
