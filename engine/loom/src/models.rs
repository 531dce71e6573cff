//! The models of `publish`.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::key::SeqNo;
use crate::publish::Publisher;

/// What writers insert before they publish: a race on an entry is what Loom reports.
struct Memtable([UnsafeCell<u64>; 3]);

// SAFETY: whether the entries may be shared is what the models find out: Loom checks every access.
unsafe impl Sync for Memtable {}

struct Shared {
    memtable: Memtable,
    publisher: Publisher,
}

impl Shared {
    fn new() -> Arc<Shared> {
        let memtable = Memtable(std::array::from_fn(|_| UnsafeCell::new(0)));
        Arc::new(Shared { memtable, publisher: Publisher::new(SeqNo(0)) })
    }

    /// Inserts entry `seq`, from 1 on, and publishes it.
    fn write(&self, seq: u64) {
        // SAFETY: Loom checks it.
        self.memtable.0[seq as usize - 1].with_mut(|entry| unsafe { *entry = seq });
        self.publisher.publish(SeqNo(seq), SeqNo(seq));
        assert!(self.publisher.visible() >= SeqNo(seq), "returned before it is visible");
    }

    /// Reads every entry that is visible.
    fn read(&self) -> SeqNo {
        let visible = self.publisher.visible();
        for seq in 1..=visible.0 {
            // SAFETY: Loom checks it.
            let found = self.memtable.0[seq as usize - 1].with(|entry| unsafe { *entry });
            assert_eq!(found, seq, "visible, and not there");
        }
        visible
    }
}

/// A thread that writes entry `seq`.
fn spawn(shared: &Arc<Shared>, seq: u64) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || shared.write(seq))
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Two writers finish in any order: what a reader sees is a prefix, with its entries, and does not shrink.
///
/// Seen to be noticed: `visible` read, and the number stored, with relaxed ordering; a publication that does not wait for the one before, or that
/// returns before it is visible.
pub fn what_is_visible_is_there_and_a_prefix() {
    check(3, || {
        let shared = Shared::new();
        let writers = [2, 1].map(|seq| spawn(&shared, seq));
        let first = shared.read();
        assert!(shared.read() >= first);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(shared.read(), SeqNo(2));
    });
}

/// A writer that goes to sleep because its predecessor is not done is always woken: Loom would find nobody left to run.
///
/// Seen to be noticed: the sleepers looked at before the number is stored.
pub fn no_sleeper_is_forgotten() {
    check(3, || {
        let shared = Shared::new();
        let second = spawn(&shared, 2);
        shared.write(1);
        second.join().unwrap();
        assert_eq!(shared.read(), SeqNo(2));
    });
}

/// A write two ahead of what is visible has no place in a ring of two, and waits until one before it is visible.
///
/// Seen to be noticed: a write that does not wait for room, its number stored with relaxed ordering, one that is done published by nobody,
/// a sleeper not woken, a sleeper that does not look once more, a ring without sequential consistency.
pub fn a_write_too_far_ahead_waits_for_room() {
    check(2, || {
        let shared = Shared::new();
        let writers = [3, 2].map(|seq| spawn(&shared, seq));
        shared.write(1);
        assert!(shared.read() >= SeqNo(1));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(shared.read(), SeqNo(3));
    });
}
