//! Lease and return.

use super::explore;
use crate::cell::{self, Writers};
use crate::lending::{Lent, List, PoolId, Tag};
use crate::sync::{Arc, AtomicU64};
use loom::cell::UnsafeCell;
use loom::thread;

/// What is lent: a counter with one writer, and a cell that Loom watches for races.
pub(super) struct Thing {
    tag: Tag,
    count: AtomicU64,
    holder: UnsafeCell<u64>,
}

// SAFETY: that only its holder touches the cell is what the model is about; Loom complains otherwise.
unsafe impl Sync for Thing {}

impl Lent for Thing {
    fn new(pool: PoolId) -> Self {
        Self { tag: Tag::new(pool), count: AtomicU64::new(0), holder: UnsafeCell::new(0) }
    }
    fn tag(&self) -> &Tag {
        &self.tag
    }
}

fn count_once(list: &List<Thing>) {
    let thing = list.lease();
    cell::raise(&thing.count, 1, Writers::One);
    // SAFETY: as above.
    thing.holder.with_mut(|holder| unsafe { *holder += 1 });
    thing.tag.give_back();
}

fn sum(list: &List<Thing>) -> u64 {
    list.iter().map(|thing| cell::read(&thing.count)).sum()
}

/// Threads lease, count and return: a thing has one holder at a time, who sees what the last one stored, and no count is
/// lost. A reader never sees a sum shrink. There are never more things than threads.
///
/// Found: a store in place of the compare-and-swap of `try_lease`; the release of `give_back` relaxed. Not its acquire: the
/// fence that follows a lease acquires as well.
pub fn one_holder_at_a_time() {
    explore(2, || {
        let list = Arc::new(List::new(PoolId::next()));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let list = Arc::clone(&list);
                thread::spawn(move || count_once(&list))
            })
            .collect();
        let first = sum(&list);
        let second = sum(&list);
        assert!(first <= second && second <= 2, "{first}, then {second}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(sum(&list), 2);
        assert!(list.iter().count() <= 2);
        assert!(list.iter().all(|thing| !thing.tag.is_leased()));
    });
}

/// A thing goes from hand to hand.
///
/// Found: as above.
pub fn a_thing_goes_on_counting_where_it_was_returned() {
    explore(3, || {
        let list = Arc::new(List::new(PoolId::next()));
        count_once(&list);
        let other = thread::spawn({
            let list = Arc::clone(&list);
            move || count_once(&list)
        });
        count_once(&list);
        other.join().unwrap();
        assert_eq!(sum(&list), 3);
        count_once(&list);
        assert_eq!(sum(&list), 4);
        assert!(list.iter().count() <= 2);
    });
}
