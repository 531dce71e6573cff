//! Who is let in (E11): those that bring the token, or the user's name and password; everybody if there is neither.
//!
//! A password is checked on a thread of its own, one at a time, and few may wait for that: whoever tries passwords by the
//! thousand has one processor, and everybody else keeps the others. Those who were let in before do not wait.

use crate::secret::Secret;
use axum::http::HeaderValue;

#[cfg(feature = "basic-auth")]
use super::password::{Credentials, User};
#[cfg(feature = "basic-auth")]
use std::sync::Arc;
#[cfg(feature = "basic-auth")]
use tokio::sync::Semaphore;

/// Passwords that wait to be checked, the one that is being checked included.
#[cfg(feature = "basic-auth")]
const WAITING_MAX: usize = 16;

/// What a request has to bring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) token: Option<Secret>,
    #[cfg(feature = "basic-auth")]
    pub(crate) user: Option<Arc<Door>>,
}

/// A user, and who waits for a password to be checked.
#[cfg(feature = "basic-auth")]
#[derive(Debug)]
pub(crate) struct Door {
    user: User,
    waiting: Arc<Semaphore>,
    checking: Arc<Semaphore>,
}

/// What became of a request for entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted,
    Denied,
    /// Too many passwords are being checked.
    #[cfg_attr(not(feature = "basic-auth"), expect(dead_code, reason = "a token is checked at once"))]
    Busy,
}

impl Access {
    /// Whether everybody is let in.
    pub(crate) fn is_open(&self) -> bool {
        self.methods().is_empty()
    }

    /// What can be brought: `bearer`, `basic`.
    pub(super) fn methods(&self) -> Vec<&'static str> {
        let bearer = self.token.as_ref().map(|_| "bearer");
        #[cfg(feature = "basic-auth")]
        let basic = self.user.as_ref().map(|_| "basic");
        #[cfg(not(feature = "basic-auth"))]
        let basic = None;
        bearer.into_iter().chain(basic).collect()
    }

    /// What those who are not let in are told to bring.
    pub(super) fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        self.methods().into_iter().map(|method| match method {
            "bearer" => HeaderValue::from_static("Bearer realm=\"bettong\""),
            _ => HeaderValue::from_static("Basic realm=\"bettong\", charset=\"UTF-8\""),
        })
    }

    /// Looks at a header `Authorization`.
    #[cfg_attr(
        not(feature = "basic-auth"),
        expect(clippy::unused_async, reason = "a password is waited for")
    )]
    pub(super) async fn judge(&self, brought: &[u8]) -> Verdict {
        let blank = brought.iter().position(|byte| *byte == b' ').unwrap_or(brought.len());
        let (scheme, words) = brought.split_at(blank);
        let words = words.get(1..).unwrap_or_default();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            let is_token = self.token.as_ref().is_some_and(|token| token.is(words));
            return if is_token { Verdict::Admitted } else { Verdict::Denied };
        }
        #[cfg(feature = "basic-auth")]
        if scheme.eq_ignore_ascii_case(b"basic")
            && let (Some(door), Some(credentials)) = (&self.user, Credentials::parse(words))
        {
            return door.judge(credentials).await;
        }
        Verdict::Denied
    }
}

#[cfg(feature = "basic-auth")]
impl Door {
    /// Lets this user in.
    pub(crate) fn new(user: User) -> Arc<Self> {
        let (waiting, checking) = (Semaphore::new(WAITING_MAX), Semaphore::new(1));
        Arc::new(Self { user, waiting: Arc::new(waiting), checking: Arc::new(checking) })
    }

    async fn judge(self: &Arc<Self>, credentials: Credentials) -> Verdict {
        if self.user.remembers(&credentials) {
            return Verdict::Admitted;
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else { return Verdict::Busy };
        let Ok(turn) = Arc::clone(&self.checking).acquire_owned().await else { return Verdict::Busy };
        let door = Arc::clone(self);
        let check = move || {
            let is_user = door.user.remembers(&credentials) || door.user.verify(&credentials);
            // Held until it is checked, whether or not somebody waits for it still.
            drop((place, turn));
            is_user
        };
        match tokio::task::spawn_blocking(check).await {
            Ok(true) => Verdict::Admitted,
            // It cannot panic; if it did, it would not have let anybody in.
            Ok(false) | Err(_) => Verdict::Denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn only_the_token_behind_its_scheme_is_let_in() {
        let access = Access {
            token: Some(Secret::new("sesame")),
            #[cfg(feature = "basic-auth")]
            user: None,
        };
        assert!(!access.is_open() && Access::default().is_open());
        assert_eq!(run(access.judge(b"bearer sesame")), Verdict::Admitted);
        for brought in
            [&b""[..], b"Bearer", b"Bearer ", b"Bearer  sesame", b"sesame", b"Basic sesame", b"Bearersesame"]
        {
            assert_eq!(run(access.judge(brought)), Verdict::Denied, "{brought:?}");
        }
    }

    #[cfg(feature = "basic-auth")]
    #[test]
    fn e11_one_password_is_checked_at_a_time_and_few_wait() {
        let user = User::new("ada".to_owned(), &Secret::new(bcrypt::hash("sesame", 4).unwrap())).unwrap();
        let door = Door::new(user);
        let access = Access { token: None, user: Some(Arc::clone(&door)) };
        // "ada:sesame", and "ada:wrong"
        let (right, wrong) = (b"Basic YWRhOnNlc2FtZQ==", b"Basic YWRhOndyb25n");
        run(async {
            let turn = Arc::clone(&door.checking).acquire_owned().await.unwrap();
            let mut waiting = Vec::new();
            for _ in 0..WAITING_MAX {
                let access = access.clone();
                waiting.push(tokio::spawn(async move { access.judge(wrong).await }));
                tokio::task::yield_now().await;
            }
            assert_eq!(access.judge(right).await, Verdict::Busy);
            drop(turn);
            for one in waiting {
                assert_eq!(one.await.unwrap(), Verdict::Denied);
            }
            assert_eq!(access.judge(right).await, Verdict::Admitted);
            // Who was let in before waits for nobody.
            let _turn = Arc::clone(&door.checking).acquire_owned().await.unwrap();
            assert_eq!(access.judge(right).await, Verdict::Admitted);
        });
    }
}
