//! Files that are good, bad, and replaced.

use super::*;
use std::fs;

struct Files(PathBuf);

impl Files {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("bettong-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        // Others than the owner must not read a key. A new file has a new number.
        let (path, new) = (self.path(name), self.path("new"));
        fs::write(&new, text).unwrap();
        mode(&new, 0o600);
        fs::rename(&new, &path).unwrap();
        path
    }

    /// A new certificate and its key.
    fn issue(&self) -> (PathBuf, PathBuf) {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = self.put("key.pem", &issued.signing_key.serialize_pem());
        (self.put("chain.pem", &issued.cert.pem()), key)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn mode(_: &Path, _: u32) {}

/// What is wrong, and with which file.
fn fault(chain: &Path, key: &Path) -> (PathBuf, String) {
    match Certificate::load(chain, key) {
        Err(error @ Error::Tls { .. }) => {
            let said = error.to_string();
            let Error::Tls { path, .. } = error else { unreachable!() };
            assert!(said.contains(&path.display().to_string()), "{said}");
            (path, said)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn e12_what_is_wrong_with_a_certificate_is_said_with_its_file() {
    let files = Files::new("certificate-faults");
    let (chain, key) = files.issue();
    assert!(Certificate::load(&chain, &key).is_ok());
    let missing = files.path("missing.pem");
    assert_eq!(fault(&missing, &key).0, missing);
    assert_eq!(fault(&chain, &missing).0, missing);
    let (path, said) = fault(&key, &key);
    assert!(path == key && said.contains("no certificate is in it"), "{said}");
    let (path, said) = fault(&chain, &chain);
    assert!(path == chain && said.contains("no private key is in it"), "{said}");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = files.put("other.pem", &other.signing_key.serialize_pem());
    let (path, said) = fault(&chain, &other);
    assert!(path == other && said.contains("not the key of"), "{said}");
    for rubbish in
        ["", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]
    {
        let path = files.put("rubbish.pem", rubbish);
        assert_eq!(fault(&path, &key).0, path, "{rubbish:?}");
        assert_eq!(fault(&chain, &path).0, path, "{rubbish:?}");
    }
    let long = files.put("long.pem", &"x".repeat(2 << 20));
    assert!(fault(&long, &key).1.contains("1 MiB"));
}

#[cfg(unix)]
#[test]
fn e19_a_key_that_everybody_can_read_is_refused_with_what_to_do() {
    let files = Files::new("certificate-mode");
    let (chain, key) = files.issue();
    for open in [0o604, 0o644, 0o666, 0o620] {
        mode(&key, open);
        let (path, said) = fault(&chain, &key);
        assert!(path == key && said.contains("chmod 640"), "{open:o}: {said}");
    }
    for closed in [0o600, 0o400, 0o640, 0o440] {
        mode(&key, closed);
        assert!(Certificate::load(&chain, &key).is_ok(), "{closed:o}");
    }
}

#[test]
fn e12_new_files_are_taken_and_broken_ones_are_not() {
    let files = Files::new("certificate-reload");
    let (chain, key) = files.issue();
    let certificate = Certificate::load(&chain, &key).unwrap();
    let look = || {
        let mut loaded = certificate.loaded.lock().unwrap();
        certificate.look(&mut loaded);
        Arc::clone(&loaded.config)
    };
    let first = look();
    assert!(Arc::ptr_eq(&first, &look()), "nothing is read where nothing changed");
    let good = fs::read_to_string(&chain).unwrap();
    files.put("chain.pem", "broken");
    assert!(Arc::ptr_eq(&first, &look()), "the old one stays");
    fs::remove_file(&chain).unwrap();
    assert!(Arc::ptr_eq(&first, &look()));
    files.put("chain.pem", &good);
    let second = look();
    assert!(!Arc::ptr_eq(&first, &second));
    // A new pair comes in two steps, and between them the files do not fit together.
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    files.put("chain.pem", &issued.cert.pem());
    assert!(Arc::ptr_eq(&second, &look()));
    files.put("key.pem", &issued.signing_key.serialize_pem());
    assert!(!Arc::ptr_eq(&second, &look()));
    assert!(Arc::ptr_eq(&certificate.config(), &look()), "a connection gets what was read last");
}
