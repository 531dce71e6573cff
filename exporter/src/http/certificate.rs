//! A certificate chain and its key, from two PEM files, which may be replaced while the server runs.
//!
//! 1. Both files are read when the exporter is made: what is wrong with them is known then.
//! 2. When a connection comes, and the last look was two seconds ago or more, it is looked whether a file is another one:
//!    by its time of change, its size and its number.
//! 3. If so, both are read. Connections from then on use the new ones; those that are open keep what they have.
//! 4. If they cannot be used, because only one of them was replaced yet, say, a warning is logged and the old ones stay in use.
//!
//! TLS is 1.2 or 1.3 as rustls does it, with the algorithms of ring; HTTP/1.1 is what is spoken over it.

use crate::error::{Error, Result};
use crate::secret;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long files are taken to be what they were.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The longest file, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// The files, and what was read from them.
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    stamps: [Option<Stamp>; 2],
    looked: Instant,
}

/// What tells a file from the one that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    bytes: u64,
    number: u64,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// [`Error::Tls`] with the file that cannot be used, and why.
    pub(crate) fn load(chain: &Path, key: &Path) -> Result<Self> {
        let (chain, key) = (chain.to_owned(), key.to_owned());
        // Before they are read: what changes meanwhile is read again.
        let stamps = [&chain, &key].map(|path| Stamp::of(path));
        let config = read(&chain, &key)?;
        let loaded = Mutex::new(Loaded { config, stamps, looked: Instant::now() });
        Ok(Self { chain, key, loaded })
    }

    /// What a connection that comes now is to use.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        // Nothing can panic under the lock.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.looked.elapsed() >= LOOK_AGAIN {
            self.look(&mut loaded);
        }
        Arc::clone(&loaded.config)
    }

    /// Reads the files again if they are others.
    fn look(&self, loaded: &mut Loaded) {
        loaded.looked = Instant::now();
        let stamps = [&self.chain, &self.key].map(|path| Stamp::of(path));
        if stamps == loaded.stamps {
            return;
        }
        // It is warned once for each change.
        loaded.stamps = stamps;
        match read(&self.chain, &self.key) {
            Ok(config) => loaded.config = config,
            Err(error) => {
                tracing::warn!(%error, "the certificate on disk cannot be used: the old one is kept");
            }
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("chain", &self.chain)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let (changed, bytes, number) = (metadata.modified().ok(), metadata.len(), number(&metadata));
        Some(Self { changed, bytes, number })
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

fn read(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let fault = |path: &Path, what: String| Error::Tls { path: path.to_owned(), what };
    let pem = contents(chain, |_| Ok(()))?;
    let certificates: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| fault(chain, format!("it is no PEM file: {error}")))?;
    if certificates.is_empty() {
        return Err(fault(
            chain,
            "no certificate is in it: a PEM file with the server's first is needed".into(),
        ));
    }
    let pem = contents(key, secret::check_key_mode)?;
    // What the parser says may repeat some of the key.
    let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        fault(key, "no private key is in it: a PEM file with one, not encrypted, is needed".into())
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(chain, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|error| fault(key, format!("it is not the key of {}: {error}", chain.display())))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The bytes of a file that passes a check.
fn contents(path: &Path, check: fn(&File) -> std::io::Result<()>) -> Result<Vec<u8>> {
    let read = || {
        let mut file = File::open(path)?;
        check(&file)?;
        let mut bytes = Vec::new();
        file.by_ref().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is longer than 1 MiB"));
        }
        Ok(bytes)
    };
    read().map_err(|error: std::io::Error| Error::Tls { path: path.to_owned(), what: error.to_string() })
}

#[cfg(test)]
mod tests;
