//! Words that are never shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest secret, in bytes.
const BYTES_MAX: u64 = 4 << 10;

/// A token or password. It has no way to be printed: `Debug` and `Display` say `<secret>`.
///
/// # Examples
/// ```
/// use bettong_exporter::Secret;
/// let secret = Secret::new("open sesame");
/// assert_eq!(format!("{secret} {secret:?}"), "<secret> <secret>");
/// ```
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// These words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The first line of a file that nobody but its owner can read.
    ///
    /// # Errors
    /// An [`io::Error`] if the file cannot be read, others than its owner may read or write it (on Unix), it is longer than 4 KiB, or its
    /// first line is empty or not UTF-8. None of them repeats what is in it.
    pub fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        check_mode(&file)?;
        let mut bytes = Vec::new();
        file.by_ref().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a secret has 4 KiB at most"));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the secret is not UTF-8"))?;
        match text.lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(Self::new(line)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "the secret is empty")),
        }
    }

    /// The words, for those who have to hand them on.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is the secret. How long that takes says nothing but how long the text is.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let secret = self.0.as_bytes();
        // Each byte of the text is compared with one of the secret, be it as long or not. An empty secret is nobody's.
        let differences = text.iter().zip(secret.iter().cycle()).fold(0, |all, (a, b)| all | (a ^ b));
        let same = std::hint::black_box(differences) == 0;
        same & (text.len() == secret.len()) & !secret.is_empty()
    }
}

pub(crate) fn check_mode(file: &File) -> io::Result<()> {
    check(file, 0o077, "others than its owner may read the file of a secret: chmod 600 it")
}

/// A key may be read by a group: that is how services that share one get at it.
#[cfg(feature = "tls")]
pub(crate) fn check_key_mode(file: &File) -> io::Result<()> {
    check(
        file,
        0o027,
        "everybody may read the file of a key, or its group may write it: chmod 640 it, or 600",
    )
}

#[cfg(unix)]
fn check(file: &File, forbidden: u32, message: &'static str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & forbidden == 0 {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(not(unix))]
fn check(_: &File, _: u32, _: &'static str) -> io::Result<()> {
    Ok(())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_the_secret() {
        let secret = Secret::new("abcabc");
        assert!(secret.is(b"abcabc"));
        for text in ["", "abc", "abcab", "abcabcabc", "abcabd", "ABCABC", "abcabc "] {
            assert!(!secret.is(text.as_bytes()), "{text:?}");
        }
        assert!(!Secret::new("").is(b""));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_a_secret_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = std::env::temp_dir().join(format!("bettong-secret-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("token");
        let put = |text: &[u8], mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Secret::from_file(&path)
        };
        assert_eq!(put(b"sesame\nnot this\n", 0o600).unwrap().0, "sesame");
        for mode in [0o644, 0o640, 0o620, 0o604] {
            let error = put(b"sesame", mode).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(!error.to_string().contains("sesame"));
        }
        for text in [&b""[..], b"\nsesame", b"\xff\xfe", &[b'x'; 5_000]] {
            assert_eq!(put(text, 0o600).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(Secret::from_file(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
