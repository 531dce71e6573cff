//! Percentile distributions of a histogram as files: `.hgrm` for HdrHistogram's plotters, `.json` for programs, `.svg` to look at.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use bettong_metrics::HistogramSnapshot;

/// Writes `NAME.hgrm` (in microseconds), `NAME.json` and `NAME.svg` into `dir`, which is made if it is not there.
///
/// # Errors
/// Of the file system.
pub fn write(dir: &Path, name: &str, nanos: &HistogramSnapshot) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(format!("{name}.hgrm")), nanos.to_hgrm(1e3))?;
    fs::write(dir.join(format!("{name}.json")), json(name, nanos))?;
    fs::write(dir.join(format!("{name}.svg")), svg(name, nanos))
}

/// Names hold nothing that JSON or XML would want escaped: the benches choose them.
fn json(name: &str, nanos: &HistogramSnapshot) -> String {
    let mut json = format!("{{\"name\":\"{name}\",\"unit\":\"ns\",\"count\":{}", nanos.count());
    // Writing into a string does not fail, here and below.
    let _ = write!(json, ",\"mean\":{:.1}", nanos.mean().unwrap_or_default());
    for (label, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)] {
        let _ = write!(json, ",\"{label}\":{}", nanos.quantile(share).unwrap_or_default());
    }
    let (min, max) = (nanos.min().unwrap_or_default(), nanos.max().unwrap_or_default());
    let _ = writeln!(json, ",\"min\":{min},\"max\":{max},\"hdr_v2\":\"{}\"}}", nanos.to_hdr_v2_base64());
    json
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Room for the labels of the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 32.0;
const RIGHT: f64 = 16.0;

/// From latencies and shares to places in the picture: both axes are logarithmic, the one of shares in 1 / (1 − share), so that
/// every further nine takes as much room as the one before.
struct Axes {
    /// Powers of ten, in nanoseconds.
    lowest: f64,
    highest: f64,
    nines: f64,
}

impl Axes {
    fn of(nanos: &HistogramSnapshot) -> Axes {
        let power = |value: Option<u64>| (value.unwrap_or_default().max(1) as f64).log10();
        let lowest = power(nanos.min()).floor();
        let highest = power(nanos.max()).ceil().max(lowest + 1.0);
        Axes { lowest, highest, nines: (nanos.count().max(10) as f64).log10() }
    }

    fn x(&self, nines: f64) -> f64 {
        LEFT + nines / self.nines * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, power: f64) -> f64 {
        let share = (power - self.lowest) / (self.highest - self.lowest);
        HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }
}

fn svg(name: &str, nanos: &HistogramSnapshot) -> String {
    let axes = Axes::of(nanos);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<title>{name}: latency by percentile</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"13\">{name}: latency by percentile, {} operations</text>\n",
        nanos.count()
    );
    grid(&mut svg, &axes);
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"#0b62a4\" stroke-width=\"1.5\" points=\"{}\"/>\n</svg>",
        curve(&axes, nanos)
    );
    svg
}

fn grid(svg: &mut String, axes: &Axes) {
    let (left, right, top, bottom) = (axes.x(0.0), WIDTH - RIGHT, TOP, HEIGHT - BOTTOM);
    for power in axes.lowest as i32..=axes.highest as i32 {
        let (y, label) = (axes.y(f64::from(power)), latency_label(power));
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    for nines in 0..=axes.nines as u32 {
        let (x, label) = (axes.x(f64::from(nines)), share_label(nines));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 16.0
        );
    }
}

/// One point in twenty steps for every nine.
fn curve(axes: &Axes, nanos: &HistogramSnapshot) -> String {
    let mut points = String::new();
    for step in 0..=(axes.nines * 20.0) as u32 {
        let nines = f64::from(step) / 20.0;
        let value = nanos.quantile(1.0 - 10_f64.powf(-nines)).unwrap_or_default().max(1) as f64;
        let _ = write!(points, "{:.1},{:.1} ", axes.x(nines), axes.y(value.log10()));
    }
    points
}

fn latency_label(power: i32) -> String {
    let (unit, power) = match power {
        ..3 => ("ns", power),
        3..6 => ("µs", power - 3),
        6..9 => ("ms", power - 6),
        _ => ("s", power - 9),
    };
    format!("{} {unit}", 10_f64.powi(power))
}

fn share_label(nines: u32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        more => format!("99.{} %", "9".repeat(more as usize - 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bettong_metrics::{Histogram, Registry};

    #[test]
    fn a_distribution_becomes_three_files() {
        let registry = Registry::new("bench");
        let recorder = registry.recorder();
        (1..=1000).for_each(|n| recorder.record(Histogram::FlushDuration, n * 100));
        let dir = tempfile::tempdir().unwrap();
        let snapshot = registry.snapshot();
        write(&dir.path().join("hdr"), "flush-100", snapshot.histogram(Histogram::FlushDuration)).unwrap();
        let read =
            |ending| fs::read_to_string(dir.path().join("hdr").join(format!("flush-100.{ending}"))).unwrap();
        assert!(read("hgrm").contains("Total count    =         1000"));
        let json = read("json");
        assert!(
            json.contains("\"count\":1000,") && json.contains("\"p9999\":") && json.ends_with("\"}\n"),
            "{json}"
        );
        let svg = read("svg");
        for part in ["<title>flush-100", ">100 ns<", ">100 µs<", ">99.9 %<", "<polyline", "</svg>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }

    #[test]
    fn nothing_recorded_is_drawn_without_a_fault() {
        assert!(svg("none", &HistogramSnapshot::EMPTY).ends_with("</svg>\n"));
        assert!(!svg("none", &HistogramSnapshot::EMPTY).contains("NaN"));
    }
}
