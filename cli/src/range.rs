//! A range of keys, as the commands take it.

use std::ops::Bound;

use clap::Args;

use crate::fault::Result;
use crate::store::FormatArgs;

/// Which keys; all of them without an option.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RangeArgs {
    /// Only keys that start with this
    #[arg(short, long, value_name = "KEY")]
    prefix: Option<String>,
    /// Only keys from this one on
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// Only keys before this one
    #[arg(long, value_name = "KEY")]
    to: Option<String>,
}

/// The first key, and the one behind the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
}

impl RangeArgs {
    /// The range, its keys read in `format`.
    pub(crate) fn parse(&self, format: FormatArgs) -> Result<KeyRange> {
        let parse =
            |name, text: &Option<String>| text.as_ref().map(|text| format.parse(name, text)).transpose();
        let (from, to) = (parse("--from", &self.from)?, parse("--to", &self.to)?);
        let prefix = parse("--prefix", &self.prefix)?;
        let behind = prefix.as_deref().and_then(behind_prefix);
        // `None` is before every key: the larger of two beginnings and the smaller of two ends hold.
        Ok(KeyRange { from: from.max(prefix), to: to.into_iter().chain(behind).min() })
    }
}

impl KeyRange {
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let from = self.from.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let to = self.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (from, to)
    }
}

/// The first key behind all that start with `prefix`: its last byte that can grow grown by one. None if there is no such byte.
fn behind_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let growing = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut behind: Vec<u8> = prefix.iter().take(growing + 1).copied().collect();
    if let Some(last) = behind.last_mut() {
        *last += 1;
    }
    Some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Format;

    fn range(prefix: Option<&str>, from: Option<&str>, to: Option<&str>) -> KeyRange {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let args = RangeArgs { prefix: owned(prefix), from: owned(from), to: owned(to) };
        args.parse(FormatArgs { format: Format::Hex }).unwrap()
    }

    #[test]
    fn a_prefix_is_a_range_and_meets_others() {
        let bounds = |range: &KeyRange| (range.from.clone(), range.to.clone());
        assert_eq!(bounds(&range(None, None, None)), (None, None));
        assert_eq!(bounds(&range(Some("61ff"), None, None)), (Some(vec![0x61, 0xff]), Some(vec![0x62])));
        assert_eq!(bounds(&range(Some("ffff"), None, None)), (Some(vec![0xff, 0xff]), None));
        let narrower = range(Some("61"), Some("6161"), Some("6170"));
        assert_eq!(bounds(&narrower), (Some(vec![0x61, 0x61]), Some(vec![0x61, 0x70])));
        let wider = range(Some("61"), Some("00"), Some("ff"));
        assert_eq!(bounds(&wider), (Some(vec![0x61]), Some(vec![0x62])));
    }
}
