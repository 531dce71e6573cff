//! What the fuzz target of imports runs: any input is records and named faults, and what was imported exports the same.

use std::io::BufReader;

use super::form::Form;
use super::lines::Lines;
use super::ndjson::{Fields, JsonRecords};
use super::record::{Record, Records};
use super::rows::CsvRecords;

/// An input in one of the formats, its records exported in every form and imported again.
pub(super) fn import(input: &[u8]) {
    let Some((choice, text)) = input.split_first() else { return };
    let name = |bit: u8, name: &str| (choice & bit != 0).then(|| name.to_owned());
    let fields = Fields { key: name(2, "id"), value: name(4, "v") };
    // The shortest of lines are too long for some.
    let most = if choice & 8 == 0 { 1 << 20 } else { 40 };
    let csv = choice & 1 == 1;
    let records = if csv { rows(text, &fields, most) } else { lines(text, &fields, most, *choice) };
    for record in &records {
        assert!(!record.key.is_empty(), "a key is empty");
        assert!(csv || record.key.len().max(record.value.len()) <= most, "a line is longer than allowed");
    }
    let none = Fields::default();
    assert_eq!(lines(&export(Form::Pairs, &records), &none, usize::MAX, 0), records, "JSON pairs");
    assert_eq!(rows(&export(Form::Rows, &records), &none, usize::MAX), records, "CSV");
    if !csv && fields.key.is_some() && fields.value.is_none() {
        assert_eq!(
            lines(&export(Form::Values, &records), &fields, usize::MAX, 0),
            records,
            "values as they are"
        );
    }
}

fn lines(text: &[u8], fields: &Fields, most: usize, choice: u8) -> Vec<Record> {
    // A tiny buffer, so that lines come in pieces.
    let input = BufReader::with_capacity(if choice & 16 == 0 { 4096 } else { 3 }, text);
    collect(JsonRecords::new(Lines::new(input, most), fields.clone()), text)
}

fn rows(text: &[u8], fields: &Fields, most: usize) -> Vec<Record> {
    let records = CsvRecords::new(text, fields, most).expect("memory does not fail");
    records.map_or_else(|_| Vec::new(), |records| collect(records, text))
}

/// The good records; the others are passed over.
fn collect(mut records: impl Records, text: &[u8]) -> Vec<Record> {
    let (mut found, mut line) = (Vec::new(), 1);
    while let Some(entry) = records.next().expect("memory does not fail") {
        assert!(entry.line >= line, "lines are counted backwards");
        line = entry.line;
        found.extend(entry.record.ok());
        assert!(found.len() <= text.len(), "an input without an end");
        if !entry.goes_on {
            break;
        }
    }
    assert!(records.position() <= text.len() as u64);
    found
}

fn export(form: Form, records: &[Record]) -> Vec<u8> {
    let mut text = if form == Form::Rows { b"key,value\n".to_vec() } else { Vec::new() };
    for Record { key, value } in records {
        form.render(key, value, &mut text).expect("a value of one line");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::import;

    #[test]
    fn every_committed_input_of_the_fuzz_target_passes() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/import");
        let inputs =
            std::fs::read_dir(&corpus).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        let inputs: Vec<Vec<u8>> = inputs.collect();
        assert!(inputs.len() > 10, "{} is nearly empty", corpus.display());
        for input in &inputs {
            import(input);
            // And every beginning of it, as a file that was cut would have.
            (0..input.len().min(200)).for_each(|len| import(&input[..len]));
        }
    }
}
