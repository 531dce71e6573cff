//! A strict reader of the Prometheus text format, as far as this crate writes it. It panics on what it does not like.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) first_label: String,
    pub(crate) value: f64,
}

/// The families of `text`, in its order.
pub(crate) fn parse(text: &str) -> Vec<Family> {
    assert!(text.ends_with('\n'), "the last line is not ended");
    let mut families: Vec<Family> = Vec::new();
    let mut helped = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && families.iter().all(|family| family.name != name), "{line}");
            helped = Some(name.to_owned());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.take().as_deref(), Some(name), "TYPE follows the HELP of its family");
            families.push(Family { name: name.to_owned(), kind: kind.to_owned(), samples: Vec::new() });
        } else {
            let sample = parse_sample(line);
            let family = families.last_mut().unwrap();
            let suffix = sample.name.strip_prefix(&family.name).unwrap_or_else(|| panic!("{line}"));
            let suffixes: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                "summary" => &["", "_sum", "_count"],
                _ => &[""],
            };
            assert!(suffixes.contains(&suffix), "{line}");
            family.samples.push(sample);
        }
    }
    families
}

pub(crate) fn parse_sample(line: &str) -> Sample {
    let mut labels = BTreeMap::new();
    let Some((name, rest)) = line.split_once('{') else {
        // The exporter's own series may have no labels.
        let (name, value) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        return Sample { name: name.to_owned(), labels, first_label: String::new(), value };
    };
    let mut first_label = None;
    let mut rest = rest;
    loop {
        let (label, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        let (value, after) = parse_quoted(quoted);
        first_label.get_or_insert_with(|| label.to_owned());
        assert!(labels.insert(label.to_owned(), value).is_none(), "{label} twice in {line}");
        if let Some(next) = after.strip_prefix(',') {
            rest = next;
        } else {
            rest = after.strip_prefix("} ").unwrap_or_else(|| panic!("{line}"));
            break;
        }
    }
    let value: f64 = rest.parse().unwrap_or_else(|_| panic!("{line}"));
    assert!(value.is_finite() || line.contains("quantile="), "{line}");
    Sample { name: name.to_owned(), labels, first_label: first_label.unwrap(), value }
}

/// The unescaped value up to the closing quote, and what follows the quote.
fn parse_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next().expect("a closing quote") {
            '"' => return (value, characters.as_str()),
            '\\' => value.push(match characters.next() {
                Some('n') => '\n',
                Some(escaped @ ('\\' | '"')) => escaped,
                other => panic!("escape of {other:?}"),
            }),
            plain => value.push(plain),
        }
    }
}
