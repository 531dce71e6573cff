//! The files of a database and their names.

use std::fmt;

/// The number in a file's name. One counter serves all kinds, so a number is never used twice in a database's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileNumber(pub u64);

impl FileNumber {
    /// No database gets here, so that whatever a file claims there are always more numbers.
    pub(crate) const MAX: FileNumber = FileNumber(1 << 60);
}

impl fmt::Display for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// A file that the engine made. Anything else in the directory is never touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// `LOCK`: held while the database is open.
    Lock,
    /// `CURRENT`: names the manifest in force.
    Current,
    /// `CURRENT.tmp`: a `CURRENT` being written.
    CurrentTemp,
    /// `MANIFEST-000007`: version edits.
    Manifest(FileNumber),
    /// `OPTIONS-000007`: what the database was last opened with, for people.
    Options(FileNumber),
    /// `000012.log`: a commit log segment.
    Log(FileNumber),
    /// `000015.sst`: a table.
    Table(FileNumber),
    /// `000011.val`: a value file.
    Value(FileNumber),
}

impl FileName {
    /// Reads a name; `None` for any file that is not ours.
    pub fn parse(name: &str) -> Option<FileName> {
        let number = |digits: &str| {
            let well_formed = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = FileNumber(digits.parse().ok()?);
            (well_formed && number <= FileNumber::MAX && number.to_string() == digits).then_some(number)
        };
        match name {
            "LOCK" => return Some(FileName::Lock),
            "CURRENT" => return Some(FileName::Current),
            "CURRENT.tmp" => return Some(FileName::CurrentTemp),
            _ => {}
        }
        if let Some(digits) = name.strip_prefix("MANIFEST-") {
            return number(digits).map(FileName::Manifest);
        }
        if let Some(digits) = name.strip_prefix("OPTIONS-") {
            return number(digits).map(FileName::Options);
        }
        match name.split_once('.')? {
            (digits, "log") => number(digits).map(FileName::Log),
            (digits, "sst") => number(digits).map(FileName::Table),
            (digits, "val") => number(digits).map(FileName::Value),
            _ => None,
        }
    }

    /// The number in the name, if it has one.
    pub fn number(self) -> Option<FileNumber> {
        match self {
            FileName::Lock | FileName::Current | FileName::CurrentTemp => None,
            FileName::Manifest(n)
            | FileName::Options(n)
            | FileName::Log(n)
            | FileName::Table(n)
            | FileName::Value(n) => Some(n),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Lock => f.write_str("LOCK"),
            FileName::Current => f.write_str("CURRENT"),
            FileName::CurrentTemp => f.write_str("CURRENT.tmp"),
            FileName::Manifest(n) => write!(f, "MANIFEST-{n}"),
            FileName::Options(n) => write!(f, "OPTIONS-{n}"),
            FileName::Log(n) => write!(f, "{n}.log"),
            FileName::Table(n) => write!(f, "{n}.sst"),
            FileName::Value(n) => write!(f, "{n}.val"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        let n = FileNumber(12);
        let large = FileNumber(1_234_567_890);
        for name in [
            FileName::Lock,
            FileName::Current,
            FileName::CurrentTemp,
            FileName::Manifest(n),
            FileName::Options(large),
            FileName::Log(large),
            FileName::Table(n),
            FileName::Value(n),
        ] {
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn foreign_names_are_not_ours() {
        for name in [
            "",
            ".DS_Store",
            "README",
            "lost+found",
            "12.log",
            "000012.txt",
            "000012.log.bak",
            "+00012.sst",
            "MANIFEST-",
            "MANIFEST-7",
            "CURRENT~",
            "0000012.log",
            "00001２.log",
            "18446744073709551615.log",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
