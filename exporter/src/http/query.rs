//! The parameters of a request: those that its path knows, each once, each with a value that it can have.

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadParameter {
    /// Its name, as far as it can be shown.
    pub(super) name: String,
    /// What is wrong with it: a sentence without a full stop.
    pub(super) message: String,
}

/// The most bytes of a name that an error repeats.
const SHOWN: usize = 64;

impl BadParameter {
    pub(super) fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.chars().take(SHOWN).collect(), message: message.into() }
    }
}

/// More parameters than any path takes: each is compared with all before it.
const PARAMETERS_MAX: usize = 32;

/// The parameters of one request, decoded.
#[derive(Debug)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads what stands after the `?`.
    ///
    /// # Errors
    /// A [`BadParameter`] if a name comes twice, or is not UTF-8 once decoded, or is half an escape, or if there are too many.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, BadParameter> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).zip(decode(value));
            let (name, value) =
                decoded.ok_or_else(|| BadParameter::new(name, "is not UTF-8 in percent-encoding"))?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(BadParameter::new(&name, "is given twice"));
            }
            if pairs.len() == PARAMETERS_MAX {
                return Err(BadParameter::new(&name, "is one too many"));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Takes a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    /// Takes a whole number out that lies in a range.
    ///
    /// # Errors
    /// A [`BadParameter`] if it is something else.
    pub(super) fn take_number(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, BadParameter> {
        let Some(text) = self.take(name) else { return Ok(None) };
        // Digits alone: `parse` would take a plus sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && range.contains(number));
        let wanted = || format!("must be a whole number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| BadParameter::new(name, wanted()))
    }

    /// What was not taken out.
    pub(super) fn rest(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// Makes sure that everything was taken out.
    ///
    /// # Errors
    /// A [`BadParameter`] that names the first that was not.
    pub(super) fn finish(self) -> Result<(), BadParameter> {
        match self.pairs.first() {
            Some((name, _)) => Err(BadParameter::new(name, "is not a parameter of this path")),
            None => Ok(()),
        }
    }
}

/// Undoes percent-encoding, and `+` for a space.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                (high << 4 | low) as u8
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Query {
        Query::parse(Some(text)).unwrap()
    }

    #[test]
    fn parameters_are_decoded() {
        let mut query = parse("a=1&b=%C3%A4+%26&c&&d=");
        assert_eq!(query.take("b").as_deref(), Some("ä &"));
        assert_eq!(query.take("b"), None);
        assert_eq!(query.take_number("a", 0..=9), Ok(Some(1)));
        assert_eq!((query.take("c").as_deref(), query.take("d").as_deref()), (Some(""), Some("")));
        assert_eq!(query.finish(), Ok(()));
        assert!(Query::parse(None).unwrap().finish().is_ok());
    }

    #[test]
    fn what_cannot_be_is_named() {
        for text in [
            "limit=0",
            "limit=11",
            "limit=",
            "limit=-1",
            "limit=+1",
            "limit=1.5",
            "limit=99999999999999999999",
        ] {
            let error = parse(text).take_number("limit", 1..=10).unwrap_err();
            assert_eq!(
                (error.name.as_str(), error.message.as_str()),
                ("limit", "must be a whole number from 1 to 10")
            );
        }
        assert_eq!(Query::parse(Some("a=1&%61=2")).unwrap_err().name, "a");
        for text in ["x=%", "x=%2", "x=%zz", "x=%ff"] {
            assert_eq!(Query::parse(Some(text)).unwrap_err().name, "x");
        }
        assert_eq!(parse("colour=red").finish().unwrap_err().name, "colour");
    }

    proptest! {
        #[test]
        fn no_query_is_too_strange(text in "[ -~]{0,60}|([%a-f0-9=&+]{0,9}){0,9}") {
            if let Ok(query) = Query::parse(Some(&text)) {
                prop_assert!(query.rest().len() <= text.len() + 1);
            } else {
                prop_assert!(!text.is_empty());
            }
        }
    }
}
