//! Histograms in the formats that HdrHistogram's tools read.
//!
//! ```text
//!   V2      cookie 1c849313 │ payload bytes │ 0 │ digits │ lowest │ highest │ 1.0 │ payload
//!           u32               u32             u32 u32      u64      u64       f64   big-endian all
//!   payload counts from value 0 up, or minus the number of zeros in a row; zig-zag, then LEB128 of at most 9 bytes
//!   V2 compressed  cookie 1c849314 │ bytes │ the above as a zlib stream
//! ```
//! The zlib stream here is stored, not compressed: every reader takes it, and it needs no crate. A payload has some
//! hundred bytes, as most buckets are empty.
//!
//! Source: HdrHistogram (Gil Tene), `AbstractHistogram.encodeIntoByteBuffer`, `ZigZagEncoding`, `HistogramLogWriter` and
//! `outputPercentileDistribution`.

use super::buckets::{BUCKETS, BUCKETS_PER_OCTAVE, HIGHEST_VALUE, SIGNIFICANT_DIGITS, index_of};
use super::reading::HistogramSnapshot;
use std::fmt::{self, Write as _};

const V2_COOKIE: u32 = 0x1c84_9313;
const V2_COMPRESSED_COOKIE: u32 = 0x1c84_9314;

/// Steps of the percentile column between 0 and 50 %, 50 and 75 %, and so on: the default of HdrHistogram's tools.
const STEPS_PER_HALF_DISTANCE: u32 = 5;

/// Bytes below which a zlib stream fits one stored block. A payload has at most nine for each bucket.
const STORED_BLOCK_BYTES: usize = u16::MAX as usize;
const _: () = assert!(BUCKETS * 9 + 40 <= STORED_BLOCK_BYTES);

/// The header of an interval log, version 1.3, for the lines of [`HistogramSnapshot::to_interval_log_line`].
pub const INTERVAL_LOG_HEADER: &str = "#[Histogram log format version 1.3]\n\
    \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

impl HistogramSnapshot {
    /// The counts in HdrHistogram's V2 encoding, which every port of it decodes. Nothing is lost but the exact sum,
    /// minimum and maximum. Counts above 2⁶³ − 1 are written as that.
    ///
    /// # Examples
    /// ```
    /// let bytes = bettong_metrics::HistogramSnapshot::EMPTY.to_hdr_v2();
    /// assert_eq!(bytes[..4], [0x1c, 0x84, 0x93, 0x13]);
    /// ```
    pub fn to_hdr_v2(&self) -> Vec<u8> {
        let payload = self.v2_payload();
        let mut bytes = Vec::with_capacity(40 + payload.len());
        bytes.extend(V2_COOKIE.to_be_bytes());
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(u32::from(SIGNIFICANT_DIGITS).to_be_bytes());
        bytes.extend(1_u64.to_be_bytes());
        bytes.extend(HIGHEST_VALUE.to_be_bytes());
        bytes.extend(1.0_f64.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// The V2 compressed encoding in base64: what stands in interval logs, and what HdrHistogram's tools take as text.
    pub fn to_hdr_v2_base64(&self) -> String {
        let stream = zlib_stored(&self.to_hdr_v2());
        let mut bytes = Vec::with_capacity(8 + stream.len());
        bytes.extend(V2_COMPRESSED_COOKIE.to_be_bytes());
        bytes.extend((stream.len() as u32).to_be_bytes());
        bytes.extend(stream);
        base64(&bytes)
    }

    /// One line of an interval log: the histogram of the `seconds` after `start_seconds`, which is relative to whatever
    /// the log says. The column for people, `Interval_Max`, is divided by `scale`. Commas, line ends and spaces in `tag`
    /// become underscores; an empty one is left out.
    ///
    /// # Examples
    /// ```
    /// use bettong_metrics::{Histogram, Registry, histogram::INTERVAL_LOG_HEADER};
    ///
    /// let registry = Registry::new("orders");
    /// let (mut log, mut before) = (INTERVAL_LOG_HEADER.to_owned(), registry.snapshot());
    /// for second in 0..3 {
    ///     registry.recorder().record(Histogram::FlushDuration, 1_500_000);
    ///     let now = registry.snapshot();
    ///     let flushes = now.histogram(Histogram::FlushDuration).since(before.histogram(Histogram::FlushDuration));
    ///     log += &flushes.to_interval_log_line("flush", f64::from(second), 1.0, 1e6); // milliseconds
    ///     before = now;
    /// }
    /// assert!(log.contains("\nTag=flush,2.000,1.000,1.5"));
    /// ```
    pub fn to_interval_log_line(&self, tag: &str, start_seconds: f64, seconds: f64, scale: f64) -> String {
        let tag = tag.replace(|c: char| c == ',' || c.is_whitespace(), "_");
        let tag = if tag.is_empty() { tag } else { format!("Tag={tag},") };
        let max = self.max().unwrap_or_default() as f64 / divisor(scale);
        format!("{tag}{start_seconds:.3},{seconds:.3},{max:.3},{}\n", self.to_hdr_v2_base64())
    }

    /// The percentile distribution as text (`.hgrm`), which HdrHistogram's plotters draw. Values are divided by `scale`:
    /// 1e6 makes milliseconds of nanoseconds. A scale that is not a positive number counts as 1.
    ///
    /// `Value` is the highest of its bucket; mean and maximum at the end are exact.
    ///
    /// # Examples
    /// ```
    /// # use bettong_metrics::{Histogram, Registry};
    /// let registry = Registry::new("orders");
    /// registry.recorder().record(Histogram::FlushDuration, 1_500_000);
    /// let text = registry.snapshot().histogram(Histogram::FlushDuration).to_hgrm(1e6);
    /// assert!(text.contains("#[Max     =        1.500, Total count    =            1]\n"));
    /// ```
    pub fn to_hgrm(&self, scale: f64) -> String {
        let mut text = String::new();
        let written = self.write_hgrm(&mut text, divisor(scale));
        debug_assert!(written.is_ok(), "writing into a string does not fail");
        text
    }

    fn write_hgrm(&self, text: &mut String, scale: f64) -> fmt::Result {
        let hdr = self.to_hdr();
        writeln!(
            text,
            "{:>12} {:>14} {:>10} {:>14}\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        )?;
        let mut seen = 0;
        for step in hdr.iter_quantiles(STEPS_PER_HALF_DISTANCE) {
            seen += step.count_since_last_iteration();
            let (value, share) = (step.value_iterated_to() as f64 / scale, step.quantile_iterated_to());
            write!(text, "{value:12.3} {share:2.12} {seen:10}")?;
            // The last line has no place for the infinite.
            if share < 1.0 {
                write!(text, " {:14.2}", 1.0 / (1.0 - share))?;
            }
            text.push('\n');
        }
        let (mean, deviation) = (self.mean().unwrap_or_default() / scale, hdr.stdev() / scale);
        let max = self.max().unwrap_or_default() as f64 / scale;
        writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]")?;
        writeln!(text, "#[Max     = {max:12.3}, Total count    = {:12}]", self.count())?;
        let (octaves, width) = (BUCKETS / BUCKETS_PER_OCTAVE - 1, 2 * BUCKETS_PER_OCTAVE);
        writeln!(text, "#[Buckets = {octaves:12}, SubBuckets     = {width:12}]")
    }

    /// The counts up to the last non-empty bucket.
    fn v2_payload(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        let mut next = 0;
        for bucket in self.buckets() {
            let index = index_of(bucket.lowest);
            write_zeros(&mut payload, index.saturating_sub(next));
            write_number(&mut payload, i64::try_from(bucket.count).unwrap_or(i64::MAX));
            next = index + 1;
        }
        if payload.is_empty() {
            // Decoders want at least one bucket.
            write_zeros(&mut payload, 1);
        }
        payload
    }
}

fn divisor(scale: f64) -> f64 {
    if scale.is_finite() && scale > 0.0 { scale } else { 1.0 }
}

/// A run of empty buckets. A single one is a count of zero.
fn write_zeros(payload: &mut Vec<u8>, zeros: usize) {
    match i64::try_from(zeros).unwrap_or_default() {
        0 => {}
        1 => write_number(payload, 0),
        zeros => write_number(payload, -zeros),
    }
}

/// Zig-zag (0, −1, 1, −2 … are 0, 1, 2, 3 …), then seven bits a byte, lowest first, the ninth byte with all eight.
fn write_number(payload: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    for _ in 0..8 {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            payload.push(low);
            return;
        }
        payload.push(low | 0x80);
    }
    payload.push(rest as u8);
}

/// `bytes` as a zlib stream (RFC 1950) of one stored block (RFC 1951).
fn zlib_stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(bytes);
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

fn adler32(bytes: &[u8]) -> u32 {
    let step = |(low, high): (u32, u32), byte: &u8| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    };
    let (low, high) = bytes.iter().fold((1, 0), step);
    high << 16 | low
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, at| group << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for place in 0..4_usize {
            let digit = DIGITS.get((group >> (18 - 6 * place) & 63) as usize);
            let is_padding = place > three.len();
            text.push(digit.filter(|_| !is_padding).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::recording::LazyHistogram;
    use super::*;
    use crate::cell::Writers;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
    use proptest::prelude::*;

    fn filled(values: impl IntoIterator<Item = u64>) -> HistogramSnapshot {
        let histogram = LazyHistogram::default();
        values.into_iter().for_each(|value| histogram.record(value, Writers::One));
        HistogramSnapshot::of(&histogram)
    }

    fn decoded(bytes: &[u8]) -> hdrhistogram::Histogram<u64> {
        Deserializer::new().deserialize(&mut &bytes[..]).unwrap()
    }

    fn from_base64(text: &str) -> Vec<u8> {
        let digit = |c| ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).position(|d| d == c);
        let bits = text.chars().filter_map(digit).flat_map(|digit| (0..6).rev().map(move |n| digit >> n & 1));
        let bits: Vec<_> = bits.collect();
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect()
    }

    #[test]
    fn an_empty_histogram_is_decoded_as_empty() {
        assert_eq!(decoded(&HistogramSnapshot::EMPTY.to_hdr_v2()).len(), 0);
        assert!(HistogramSnapshot::EMPTY.to_hgrm(1.0).contains("Total count    =            0]"));
    }

    #[test]
    fn numbers_of_every_length_are_written_as_the_decoder_reads_them() {
        for bits in 0..63 {
            for count in [1_u64 << bits, (1 << bits) + 5] {
                let mut snapshot =
                    hdrhistogram::Histogram::<u64>::new_with_bounds(1, HIGHEST_VALUE, 2).unwrap();
                snapshot.record_n(3, count).unwrap();
                let mut expected = Vec::new();
                V2Serializer::new().serialize(&snapshot, &mut expected).unwrap();
                let mut payload = Vec::new();
                write_zeros(&mut payload, 3);
                write_number(&mut payload, count.cast_signed());
                assert_eq!(payload, expected[40..], "{count}");
            }
        }
    }

    #[test]
    fn base64_and_checksum_are_those_of_their_standards() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xfe]), "/+/+");
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn the_percentile_distribution_is_what_the_plotters_read() {
        let expected = include_str!("export.golden.hgrm");
        let found = filled((1..=1_000).map(|n| n * 1_000)).to_hgrm(1_000.0);
        if std::env::var_os("BETTONG_UPDATE_GOLDEN").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/histogram/export.golden.hgrm");
            std::fs::write(path, &found).unwrap();
        }
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.len(), expected.len());
        assert_eq!(filled([7]).to_hgrm(f64::NAN), filled([7]).to_hgrm(1.0));
    }

    #[test]
    fn an_interval_log_is_read_back() {
        let log = INTERVAL_LOG_HEADER.to_owned()
            + &filled([2_000_000; 3]).to_interval_log_line("a get,\n", 0.5, 1.0, 1e6)
            + &filled([9]).to_interval_log_line("", 1.5, 1.0, 0.0);
        let entries: Vec<_> = IntervalLogIterator::new(log.as_bytes()).map(Result::unwrap).collect();
        let intervals: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                LogEntry::Interval(interval) => Some(interval),
                _ => None,
            })
            .collect();
        let found: Vec<_> = intervals
            .iter()
            .map(|interval| {
                (
                    interval.tag().map(|tag| tag.as_str()),
                    interval.start_timestamp().as_millis(),
                    interval.max(),
                )
            })
            .collect();
        assert_eq!(found, [(Some("a_get__"), 500, 2.0), (None, 1_500, 9.0)]);
        assert_eq!(intervals[0].encoded_histogram(), filled([2_000_000; 3]).to_hdr_v2_base64());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_by_hdrhistogram_bucket_by_bucket(
            values in prop::collection::vec((0..64_u32, any::<u64>()).prop_map(|(s, v)| v >> s), 0..300),
            q in 0.0..=1.0_f64,
        ) {
            let ours = filled(values.iter().copied());
            let mut expected = Vec::new();
            V2Serializer::new().serialize(&ours.to_hdr(), &mut expected).unwrap();
            prop_assert_eq!(&ours.to_hdr_v2(), &expected);

            let plain = decoded(&ours.to_hdr_v2());
            prop_assert_eq!(&plain, &decoded(&from_base64(&ours.to_hdr_v2_base64())));
            prop_assert_eq!(plain.len(), ours.count());
            for bucket in ours.buckets() {
                prop_assert_eq!(plain.count_at(bucket.highest), bucket.count);
            }
            if let Some(found) = ours.quantile(q) {
                prop_assert!(plain.equivalent(found.min(HIGHEST_VALUE), plain.value_at_quantile(q)));
            }
        }
    }
}
