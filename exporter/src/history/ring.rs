//! The newest rows, 15 minutes at one a second.

use super::columns::COLUMNS;
use super::heat::{EDGES, Heat, of_operation};
use bettong_metrics::Operation;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};

/// The most rows that are kept.
pub(crate) const ROWS: usize = 900;

/// What happened in one second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// When it was over, in Unix seconds.
    pub(super) at: f64,
    /// How long it was.
    pub(super) seconds: f32,
    pub(super) values: Box<[f32]>,
    pub(super) heat: Heat,
}

/// The rows, oldest first.
///
/// They stand in few large buffers, not each in allocations of its own: those would live for 15 minutes between the large texts and
/// snapshots of their seconds, and keep the allocator from using the memory around them again.
#[derive(Debug, Default)]
pub(super) struct Ring {
    marks: VecDeque<Mark>,
    /// As many of each row as there are columns.
    values: VecDeque<f32>,
    /// As many of each row as its mark says.
    cells: VecDeque<u16>,
    counts: VecDeque<u32>,
}

/// Of a row what there is one of.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: f64,
    seconds: f32,
    cells: u16,
}

impl Ring {
    pub(super) fn push(&mut self, row: &Row) {
        if self.marks.capacity() == 0 {
            // All there will ever be; heat has no usual size, and its buffers grow to what they need.
            self.marks.reserve_exact(ROWS);
            self.values.reserve_exact(ROWS * COLUMNS.len());
        }
        if self.marks.len() == ROWS
            && let Some(oldest) = self.marks.pop_front()
        {
            self.values.drain(..COLUMNS.len());
            self.cells.drain(..usize::from(oldest.cells));
            self.counts.drain(..usize::from(oldest.cells));
        }
        let cells = row.heat.cells();
        self.marks.push_back(Mark { at: row.at, seconds: row.seconds, cells: cells.len() as u16 });
        debug_assert_eq!(row.values.len(), COLUMNS.len(), "a value for each column");
        self.values.extend(&row.values);
        for (cell, count) in cells {
            self.cells.push_back(cell);
            self.counts.push_back(count);
        }
    }

    /// Writes `"at":[…],"seconds":[…],"columns":{…},"heat":{…}` of the newest `count` rows.
    pub(super) fn write(&self, text: &mut String, count: usize) {
        let skipped = self.marks.len().saturating_sub(count);
        let marks = || self.marks.range(skipped..);
        text.push_str("\"at\":[");
        separated(text, marks(), |text, mark| put(text, format_args!("{:.3}", mark.at)));
        text.push_str("],\"seconds\":[");
        separated(text, marks(), |text, mark| number(text, mark.seconds));
        text.push_str("],\"columns\":{");
        separated(text, COLUMNS.iter().enumerate(), |text, (at, column)| {
            text.push_str(&quoted(&column.name));
            text.push_str(":[");
            let values = self.values.range(skipped * COLUMNS.len()..).skip(at).step_by(COLUMNS.len());
            separated(text, values, |text, value| number(text, *value));
            text.push(']');
        });
        text.push_str("},\"heat\":{\"edges_seconds\":[");
        separated(text, EDGES.iter(), |text, edge| put(text, format_args!("{:e}", *edge as f64 / 1e9)));
        text.push(']');
        let cells_of = |mark: &Mark| usize::from(mark.cells);
        let first = self.marks.range(..skipped).map(cells_of).sum::<usize>();
        for operation in Operation::ALL {
            let _ = write!(text, ",{}:[", quoted(operation.as_str()));
            let mut first = first;
            separated(text, marks(), |text, mark| {
                let places = first..first + cells_of(mark);
                first = places.end;
                let counts = self.counts.range(places.clone()).copied();
                heat(text, self.cells.range(places).copied().zip(counts), operation);
            });
            text.push(']');
        }
        text.push('}');
    }

    /// Bytes of memory beside its own.
    #[cfg(test)]
    fn heap_bytes(&self) -> usize {
        self.marks.capacity() * size_of::<Mark>()
            + self.values.capacity() * size_of::<f32>()
            + self.cells.capacity() * size_of::<u16>()
            + self.counts.capacity() * size_of::<u32>()
    }
}

impl Row {
    /// Writes `"at":…,"seconds":…,"values":[…],"heat":{…}`, the values in the order of the columns.
    pub(super) fn write(&self, text: &mut String) {
        let _ = write!(text, "\"at\":{:.3},\"seconds\":", self.at);
        number(text, self.seconds);
        text.push_str(",\"values\":[");
        separated(text, self.values.iter(), |text, value| number(text, *value));
        text.push_str("],\"heat\":{");
        separated(text, Operation::ALL.into_iter(), |text, operation| {
            text.push_str(&quoted(operation.as_str()));
            text.push(':');
            heat(text, self.heat.cells(), operation);
        });
        text.push('}');
    }
}

/// Buckets and counts, one after the other: `[bucket,count,bucket,count,…]`.
fn heat(text: &mut String, cells: impl Iterator<Item = (u16, u32)>, operation: Operation) {
    text.push('[');
    separated(text, of_operation(cells, operation), |text, (bucket, count)| {
        put(text, format_args!("{bucket},{count}"));
    });
    text.push(']');
}

/// Whole numbers as they are, others with five digits.
fn number(text: &mut String, value: f32) {
    let _ = if !value.is_finite() {
        write!(text, "null")
    } else if value.fract() == 0.0 && value.abs() < 1e7 {
        write!(text, "{value:.0}")
    } else {
        write!(text, "{value:.4e}")
    };
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Appends to a text, which takes everything.
pub(super) fn put(text: &mut String, arguments: fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}

pub(super) fn separated<T>(
    text: &mut String,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::heat::CELLS;
    use serde_json::Value;

    /// A row with as many gets, in as many buckets, as `number` has ones.
    fn row(number: usize) -> Row {
        let values = (0..COLUMNS.len()).map(|column| (number * 1000 + column) as f32).collect();
        let ones = (0..16).filter(|bit| number & 1 << bit != 0).map(|bit| (bit, 1));
        Row { at: 1e9 + number as f64, seconds: 1.0, values, heat: Heat::with(ones) }
    }

    fn json(ring: &Ring, count: usize) -> Value {
        let mut text = "{".to_owned();
        ring.write(&mut text, count);
        serde_json::from_str(&(text + "}")).unwrap()
    }

    /// The oracle is a vector that keeps everything.
    #[test]
    fn the_newest_rows_are_kept_in_order_whatever_their_number() {
        for pushed in [0, 1, 2, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 7] {
            let mut ring = Ring::default();
            (0..pushed).for_each(|number| ring.push(&row(number)));
            for asked in [1, 5, ROWS] {
                let kept: Vec<_> = (0..pushed).rev().take(ROWS.min(asked)).rev().collect();
                let found = json(&ring, asked);
                let at: Vec<_> =
                    found["at"].as_array().unwrap().iter().map(|at| at.as_f64().unwrap()).collect();
                assert_eq!(at, kept.iter().map(|number| 1e9 + *number as f64).collect::<Vec<_>>());
                let gets = found["heat"][Operation::Get.as_str()].as_array().unwrap();
                assert_eq!(gets.len(), kept.len());
                for (number, gets) in kept.iter().zip(gets) {
                    let pairs = gets.as_array().unwrap().chunks(2);
                    assert!(pairs.clone().all(|pair| pair[1] == 1));
                    let ones = pairs.map(|pair| 1 << pair[0].as_u64().unwrap());
                    assert_eq!(ones.sum::<usize>(), *number);
                }
                let columns = found["columns"].as_object().unwrap();
                assert_eq!(columns.len(), COLUMNS.len());
                for (place, column) in COLUMNS.iter().enumerate() {
                    let values = columns[&column.name].as_array().unwrap();
                    let expected = kept.iter().map(|number| (number * 1000 + place) as f64);
                    assert!(
                        values.iter().map(|value| value.as_f64().unwrap()).eq(expected),
                        "{}",
                        column.name
                    );
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded_whatever_is_pushed() {
        let mut ring = Ring::default();
        let mut full = row(1);
        full.heat = Heat::with((0..CELLS as u16).map(|cell| (cell, 1)));
        (0..3 * ROWS).for_each(|_| ring.push(&full));
        assert!(ring.heap_bytes() <= 4 << 20, "{}", ring.heap_bytes());
        let mut plain = Ring::default();
        (0..3 * ROWS).for_each(|_| plain.push(&row(1)));
        assert!(plain.heap_bytes() <= 1 << 20, "{}", plain.heap_bytes());
    }

    #[test]
    fn numbers_are_json_with_five_digits() {
        let text = |value| {
            let mut text = String::new();
            number(&mut text, value);
            text
        };
        assert_eq!(
            [text(0.0), text(51_230.0), text(2.13e-6), text(f32::NAN)],
            ["0", "51230", "2.1300e-6", "null"]
        );
    }
}
