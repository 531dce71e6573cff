//! Time for values that expire: it never goes back, whatever the system's clock does.

use std::sync::Arc;
use std::time::Duration;

use crate::env::Clock;
use crate::sync::{AtomicBool, Mutex, Ordering};

/// The time by which values expire, in nanoseconds since 1970.
///
/// The system's clock, but for two things. It never goes back, across reopenings too (the manifest remembers how far it
/// was), so a value that was gone stays gone. And where the system's clock was set back it goes on at the pace of
/// the monotonic one, so that what is to expire in a minute does so in a minute.
#[derive(Debug)]
pub(crate) struct ExpiryClock {
    clock: Arc<dyn Clock>,
    /// Whether anything expires at all: most databases never ask what time it is.
    used: AtomicBool,
    /// A time that was shown, and the monotonic time then.
    shown: Mutex<(u64, u64)>,
}

impl ExpiryClock {
    /// A clock that never shows less than `least`.
    pub(crate) fn new(clock: &Arc<dyn Clock>, least: u64) -> ExpiryClock {
        let shown = Mutex::new((least, clock.monotonic_nanos()));
        ExpiryClock { clock: clock.clone(), used: AtomicBool::new(least > 0), shown }
    }

    /// Values that expire are there: whoever looks from now on looks at the time, too.
    pub(crate) fn set_used(&self) {
        self.used.store(true, Ordering::Release);
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// The time at which a state is looked at that will be looked at again: 0 while nothing expires.
    pub(crate) fn moment(&self) -> u64 {
        if self.is_used() { self.now() } else { 0 }
    }

    /// When something expires that lives for `ttl` from now on. A time that does not fit is for ever.
    pub(crate) fn after(&self, ttl: Duration) -> u64 {
        self.set_used();
        self.now().saturating_add(u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn now(&self) -> u64 {
        let mut shown = self.shown.lock();
        let (unix, monotonic) = (self.clock.unix_nanos(), self.clock.monotonic_nanos());
        let at_least = shown.0.saturating_add(monotonic.saturating_sub(shown.1));
        *shown = (unix.max(at_least), monotonic.max(shown.1));
        shown.0
    }
}

/// What a table knows of its entries that expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiring {
    pub(crate) entries: u64,
    /// When the first and the last of them does.
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

impl Default for Expiring {
    fn default() -> Expiring {
        Expiring { entries: 0, earliest: u64::MAX, latest: 0 }
    }
}

impl Expiring {
    pub(crate) fn count(&mut self, expires_at: u64) {
        if expires_at == u64::MAX {
            return;
        }
        self.entries += 1;
        self.earliest = self.earliest.min(expires_at);
        self.latest = self.latest.max(expires_at);
    }

    /// How many have expired by `now`, if the times between the first and the last are spread evenly.
    pub(crate) fn expired(&self, now: u64) -> u64 {
        if now >= self.latest {
            return self.entries;
        }
        let span = (self.latest - self.earliest.min(self.latest)).max(1);
        let share = now.saturating_sub(self.earliest) as f64 / span as f64;
        (self.entries as f64 * share) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[derive(Debug, Default)]
    struct Hands {
        unix: AtomicU64,
        monotonic: AtomicU64,
    }

    impl Clock for Hands {
        fn monotonic_nanos(&self) -> u64 {
            self.monotonic.load(Ordering::Relaxed)
        }

        fn unix_nanos(&self) -> u64 {
            self.unix.load(Ordering::Relaxed)
        }
    }

    /// F85: the clock is set back by ten days, or forward by ten years and back again.
    #[test]
    fn f85_time_never_goes_back_and_never_stands() {
        let hands = Arc::new(Hands::default());
        let set = |unix, monotonic| {
            hands.unix.store(unix, Ordering::Relaxed);
            hands.monotonic.store(monotonic, Ordering::Relaxed);
        };
        let clock: Arc<dyn Clock> = hands.clone();
        set(1000, 0);
        let expiry = ExpiryClock::new(&clock, 0);
        assert_eq!(expiry.now(), 1000);
        set(100, 5);
        assert_eq!(expiry.now(), 1005, "set back: it goes on from where it was");
        set(9000, 6);
        assert_eq!(expiry.now(), 9000);
        set(1010, 16);
        assert_eq!(expiry.now(), 9010, "and so it does after it was set forward");
        assert_eq!(ExpiryClock::new(&clock, 20_000).now(), 20_000, "a reopening remembers");
        set(0, u64::MAX);
        assert_eq!(ExpiryClock::new(&clock, u64::MAX).now(), u64::MAX);
    }

    #[test]
    fn a_table_estimates_what_has_expired() {
        let mut expiring = Expiring::default();
        assert_eq!(expiring.expired(u64::MAX), 0);
        (0..=10).for_each(|n| expiring.count(100 + 10 * n));
        assert_eq!([0, 100, 150, 200].map(|now| expiring.expired(now)), [0, 0, 5, 11]);
        let mut at_once = Expiring::default();
        (0..4).for_each(|_| at_once.count(7));
        assert_eq!([6, 7].map(|now| at_once.expired(now)), [0, 4]);
    }
}
