//! Records of CSV.
//!
//! The first row names the columns. The key is the named column, or the first. The value is the named column; without a name
//! the other one of two, and of more than two the whole row as a JSON object of strings.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::ndjson::Fields;
use super::record::{Entry, Record, Records};
use crate::text::json_string;

/// The rows of an input.
pub(super) struct CsvRecords<R> {
    reader: Reader<Bounded<R>>,
    row: ByteRecord,
    columns: Columns,
    allowance: Rc<Cell<usize>>,
    most: usize,
}

/// Where key and value stand.
#[derive(Debug)]
struct Columns {
    names: Vec<String>,
    key: usize,
    /// None: the whole row.
    value: Option<usize>,
}

/// Lets only so many bytes through before it is asked again: a quote that is never closed would otherwise take in the whole
/// input as one field.
struct Bounded<R> {
    input: R,
    allowance: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.get();
        if left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let end = buffer.len().min(left);
        let count = self.input.read(buffer.get_mut(..end).unwrap_or_default())?;
        self.allowance.set(left - count);
        Ok(count)
    }
}

impl<R: Read> CsvRecords<R> {
    /// Rows of up to `most` bytes. An error is one of the header.
    pub(super) fn new(input: R, fields: &Fields, most: usize) -> io::Result<Result<CsvRecords<R>, String>> {
        let allowance = Rc::new(Cell::new(most));
        let bounded = Bounded { input, allowance: allowance.clone() };
        let mut reader = ReaderBuilder::new().from_reader(bounded);
        let header = match reader.headers() {
            Ok(header) => header.iter().map(str::to_owned).collect(),
            Err(error) => return unreadable(error, most).map(Err),
        };
        let columns = Columns::choose(header, fields);
        let row = ByteRecord::new();
        Ok(columns.map(|columns| CsvRecords { reader, row, columns, allowance, most }))
    }
}

/// The fault of a row, or of reading it.
fn unreadable(error: csv::Error, most: usize) -> io::Result<String> {
    let text = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} columns instead of the header's {expected_len}")
        }
        ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Ok(format!("more than {most} bytes: is a quote left open?"))
        }
        ErrorKind::Io(error) => Err(error),
        _ => Ok(text),
    }
}

impl Columns {
    fn choose(names: Vec<String>, fields: &Fields) -> Result<Columns, String> {
        let find = |name: &String| {
            let at = names.iter().position(|known| known == name);
            at.ok_or_else(|| format!("no column `{name}` in the header: {}", names.join(", ")))
        };
        let key = fields.key.as_ref().map_or(Ok(0), find)?;
        let value = match &fields.value {
            Some(name) => Some(find(name)?),
            None if names.len() == 2 => Some(1 - key.min(1)),
            None => None,
        };
        if names.is_empty() {
            return Err("no header".to_owned());
        }
        Ok(Columns { names, key, value })
    }

    fn record(&self, row: &ByteRecord) -> Result<Record, String> {
        let key = row.get(self.key).unwrap_or_default().to_vec();
        let value = match self.value {
            Some(column) => row.get(column).unwrap_or_default().to_vec(),
            None => self.object(row)?.into_bytes(),
        };
        Record::checked(key, value)
    }

    /// The row as a JSON object.
    fn object(&self, row: &ByteRecord) -> Result<String, String> {
        let member = |(name, field): (&String, &[u8])| {
            let text = std::str::from_utf8(field).map_err(|_| format!("column `{name}` is not UTF-8"))?;
            Ok(format!("{}:{}", json_string(name), json_string(text)))
        };
        let members = self.names.iter().zip(row).map(member).collect::<Result<Vec<_>, String>>()?;
        Ok(format!("{{{}}}", members.join(",")))
    }
}

impl<R: Read> Records for CsvRecords<R> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        self.allowance.set(self.most);
        let before = self.reader.position().line();
        match self.reader.read_byte_record(&mut self.row) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = self.row.position().map_or(before, csv::Position::line);
                Ok(Some(Entry { line, record: self.columns.record(&self.row), goes_on: true }))
            }
            Err(error) => {
                let goes_on = matches!(error.kind(), ErrorKind::UnequalLengths { .. });
                let line = error.position().map_or(before, csv::Position::line);
                Ok(Some(Entry { line, record: Err(unreadable(error, self.most)?), goes_on }))
            }
        }
    }

    fn position(&self) -> u64 {
        self.reader.position().byte()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Text = Result<(String, String), String>;

    fn read(text: &str, fields: &Fields, most: usize) -> Vec<(u64, Text)> {
        let mut records = CsvRecords::new(text.as_bytes(), fields, most).unwrap().unwrap();
        let mut found = Vec::new();
        while let Some(entry) = records.next().unwrap() {
            let pair = entry.record.map(|record| {
                (String::from_utf8(record.key).unwrap(), String::from_utf8(record.value).unwrap())
            });
            found.push((entry.line, pair));
            if !entry.goes_on {
                break;
            }
        }
        found
    }

    fn fields(key: &str, value: Option<&str>) -> Fields {
        Fields { key: Some(key.to_owned()), value: value.map(str::to_owned) }
    }

    fn owned(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn quotes_newlines_and_bad_rows() {
        let text = "key,value\na,\"x,\"\"y\"\"\nz\"\nshort\nb,1\n";
        let found = read(text, &Fields::default(), 1 << 20);
        assert_eq!(found[0], (2, Ok(owned("a", "x,\"y\"\nz"))));
        assert_eq!(found[1], (4, Err("1 columns instead of the header's 2".to_owned())));
        assert_eq!(found[2], (5, Ok(owned("b", "1"))));
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = "id,name,age\n7,\"A\"\"da\",36\n";
        assert_eq!(read(text, &fields("name", Some("age")), 99)[0].1, Ok(owned("A\"da", "36")));
        let row = r#"{"id":"7","name":"A\"da","age":"36"}"#;
        assert_eq!(read(text, &Fields::default(), 99)[0].1, Ok(owned("7", row)));
        let missing = CsvRecords::new(text.as_bytes(), &fields("no", None), 99).unwrap();
        assert!(missing.is_err_and(|why| why.contains("no column `no`")));
    }

    #[test]
    fn a_quote_left_open_does_not_fill_the_memory() {
        let text = format!("key,value\na,\"{}", "x".repeat(100_000));
        let found = read(&text, &Fields::default(), 30_000);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.as_ref().is_err_and(|why| why.contains("quote")), "{found:?}");
    }
}
