//! Filters: none denies a key that it was built from, and any bytes are a filter or none.

use super::script::Script;
use crate::key;
use crate::table::filter::{self, Filter};
use crate::table::hashes::Hashes;

/// A filter of keys that the input names, then the same with damage, then the input as a filter.
pub fn filter(input: &[u8]) {
    let mut script = Script::new(input);
    let (bits, count, len) = (usize::from(script.byte() % 33), usize::from(script.byte()), script.byte());
    let keys = |script: &mut Script<'_>| {
        let key = script.bytes(usize::from(len % 9) + 1);
        (!key.is_empty()).then(|| key::hash(key))
    };
    let hashes: Hashes = std::iter::from_fn(|| keys(&mut script)).take(count).collect();
    let mut built = filter::build(&hashes, bits).to_vec();
    match Filter::decode(&built) {
        Some(filter) => {
            let denied = hashes.iter().any(|hash| !filter.may_contain(&built, hash));
            assert!(!denied, "a filter denies a key that it was built from");
        }
        None => assert!(bits == 0 || hashes.is_empty(), "a filter does not read back"),
    }
    while !script.is_done() {
        script.damage(&mut built);
    }
    for bytes in [built.as_slice(), input] {
        if let Some(filter) = Filter::decode(bytes) {
            let asked = hashes.iter().chain([0, u64::MAX]);
            asked.for_each(|hash| _ = filter.may_contain(bytes, hash));
            // The bytes may be shorter than at the decoding, in a file that was cut: nothing is denied then.
            assert!(filter.may_contain(&[], 1));
        }
    }
}
