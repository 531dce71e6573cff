//! A record as pictures: for each workload a bar an engine, in SVG written by hand.

use std::fmt::Write;
use std::path::Path;

use crate::engine::Engine;
use crate::failed::Done;
use crate::record::{Record, Spread};
use crate::units::short;
use crate::workload::Workload;

const WIDTH: f64 = 720.0;
const NAME_WIDTH: f64 = 110.0;
const LABEL_WIDTH: f64 = 130.0;
const BAR_HEIGHT: f64 = 22.0;
const STEP: f64 = 32.0;
const HEAD: f64 = 56.0;

/// Writes `WORKLOAD.svg` for every workload that has figures.
pub(crate) fn write(record: &Record, dir: &Path) -> Done {
    std::fs::create_dir_all(dir)?;
    for workload in record.rows() {
        std::fs::write(dir.join(format!("{}.svg", workload.name())), picture(record, workload))?;
    }
    Ok(())
}

/// What a bar shows: throughput in a closed loop, the tail in an open one.
fn bar(record: &Record, engine: Engine, workload: Workload) -> Option<Spread> {
    match record.rate {
        None => record.spread(engine, workload, |figures| Some(figures.ops_per_second)),
        Some(_) => record.spread(engine, workload, |figures| Some(figures.latency.p999 as f64 / 1e3)),
    }
}

fn picture(record: &Record, workload: Workload) -> String {
    let bars: Vec<(Engine, Option<Spread>)> =
        record.engines.iter().map(|engine| (*engine, bar(record, *engine, workload))).collect();
    let most = bars
        .iter()
        .filter_map(|(_, spread)| Some(spread.as_ref()?.high))
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    let height = HEAD + STEP * bars.len() as f64 + 12.0;
    let unit =
        if record.rate.is_some() { "p99.9 in µs from the intended start" } else { "operations a second" };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let about = format!(
        "{unit}: {} keys, values of {}, threads: {}; medians of rounds ({}), lines from the least to the most",
        short(record.shape.keys as f64),
        record.shape.sizes,
        record.threads,
        record.rounds
    );
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"22\" font-size=\"16\" font-weight=\"bold\">{}</text>",
        workload.name()
    );
    let _ =
        writeln!(svg, "<text x=\"10\" y=\"42\" fill=\"#555\" font-size=\"11\">{}</text>", escaped(&about));
    for (nth, (engine, spread)) in bars.into_iter().enumerate() {
        row(&mut svg, HEAD + STEP * nth as f64, engine, spread, most);
    }
    svg.push_str("</svg>\n");
    svg
}

fn row(svg: &mut String, top: f64, engine: Engine, spread: Option<Spread>, most: f64) {
    let at = |figure: f64| NAME_WIDTH + (WIDTH - NAME_WIDTH - LABEL_WIDTH) * figure / most;
    let baseline = top + BAR_HEIGHT * 0.7;
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>",
        NAME_WIDTH - 8.0,
        engine.name()
    );
    let Some(Spread { low, median, high }) = spread else {
        let _ = writeln!(svg, "<text x=\"{NAME_WIDTH}\" y=\"{baseline}\" fill=\"#777\">–</text>");
        return;
    };
    let fill = if engine == Engine::Bettong { "#c2571a" } else { "#7a8ca3" };
    let (width, middle) = (at(median) - NAME_WIDTH, top + BAR_HEIGHT / 2.0);
    let _ = writeln!(
        svg,
        "<rect x=\"{NAME_WIDTH}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" fill=\"{fill}\"/>"
    );
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{middle}\" x2=\"{:.1}\" y2=\"{middle}\" stroke=\"black\"/>",
        at(low),
        at(high)
    );
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{baseline}\">{}</text>", at(high) + 8.0, short(median));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
