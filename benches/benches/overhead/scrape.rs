//! What it costs the application that somebody reads its metrics: two threads do gets and sets in turn, without and with a third
//! that takes a snapshot and renders it as text a hundred times a second.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bettong_benches::slices::processor_nanos;
use bettong_benches::{Bench, Place, key, shuffled};
use bettong_exporter::formats::text::Renderer;
use bettong_paired::{Side, interleave};

use crate::Result;
use crate::rows::{Comparison, Row};
use crate::settings::Settings;

const THREADS: usize = 2;
const PERIOD: Duration = Duration::from_millis(10);
/// Long enough for a handful of scrapes.
const SLICE: Duration = Duration::from_millis(60);
/// Keys in the database.
const KEYS: u64 = 10_000;
/// A round's sets must find room in one memtable.
const MOST_PAIRS: usize = 10;

/// Measures both rows; returns with them the processor time that each scrape took, in nanoseconds.
pub(crate) fn measure(settings: &Settings) -> Result<(Vec<Row>, Vec<f64>)> {
    let mut scrapes = Vec::new();
    let mut row = |comparison| {
        let mut row =
            Row { path: "scrape", threads: THREADS, comparison, rounds: Vec::new(), interval: None };
        let mut left = settings.pairs;
        while left > 0 {
            let pairs = left.min(MOST_PAIRS);
            left -= pairs;
            let load = Load::new(settings)?;
            row.rounds.push(interleave(pairs, |side| {
                load.slice(comparison == Comparison::Scrape && side == Side::B, &mut scrapes)
            })?);
        }
        Ok::<_, Box<dyn std::error::Error>>(row)
    };
    let rows = vec![row(Comparison::Scrape)?, row(Comparison::NoScrape)?];
    Ok((rows, scrapes))
}

struct Load {
    bench: Bench,
    /// Operations of each thread in a slice.
    count: u64,
}

impl Load {
    fn new(settings: &Settings) -> Result<Load> {
        let bench = Bench::new(if settings.test { settings.keys } else { KEYS }, 100, Place::Memtable)?;
        let mut load = Load { bench, count: if settings.test { 100 } else { 10_000 } };
        let nanos = load.slice(false, &mut Vec::new())?;
        if !settings.test {
            load.count = (SLICE.as_nanos() as f64 / nanos) as u64 + 1;
        }
        Ok(load)
    }

    /// Nanoseconds per operation, the mean of the threads.
    fn slice(&self, scraped: bool, scrapes: &mut Vec<f64>) -> Result<f64> {
        let (start, stop) = (Barrier::new(THREADS + usize::from(scraped)), AtomicBool::new(false));
        let (start, stop) = (&start, &stop);
        thread::scope(|scope| {
            let scraper = scraped.then(|| scope.spawn(|| self.scrape(start, stop)));
            let workers: Vec<_> =
                (0..THREADS as u64).map(|at| scope.spawn(move || self.work(at, start))).collect();
            let times: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            stop.store(true, Ordering::Relaxed);
            if let Some(scraper) = scraper {
                scrapes.extend(scraper.join().map_err(|_| "the scraper panicked")?);
            }
            let mut sum = 0.0;
            for time in times {
                sum += time.map_err(|_| "a thread of the load panicked")??;
            }
            Ok(sum / THREADS as f64)
        })
    }

    fn work(&self, thread: u64, start: &Barrier) -> bettong::Result<f64> {
        let Bench { db, keys, .. } = &self.bench;
        start.wait();
        let began = Instant::now();
        for at in 0..self.count {
            let key = key(shuffled(at + thread * self.count, *keys));
            if at % 2 == 0 {
                std::hint::black_box(db.get(key)?);
            } else {
                db.set(key, [7; 100])?;
            }
        }
        Ok(began.elapsed().as_nanos() as f64 / self.count as f64)
    }

    /// Scrapes until told to stop; returns the processor time of each, in nanoseconds.
    fn scrape(&self, start: &Barrier, stop: &AtomicBool) -> Vec<f64> {
        let mut times = Vec::new();
        // As the exporter does: what stays the same from scrape to scrape is kept.
        let (registry, mut renderer) = (self.bench.db.metrics(), Renderer::default());
        renderer.render(&registry.snapshot());
        start.wait();
        while !stop.load(Ordering::Relaxed) {
            let (began, had) = (Instant::now(), processor_nanos());
            std::hint::black_box(renderer.render(&registry.snapshot()));
            times.push(processor_nanos() - had);
            thread::sleep(PERIOD.saturating_sub(began.elapsed()));
        }
        times
    }
}
