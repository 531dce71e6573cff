//! Text that somebody else chose, made fit for a line.

use std::fmt;

/// Text with the characters escaped that would end a line or, with `quotes`, a label value.
pub(in crate::formats) struct Escaped<'a> {
    pub(in crate::formats) text: &'a str,
    pub(in crate::formats) quotes: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        let special = |c| c == '\\' || c == '\n' || (c == '"' && self.quotes);
        while let Some((plain, from)) = rest.find(special).and_then(|at| rest.split_at_checked(at)) {
            f.write_str(plain)?;
            let mut characters = from.chars();
            f.write_str(match characters.next() {
                Some('\n') => "\\n",
                Some('"') => "\\\"",
                _ => "\\\\",
            })?;
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_and_help_texts_are_escaped() {
        let text = "a\\b\"c\nd";
        assert_eq!(Escaped { text, quotes: true }.to_string(), "a\\\\b\\\"c\\nd");
        assert_eq!(Escaped { text, quotes: false }.to_string(), "a\\\\b\"c\\nd");
        assert_eq!(Escaped { text: "", quotes: true }.to_string(), "");
        assert_eq!(Escaped { text: "größe", quotes: true }.to_string(), "größe");
    }
}
