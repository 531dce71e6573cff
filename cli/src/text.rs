//! Bytes as text: how keys and values are typed, and how they are shown.
//!
//! | format | typed | shown |
//! |---|---|---|
//! | `utf8` | as it is | as it is, but control characters and bytes that are not UTF-8 as `\n`, `\t`, `\x1b` … |
//! | `hex` | `00ff` | `00ff` |
//! | `base64` | `AP8=` | `AP8=` |
//!
//! The first is for people: a backslash stands for itself, so what is shown cannot always be typed back. The others are
//! exact. Base64 is the one of RFC 4648, section 4, with padding.

use std::fmt::Write as _;

use clap::ValueEnum;

/// How keys and values are typed and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text; control characters and invalid bytes are shown escaped
    #[default]
    Utf8,
    /// Two hexadecimal digits a byte
    Hex,
    /// Base64 with padding (RFC 4648)
    Base64,
}

impl Format {
    /// The bytes that `text` stands for.
    pub(crate) fn parse(self, text: &str) -> Result<Vec<u8>, String> {
        match self {
            Format::Utf8 => Ok(text.as_bytes().to_vec()),
            Format::Hex => from_hex(text),
            Format::Base64 => from_base64(text),
        }
    }

    /// `bytes` as text that is safe to print on a terminal, on one line.
    pub(crate) fn show(self, bytes: &[u8]) -> String {
        match self {
            Format::Utf8 => escaped(bytes),
            Format::Hex => hex(bytes),
            Format::Base64 => base64(bytes),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Utf8 => "utf8",
            Format::Hex => "hex",
            Format::Base64 => "base64",
        }
    }
}

/// Whether a terminal could take `c` as a command, or draw the text around it in another order.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if is_unsafe(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Without control characters: what a server says goes to a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// `text` as a JSON string, quotes included, in which nothing is left that a terminal could take as a command.
pub(crate) fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A member of a JSON object: `"key":"…"`, or `"key_base64":"…"` where the bytes are not UTF-8.
pub(crate) fn json_member(name: &str, bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("\"{name}\":{}", json_string(text)),
        Err(_) => format!("\"{name}_base64\":\"{}\"", base64(bytes)),
    }
}

/// The same in a chosen format: hexadecimal and base64 stay under the plain name.
pub(crate) fn json_member_as(format: Format, name: &str, bytes: &[u8]) -> String {
    match format {
        Format::Utf8 => json_member(name, bytes),
        _ => format!("\"{name}\":\"{}\"", format.show(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.chars().map(hex_digit).collect::<Result<_, _>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("hexadecimal text has two digits a byte, this has {} digits", digits.len()));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn hex_digit(c: char) -> Result<u8, String> {
    let digit = c.to_digit(16).ok_or_else(|| format!("{c:?} is no hexadecimal digit"))?;
    Ok(digit as u8)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        for (to, from) in padded.iter_mut().skip(1).zip(group) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(padded);
        for at in 0..4 {
            let digit = ALPHABET.get((bits >> (18 - 6 * at)) as usize & 63).copied().unwrap_or(b'=');
            out.push(if at > group.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

/// The bytes of a base64 text.
pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return Err("base64 text has a length that is a multiple of four: is the padding missing?".to_owned());
    }
    let mut out = Vec::with_capacity(groups.len() * 3);
    for (at, group) in groups.iter().enumerate() {
        let padding = group.iter().rev().take_while(|digit| **digit == b'=').count();
        if padding > 2 || (padding > 0 && at + 1 < groups.len()) {
            return Err("base64 padding is one or two `=` at the end".to_owned());
        }
        let mut bits = 0_u32;
        for digit in group.iter().take(4 - padding) {
            bits = bits << 6 | base64_digit(*digit)?;
        }
        bits <<= 6 * padding;
        if bits.trailing_zeros() < 8 * padding as u32 {
            return Err("base64 text has stray bits before its padding".to_owned());
        }
        out.extend(bits.to_be_bytes().into_iter().skip(1).take(3 - padding));
    }
    Ok(out)
}

fn base64_digit(digit: u8) -> Result<u32, String> {
    let place = ALPHABET.iter().position(|known| *known == digit);
    let place = place.ok_or_else(|| format!("{:?} is no base64 digit", char::from(digit)))?;
    Ok(place as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_vectors_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).unwrap(), plain.as_bytes());
        }
        for bad in ["Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zh==", "Z g=", "Zm9v\n"] {
            assert!(from_base64(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_byte_comes_back_in_the_exact_formats() {
        let all: Vec<u8> = (0..=255).collect();
        for format in [Format::Hex, Format::Base64] {
            for len in 0..all.len() {
                assert_eq!(format.parse(&format.show(&all[..len])).unwrap(), &all[..len]);
            }
        }
        assert!(from_hex("abc").is_err() && from_hex("zz").is_err());
    }

    #[test]
    fn nothing_shown_is_a_command_to_a_terminal() {
        let nasty = b"a\x1b[31m\n\t\x00\x7f\xc2\x9b\xff\xe2\x80\xae\\\"";
        let shown = Format::Utf8.show(nasty);
        assert_eq!(shown, "a\\x1b[31m\\n\\t\\x00\\x7f\\u{9b}\\xff\\u{202e}\\\"");
        assert!(!shown.chars().any(is_unsafe));
        let text = "a\x1b\n\u{7f}\u{9b}\u{202e}\\\" 袋狸";
        let json = json_string(text);
        assert!(!json.chars().any(is_unsafe), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn members_say_when_they_are_base64() {
        assert_eq!(json_member("key", b"k"), "\"key\":\"k\"");
        assert_eq!(json_member("key", b"\xff"), "\"key_base64\":\"/w==\"");
        assert_eq!(json_member_as(Format::Hex, "key", b"\xff"), "\"key\":\"ff\"");
    }
}
