//! Which format and which encoding an answer has, by what a client says that it takes.
//!
//! What Prometheus sends:
//!
//! | server | `Accept` |
//! | --- | --- |
//! | 2.42 | `application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1` |
//! | 2.42, native histograms | `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited`, then the above with q=0.8 for the first |
//! | 3.x | `application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,…;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1` |
//!
//! The offer with the highest q wins; among equals one that is named comes before one that a wildcard means, then the
//! earlier one in the header, then the one that comes first here. Who takes nothing of what there is gets text: an
//! operator with a strange client shall see something. `escaping` changes nothing, as all names here are plain.
//!
//! Sources: RFC 9110, 12.4.2 and 12.5; Prometheus, `scrape/scrape.go`.

/// A format that `/metrics` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    OpenMetrics,
    /// The same, said to be version 0.0.1.
    OpenMetrics001,
    Protobuf,
    Json,
}

/// Names and values.
type Parameters = &'static [(&'static str, &'static str)];

/// Media type and parameters of each format, the one first that who takes everything gets.
const OFFERS: [(Format, &str, Parameters); 5] = [
    (Format::Text, "text/plain", &[("version", "0.0.4")]),
    (Format::OpenMetrics, "application/openmetrics-text", &[("version", "1.0.0")]),
    (Format::OpenMetrics001, "application/openmetrics-text", &[("version", "0.0.1")]),
    (
        Format::Protobuf,
        "application/vnd.google.protobuf",
        &[("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")],
    ),
    (Format::Json, "application/json", &[]),
];

/// The most ranges of a header that are looked at.
const RANGES_MAX: usize = 32;

/// One range of a header: `text/plain;version=0.0.4;q=0.5`.
struct Range<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let mut range = Self { name, parameters: Vec::new(), quality: 1_000 };
        for part in parts {
            let (name, value) = part.split_once('=')?;
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value)?;
            } else {
                range.parameters.push((name, value));
            }
        }
        Some(range)
    }

    /// How closely the range names this offer; `None` if it does not mean it.
    fn specificity(&self, media_type: &str, parameters: &[(&str, &str)]) -> Option<usize> {
        let family = media_type.split('/').next().unwrap_or_default();
        let wildcard = self.name.strip_suffix("/*");
        if self.name == "*/*" || self.name == "*" {
            return Some(0);
        }
        if wildcard.is_some_and(|wildcard| wildcard.eq_ignore_ascii_case(family)) {
            return Some(1);
        }
        let contradicts = |(name, value): &(&str, &str)| {
            let ours = parameters.iter().find(|(ours, _)| ours.eq_ignore_ascii_case(name));
            ours.is_some_and(|(_, ours)| !ours.eq_ignore_ascii_case(value))
        };
        let named = self.name.eq_ignore_ascii_case(media_type) && !self.parameters.iter().any(contradicts);
        named.then_some(2 + self.parameters.len())
    }
}

/// A quality in thousandths: at most three decimals, from 0 to 1.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|digit| digit.is_ascii_digit());
    let decimals = format!("{decimals:0<3}").parse::<u16>().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1_000),
        _ => None,
    }
}

fn ranges(header: &str) -> Vec<Range<'_>> {
    header.split(',').take(RANGES_MAX).filter_map(Range::parse).collect()
}

/// The format for a client that sent these `Accept` headers, joined by commas.
pub(super) fn format(accept: &str, protobuf: bool) -> Format {
    let ranges = ranges(accept);
    let mut best: Option<((u16, bool, usize), Format)> = None;
    for (format, media_type, parameters) in OFFERS {
        if format == Format::Protobuf && !protobuf {
            continue;
        }
        // The range that names an offer most closely says how welcome it is.
        let meant = ranges.iter().enumerate().filter_map(|(at, range)| {
            range.specificity(media_type, parameters).map(|specificity| (specificity, at, range.quality))
        });
        let Some((specificity, at, quality)) =
            meant.max_by_key(|(specificity, at, _)| (*specificity, usize::MAX - at))
        else {
            continue;
        };
        let named = specificity >= 2;
        // JSON is for those that ask for it by name.
        if quality == 0 || (format == Format::Json && !named) {
            continue;
        }
        let order = if named { usize::MAX - at } else { 0 };
        if best.is_none_or(|(found, _)| (quality, named, order) > found) {
            best = Some(((quality, named, order), format));
        }
    }
    best.map_or(Format::Text, |(_, format)| format)
}

/// Whether one of the text formats is asked for by name: by a scraper, not by a browser.
pub(super) fn names_text(accept: &str) -> bool {
    let named = |range: &Range<'_>| {
        ["text/plain", "application/openmetrics-text"]
            .iter()
            .any(|name| range.name.eq_ignore_ascii_case(name))
    };
    ranges(accept).iter().any(|range| range.quality > 0 && named(range))
}

/// Whether a client that sent these `Accept-Encoding` headers takes gzip.
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    let ranges = ranges(accept_encoding);
    let of = |name: &str| ranges.iter().find(|range| range.name.eq_ignore_ascii_case(name));
    of("gzip").or_else(|| of("x-gzip")).or_else(|| of("*")).is_some_and(|range| range.quality > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const V2_NATIVE: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
        application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const V3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    const V3_NATIVE: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;\
        q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

    #[test]
    fn prometheus_gets_what_it_prefers() {
        for (accept, without, with) in [
            (V2, Format::OpenMetrics, Format::OpenMetrics),
            (V2_NATIVE, Format::OpenMetrics, Format::Protobuf),
            (V3, Format::OpenMetrics, Format::OpenMetrics),
            (V3_NATIVE, Format::OpenMetrics, Format::Protobuf),
        ] {
            assert_eq!((format(accept, false), format(accept, true)), (without, with), "{accept}");
        }
    }

    #[test]
    fn others_get_what_they_prefer() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/*", Format::Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics001,
            ),
            ("application/openmetrics-text;version=\"1.0.0\"", Format::OpenMetrics),
            ("application/openmetrics-text;version=9.9.9, text/plain;q=0.1", Format::Text),
            ("application/openmetrics-text;q=0, */*;q=0.5", Format::Text),
            ("text/plain;q=0, application/*;q=0.2", Format::OpenMetrics),
            ("application/json", Format::Json),
            ("application/json;q=0.3, text/plain;q=0.4", Format::Text),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.5", Format::Text),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.5", Format::OpenMetrics),
            ("TEXT/PLAIN;Version=0.0.4;Q=1.0, application/openmetrics-text;q=0.999", Format::Text),
            (
                "application/vnd.google.protobuf;proto=other;encoding=delimited, text/plain;q=0.1",
                Format::Text,
            ),
            ("image/png", Format::Text),
            ("text/plain;q=2, application/openmetrics-text;q=0.1", Format::OpenMetrics),
            ("text/plain;q=0.1234, application/openmetrics-text;q=0.1", Format::OpenMetrics),
        ] {
            assert_eq!(format(accept, true), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (header, expected) in [
            ("gzip", true),
            ("GZIP;q=0.1", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("*", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("*;q=0", false),
            ("br", false),
        ] {
            assert_eq!(takes_gzip(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_strange(text in "[ -~]{0,80}|([a-z*/;=,.0-9q\"]{1,12}[,;]?){0,60}", protobuf: bool) {
            let found = format(&text, protobuf);
            prop_assert!(protobuf || found != Format::Protobuf);
            takes_gzip(&text);
        }
    }
}
