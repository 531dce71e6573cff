//! The hand-shake by which a change of level reaches every thread.

use super::explore;
use super::lending::Thing;
use crate::lending::{Lent, List, PoolId};
use crate::sync::{Arc, AtomicU64, Ordering};
use loom::thread;

/// How the level is kept and changed: as `Registry` does it.
struct Registry {
    level: AtomicU64,
    pool: PoolId,
    list: List<Thing>,
}

impl Registry {
    fn new() -> Arc<Self> {
        let pool = PoolId::next();
        Arc::new(Self { level: AtomicU64::new(0), pool, list: List::new(pool) })
    }

    fn set_level(&self, level: u64) {
        self.level.store(level, Ordering::Relaxed);
        self.list.look_again();
    }

    fn level(&self) -> u64 {
        self.level.load(Ordering::Relaxed)
    }
}

/// An owner leases and works while the level changes, twice if `changes` is 2: at its first operation after the change it
/// has the last level.
fn run(changes: u64, leased_before: bool) {
    explore(3, move || {
        let registry = Registry::new();
        let before = leased_before.then(|| registry.list.lease());
        let owner = thread::spawn({
            let registry = Arc::clone(&registry);
            move || {
                let thing = before.unwrap_or_else(|| registry.list.lease());
                thing.tag().obey(registry.pool);
                let mut level = registry.level();
                if thing.tag().obey(registry.pool) {
                    level = registry.level();
                }
                (thing, level)
            }
        });
        (1..=changes).for_each(|level| registry.set_level(level));
        let (thing, mut level) = owner.join().unwrap();
        // Somewhat later.
        if thing.tag().obey(registry.pool) {
            level = registry.level();
        }
        assert_eq!(level, changes, "a change was lost");
    });
}

/// The level changes while its owner obeys an earlier call.
///
/// Found: `obey` without its fence, or with the fence before the store; `look_again` without its fence.
pub fn a_change_reaches_a_thread_that_obeys_the_last_one() {
    run(2, true);
}

/// The level changes while a thread leases its first thing, which whoever changes it may not find in the list.
///
/// Found: `lease` without its fence. Then both miss each other: the list seems empty to one, the level old to the other.
pub fn a_change_reaches_a_thread_that_leases() {
    run(1, false);
}

/// Two threads lease; one may take what the other has appended.
///
/// Found: as above.
pub fn a_change_reaches_a_thread_that_leases_what_another_has_appended() {
    explore(2, || {
        let registry = Registry::new();
        let owners: Vec<_> = (0..2)
            .map(|_| {
                let registry = Arc::clone(&registry);
                thread::spawn(move || {
                    let thing = registry.list.lease();
                    thing.tag().obey(registry.pool);
                    (thing, registry.level())
                })
            })
            .collect();
        registry.set_level(1);
        for owner in owners {
            let (thing, level) = owner.join().unwrap();
            assert!(level == 1 || thing.tag().obey(registry.pool), "a change was lost");
        }
    });
}
