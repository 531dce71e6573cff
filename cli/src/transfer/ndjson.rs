//! Records of JSON lines.
//!
//! Without field names a line is a pair: `{"key":"…","value":"…"}`, each member a string, or `…_base64` with one in base64.
//! With the name of a key field a line is any object, and the record's value is the line as it is; with the name of a value
//! field, it is that member's text. Text of a member means what a string says, and the JSON of anything else.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::lines::{Lines, Step};
use super::record::{Entry, Record, Records};
use crate::text::from_base64;

/// Which members of an object are a record's key and value.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

/// The records of an input.
#[derive(Debug)]
pub(super) struct JsonRecords<R> {
    lines: Lines<R>,
    fields: Fields,
}

impl<R: BufRead> JsonRecords<R> {
    pub(super) fn new(lines: Lines<R>, fields: Fields) -> JsonRecords<R> {
        JsonRecords { lines, fields }
    }
}

impl<R: BufRead> Records for JsonRecords<R> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let record = match self.lines.step()? {
                Step::End => return Ok(None),
                Step::TooLong => Err(format!("more than {} bytes", self.lines.most())),
                Step::Line if self.lines.line().trim_ascii().is_empty() => continue,
                Step::Line => parse(self.lines.line(), &self.fields),
            };
            return Ok(Some(Entry { line: self.lines.number(), record, goes_on: true }));
        }
    }

    fn position(&self) -> u64 {
        self.lines.position()
    }
}

fn parse(line: &[u8], fields: &Fields) -> Result<Record, String> {
    let text =
        std::str::from_utf8(line).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()))?;
    match fields {
        Fields { key: None, value: None } => parse_pair(text),
        Fields { key, value } => {
            let key = key.as_deref().unwrap_or("key");
            parse_object(text, key, value.as_deref())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
}

fn parse_pair(text: &str) -> Result<Record, String> {
    let pair: Pair = serde_json::from_str(text).map_err(|error| {
        let hint = if error.is_data() { " (--key-field takes any object)" } else { "" };
        format!("{}{hint}", place(&error))
    })?;
    let key = one_of("key", pair.key, pair.key_base64)?;
    Record::checked(key, one_of("value", pair.value, pair.value_base64)?)
}

fn one_of(name: &str, text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, String> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => from_base64(&base64).map_err(|why| format!("{name}_base64: {why}")),
        (None, None) => Err(format!("no `{name}`")),
        (Some(_), Some(_)) => Err(format!("both `{name}` and `{name}_base64`")),
    }
}

fn parse_object(text: &str, key: &str, value: Option<&str>) -> Result<Record, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let picked = Picker { key, value }.deserialize(&mut json);
    let (found_key, found_value) =
        picked.and_then(|picked| json.end().map(|()| picked)).map_err(|error| place(&error))?;
    let found_key = found_key.ok_or_else(|| format!("no `{key}`"))?;
    if !found_key.get().starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return Err(format!("`{key}` is neither a string nor a number"));
    }
    let value = match value {
        None => text.as_bytes().to_vec(),
        Some(name) => text_of(found_value.ok_or_else(|| format!("no `{name}`"))?)?,
    };
    Record::checked(text_of(found_key)?, value)
}

/// What a string says, and the JSON of anything else.
fn text_of(raw: &RawValue) -> Result<Vec<u8>, String> {
    if raw.get().starts_with('"') {
        return serde_json::from_str(raw.get()).map(String::into_bytes).map_err(|error| place(&error));
    }
    Ok(raw.get().as_bytes().to_vec())
}

/// An error of a single line has a column only: its line is that of the file.
fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("column {}: {what}", error.column()),
        None => text,
    }
}

/// Takes two members out of an object and checks the rest only.
struct Picker<'n> {
    key: &'n str,
    value: Option<&'n str>,
}

type Picked<'de> = (Option<&'de RawValue>, Option<&'de RawValue>);

impl<'de> DeserializeSeed<'de> for Picker<'_> {
    type Value = Picked<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Picked<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Picker<'_> {
    type Value = Picked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked<'de>, A::Error> {
        let (mut key, mut value) = (None, None);
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let is_key = name == self.key;
            let is_value = self.value.is_some_and(|value| name == value);
            if !is_key && !is_value {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw = map.next_value::<&'de RawValue>()?;
            let twice = (is_key && key.replace(raw).is_some()) | (is_value && value.replace(raw).is_some());
            if twice {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
        }
        Ok((key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Text = Result<(String, String), String>;

    fn pair(text: &str) -> Text {
        let record = parse(text.as_bytes(), &Fields::default())?;
        Ok((String::from_utf8(record.key).unwrap(), String::from_utf8(record.value).unwrap()))
    }

    fn object(text: &str, key: &str, value: Option<&str>) -> Text {
        let fields = Fields { key: Some(key.to_owned()), value: value.map(str::to_owned) };
        let record = parse(text.as_bytes(), &fields)?;
        Ok((String::from_utf8(record.key).unwrap(), String::from_utf8(record.value).unwrap()))
    }

    fn owned(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn pairs_are_read() {
        assert_eq!(pair(r#"{"key":"a\u0041\n","value":""}"#), Ok(owned("aA\n", "")));
        assert_eq!(pair(r#" {"value_base64":"Zm9v", "key_base64":"aw=="} "#), Ok(owned("k", "foo")));
        let bad = [
            (r#"{"key":"k"}"#, "no `value`"),
            (r#"{"key":"k","key_base64":"aw==","value":""}"#, "both"),
            (r#"{"key":"k","value":5}"#, "--key-field"),
            (r#"{"key":"k","value":"","more":1}"#, "unknown field `more`"),
            (r#"{"key":"","value":""}"#, "the key is empty"),
            (r#"{"key":"k","value_base64":"?"}"#, "value_base64"),
            (r#"{"key":"k","value":"v"} x"#, "column 25: trailing"),
            ("[]", "column"),
        ];
        for (text, why) in bad {
            let found = pair(text).unwrap_err();
            assert!(found.contains(why) && !found.contains("line 1"), "{text}: {found}");
        }
        assert_eq!(parse(b"\xff", &Fields::default()), Err("not UTF-8 at byte 0".to_owned()));
    }

    #[test]
    fn objects_are_kept_as_they_are() {
        let text = "{ \"id\" : 7, \"x\":[1, {\"id\":2}],\"na\\u006de\":\"Ada\"}\r";
        assert_eq!(object(text, "id", None), Ok(owned("7", text)));
        assert_eq!(object(text, "name", None), Ok(owned("Ada", text)));
        assert_eq!(object(text, "id", Some("x")), Ok(owned("7", r#"[1, {"id":2}]"#)));
        assert_eq!(object(text, "id", Some("name")), Ok(owned("7", "Ada")));
        assert_eq!(object(text, "name", Some("name")), Ok(owned("Ada", "Ada")));
        let bad = [("x", "neither a string"), ("none", "no `none`")];
        for (key, why) in bad {
            assert!(object(text, key, None).unwrap_err().contains(why));
        }
        assert!(object(r#"{"id":1,"id":2}"#, "id", None).unwrap_err().contains("twice"));
        assert!(object("5", "id", None).unwrap_err().contains("an object"));
        assert!(object(r#"{"id":1}{"#, "id", None).unwrap_err().contains("trailing"));
    }
}
