//! How a record is written.

use crate::text::{Format, json_member};

/// What is written of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Both, as a JSON object.
    Pairs,
    /// Both, as a row of CSV.
    Rows,
    /// The value as it is.
    Values,
}

impl Form {
    /// Appends one record with its line ending, or says why it has none.
    pub(super) fn render(self, key: &[u8], value: &[u8], line: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Form::Pairs => {
                line.extend_from_slice(
                    format!("{{{},{}}}", json_member("key", key), json_member("value", value)).as_bytes(),
                );
            }
            Form::Rows => {
                quote(key, line);
                line.push(b',');
                quote(value, line);
            }
            Form::Values if value.contains(&b'\n') => {
                let key = Format::Utf8.show(key);
                return Err(format!("the value of {key} has several lines: export without --raw"));
            }
            Form::Values => line.extend_from_slice(value),
        }
        line.push(b'\n');
        Ok(())
    }
}

/// A CSV field: in quotes where it has to be, quotes within doubled.
fn quote(field: &[u8], line: &mut Vec<u8>) {
    if !field.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) && !field.is_empty() {
        return line.extend_from_slice(field);
    }
    line.push(b'"');
    for byte in field {
        line.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(form: Form, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        form.render(key, value, &mut line).unwrap();
        line
    }

    #[test]
    fn each_form_is_a_line() {
        assert_eq!(rendered(Form::Pairs, b"k\n", b"\xff"), b"{\"key\":\"k\\n\",\"value_base64\":\"/w==\"}\n");
        assert_eq!(rendered(Form::Rows, b"k,", b"say \"x\"\n"), b"\"k,\",\"say \"\"x\"\"\n\"\n");
        assert_eq!(rendered(Form::Rows, b"k", b""), b"k,\"\"\n");
        assert_eq!(rendered(Form::Values, b"k", b"{\"a\":1}"), b"{\"a\":1}\n");
        assert!(Form::Values.render(b"k", b"two\nlines", &mut Vec::new()).is_err());
    }
}
