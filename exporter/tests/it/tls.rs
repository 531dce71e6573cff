//! TLS (E12), by a client that is rustls as well, but nothing of the server's.

use crate::client::{Answer, connect, parse, raw};
use crate::fixture;
use bettong_exporter::{Exporter, Server};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, crypto::ring,
};

/// A directory with a certificate and its key.
struct Files {
    directory: PathBuf,
    der: CertificateDer<'static>,
}

impl Files {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("bettong-tls-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut files = Self { directory, der: CertificateDer::from(Vec::new()) };
        files.issue();
        files
    }

    /// Puts a new certificate and its key in the place of the old ones.
    fn issue(&mut self) {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        self.put("key.pem", &issued.signing_key.serialize_pem());
        self.put("chain.pem", &issued.cert.pem());
        self.der = issued.cert.der().clone();
    }

    fn put(&self, name: &str, text: &str) {
        let new = self.directory.join("new");
        fs::write(&new, text).unwrap();
        close(&new);
        fs::rename(&new, self.directory.join(name)).unwrap();
    }

    fn start(&self) -> Server {
        let (chain, key) = (self.directory.join("chain.pem"), self.directory.join("key.pem"));
        Exporter::new(fixture::filled("orders")).tls(chain, key).unwrap().listen("127.0.0.1:0").unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[cfg(unix)]
fn close(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn close(_: &Path) {}

/// Asks as a client that trusts one certificate and speaks one version.
fn get(
    server: &Server,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    path: &str,
) -> io::Result<Answer> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(server.local_addr()));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    // Without the farewell of TLS this is an error: the answer might have been cut.
    stream.read_to_end(&mut answer)?;
    Ok(parse(&answer))
}

#[test]
fn e12_clients_that_trust_the_certificate_are_answered_over_tls() {
    let files = Files::new("answers");
    let server = files.start();
    for version in [&TLS12, &TLS13] {
        for path in ["/livez", "/metrics", "/metrics.json"] {
            let answer = get(&server, &files.der, version, path).unwrap();
            assert_eq!(answer.status, 200, "{path}");
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            assert_eq!(answer.bytes.len(), length, "{path}");
        }
        let config = get(&server, &files.der, version, "/api/v1/config").unwrap();
        assert_eq!(config.json()["exporter"]["tls"], true);
        assert!(!config.body.contains(".pem"), "{}", config.body);
    }
    let other = Files::new("other");
    assert!(get(&server, &other.der, &TLS13, "/livez").is_err(), "another one is not trusted");
}

#[test]
fn e12_who_speaks_plain_http_or_nonsense_gets_no_answer() {
    let files = Files::new("plain");
    let server = files.start();
    for request in
        ["GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n", "\u{16}\u{3}\u{1}\u{ff}\u{ff}"]
    {
        let stream = connect(server.local_addr());
        stream.shutdown(std::net::Shutdown::Write).ok();
        drop(stream);
        let answer = raw(server.local_addr(), request.as_bytes());
        // An alert of TLS has seven bytes.
        assert!(answer.len() <= 7 && !answer.starts_with(b"HTTP"), "{answer:?}");
    }
    assert_eq!(get(&server, &files.der, &TLS13, "/livez").unwrap().status, 200);
}

#[test]
fn e12_connections_that_never_shake_hands_keep_nobody_out() {
    let files = Files::new("silent");
    let server = files.start();
    let silent: Vec<_> = (0..100).map(|_| connect(server.local_addr())).collect();
    for _ in 0..3 {
        assert_eq!(get(&server, &files.der, &TLS13, "/livez").unwrap().status, 200);
    }
    drop(silent);
}

#[test]
fn e12_a_new_certificate_is_used_without_a_restart() {
    let mut files = Files::new("renewal");
    let server = files.start();
    assert_eq!(get(&server, &files.der, &TLS13, "/livez").unwrap().status, 200);
    let old = files.der.clone();
    files.issue();
    // The files are looked at every two seconds; until then the old one is shown.
    while get(&server, &files.der, &TLS13, "/livez").is_err() {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(get(&server, &old, &TLS13, "/livez").is_err());
    files.put("chain.pem", "broken");
    std::thread::sleep(Duration::from_millis(2_100));
    for _ in 0..2 {
        assert_eq!(
            get(&server, &files.der, &TLS13, "/livez").unwrap().status,
            200,
            "the last good one stays"
        );
    }
}
