//! Bugs on purpose.
//!
//! Would the tests notice if a sync were forgotten, or a checksum not looked at? `.ci/plants` compiles with `--cfg plant`, names
//! one bug after the other in `BETTONG_PLANT`, and wants a test to fail for each. One build serves all of them.

/// Whether the bug called `name` is planted.
#[cfg(not(plant))]
#[doc(hidden)]
#[inline]
#[must_use]
pub const fn planted(_name: &str) -> bool {
    false
}

/// Whether the bug called `name` is planted.
#[cfg(plant)]
#[doc(hidden)]
#[must_use]
pub fn planted(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("BETTONG_PLANT").ok());
    CHOSEN.as_deref() == Some(name)
}
