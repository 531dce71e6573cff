//! File headers: what decodes encodes to the same bytes.

use std::path::Path;

use super::mend::mend_header;
use super::rig::{self, ID, NUMBER};
use super::script::Script;
use crate::header::{FileHeader, FileKind};

/// A header of any bytes, or a sound one with damage; checksums mended or not.
pub fn header(input: &[u8]) {
    let mut script = Script::new(input);
    let choice = script.byte();
    let kinds = [FileKind::Log, FileKind::Manifest, FileKind::Table, FileKind::Value];
    let kind = kinds[usize::from(choice >> 2 & 3)];
    let sound = rig::header(kind);
    let mut bytes = if choice & 1 == 0 { sound.clone() } else { Vec::new() };
    if bytes.is_empty() {
        bytes = script.rest().to_vec();
    }
    while !script.is_done() {
        script.damage(&mut bytes);
    }
    let mended = choice & 2 == 2;
    if mended {
        mend_header(&mut bytes);
    }
    let path = Path::new("a file");
    let decoded = FileHeader::decode(&bytes, kind, NUMBER, path);
    match &decoded {
        Ok(header) => {
            assert_eq!((header.kind, header.number), (kind, NUMBER));
            assert!(
                mended || choice & 1 == 1 || bytes.starts_with(&sound),
                "damage to a header passed for a header"
            );
            if FileHeader::is_current(&bytes) {
                assert!(bytes.starts_with(&header.encode()), "a header has two encodings");
            }
            assert!(mended || choice & 1 == 1 || header.id == ID);
        }
        Err(error) => rig::assert_typed(error),
    }
    // A log becomes a value file by its name alone, so that either header will do. Damage can make one of the other: this once looked at the kind
    // that the script had begun with.
    let reads_as = |kind| FileHeader::decode(&bytes, kind, NUMBER, path).is_ok();
    assert_eq!(
        FileHeader::decode_of_values(&bytes, NUMBER, path).is_ok(),
        reads_as(FileKind::Log) || reads_as(FileKind::Value)
    );
}
