//! A user's name and password, checked against a bcrypt hash (RFC 7617).
//!
//! A check costs what the hash was made to cost, 60 ms of a processor at a cost of 10. So that a client which asks every
//! second does not pay that every second, the last credentials that were accepted are remembered: not they themselves, but
//! two keyed hashes of 64 bits. The keys are random, made anew for each server and known to nobody, so the time that a comparison takes tells
//! nothing, and guessing a pair of hashes is hopeless. Who can read the process's memory finds keys and hashes there, and
//! could try passwords against them faster than against bcrypt; but whoever can do that sees passwords pass anyhow.
//!
//! The name is compared in constant time, and the password is checked whatever the name is: a wrong name takes as long as
//! a wrong password.

use crate::error::{Error, Result};
use crate::secret::Secret;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

/// Costs that a hash may have. Each step doubles the time of a check, to about two seconds at the end.
const COSTS: std::ops::RangeInclusive<u32> = 4..=15;

/// What bcrypt takes of a password, in bytes.
const PASSWORD_BYTES_MAX: usize = 72;

/// A user who is let in.
#[derive(Debug)]
pub(crate) struct User {
    name: Secret,
    hash: Secret,
    keys: [RandomState; 2],
    /// Of the credentials accepted last.
    accepted: Mutex<Option<[u64; 2]>>,
}

impl User {
    /// The user of this name, whose password has this hash.
    ///
    /// # Errors
    /// [`Error::Credentials`] if the name is empty or has a colon or control characters, or the hash is none of bcrypt's.
    pub(crate) fn new(name: String, hash: &Secret) -> Result<Self> {
        if name.is_empty() || name.contains(|letter: char| letter == ':' || letter.is_control()) {
            return Err(Error::Credentials(
                "a user's name must not be empty nor have a colon or control characters",
            ));
        }
        let hash = Secret::new(hash.expose().trim_end());
        let text = hash.expose();
        if !["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version)) {
            return Err(Error::Credentials("a password's hash must be of bcrypt: it begins with $2b$"));
        }
        let parts: bcrypt::HashParts =
            text.parse().map_err(|_| Error::Credentials("the bcrypt hash of a password is malformed"))?;
        if !COSTS.contains(&parts.get_cost()) {
            return Err(Error::Credentials("the cost of a bcrypt hash must be from 4 to 15"));
        }
        Ok(Self { name: Secret::new(name), hash, keys: Default::default(), accepted: Mutex::default() })
    }

    /// Whether these are the credentials that were accepted last.
    pub(crate) fn remembers(&self, credentials: &Credentials) -> bool {
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) == Some(self.digest(credentials))
    }

    /// Whether these are the user's. Takes its time.
    pub(crate) fn verify(&self, credentials: &Credentials) -> bool {
        let fits = credentials.password.len() <= PASSWORD_BYTES_MAX;
        let is_password = bcrypt::verify(&credentials.password, self.hash.expose()).unwrap_or(false);
        let is_user = self.name.is(&credentials.name) & is_password & fits;
        if is_user {
            let digest = self.digest(credentials);
            *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        }
        is_user
    }

    fn digest(&self, credentials: &Credentials) -> [u64; 2] {
        let Credentials { name, password } = credentials;
        self.keys.each_ref().map(|key| key.hash_one((name, password)))
    }
}

/// What a request brings.
pub(crate) struct Credentials {
    name: Vec<u8>,
    password: Vec<u8>,
}

impl Credentials {
    /// Of what follows `Basic` in a header.
    pub(crate) fn parse(words: &[u8]) -> Option<Self> {
        let pair = BASE64_STANDARD.decode(words).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        let (name, password) = pair.split_at_checked(colon)?;
        Some(Self { name: name.to_vec(), password: password.get(1..)?.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `open sesame`, at the lowest cost.
    fn hash() -> Secret {
        Secret::new(bcrypt::hash("open sesame", 4).unwrap())
    }

    fn credentials(name: &str, password: &[u8]) -> Credentials {
        Credentials { name: name.into(), password: password.into() }
    }

    #[test]
    fn only_the_users_name_and_password_are_accepted_and_then_remembered() {
        let user = User::new("ada".to_owned(), &hash()).unwrap();
        for (name, password) in
            [("ada", "open sesame!"), ("eve", "open sesame"), ("", ""), ("adaopen", " sesame")]
        {
            let wrong = credentials(name, password.as_bytes());
            assert!(!user.verify(&wrong) && !user.remembers(&wrong), "{name} {password}");
        }
        let right = credentials("ada", b"open sesame");
        assert!(!user.remembers(&right), "nobody was accepted yet");
        assert!(user.verify(&right) && user.remembers(&right));
        // The border between name and password counts.
        assert!(!user.remembers(&credentials("adaopen", b" sesame")));
        assert!(!user.verify(&credentials("ada", b"x")));
        assert!(user.remembers(&right), "a wrong one does not put the right one out");
    }

    /// bcrypt takes no notice of what follows 72 bytes.
    #[test]
    fn a_longer_password_with_the_same_beginning_is_another() {
        let password = [b'x'; 72];
        let user = User::new("ada".to_owned(), &Secret::new(bcrypt::hash(password, 4).unwrap())).unwrap();
        assert!(user.verify(&credentials("ada", &password)));
        assert!(!user.verify(&credentials("ada", &[b'x'; 73])));
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused_without_being_repeated() {
        let good = bcrypt::hash("x", 4).unwrap();
        let dear = good.replacen("$04$", "$31$", 1);
        let short = &good[..59];
        let long = format!("{good}x");
        let other = good.replacen("$2b$", "$2x$", 1);
        let free = good.replacen("$04$", "$00$", 1);
        for bad in ["", "sesame", &dear, short, &long, &other, &free, "$2b$10$é"] {
            let error = User::new("ada".to_owned(), &Secret::new(bad)).unwrap_err();
            assert!(matches!(error, Error::Credentials(_)), "{bad}");
            assert!(!error.to_string().contains("sesame") && !format!("{error:?}").contains("sesame"));
        }
        for name in ["", "a:b", "a\nb"] {
            assert!(User::new(name.to_owned(), &Secret::new(good.clone())).is_err(), "{name:?}");
        }
        assert!(User::new("ada".to_owned(), &Secret::new(format!("{good}\n"))).is_ok());
        let user = User::new("ada".to_owned(), &Secret::new(good.clone())).unwrap();
        assert!(!format!("{user:?}").contains(&good));
    }

    #[test]
    fn credentials_are_base64_with_a_colon() {
        let parsed = Credentials::parse(b"YWRhOm9wZW46c2VzYW1l").unwrap();
        assert_eq!((&parsed.name[..], &parsed.password[..]), (&b"ada"[..], &b"open:sesame"[..]));
        for bad in [&b""[..], b"YWRh", b"YWRhOm9wZW46c2VzYW1l=", b" YWRhOg==", b"\xff", b"YWRhOg"] {
            assert!(Credentials::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Credentials::parse(b"Og==").unwrap().name, b"");
    }
}
