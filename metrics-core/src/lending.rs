//! Lends things to threads, without a lock.
//!
//! A list only grows. Leasing walks it and takes the first thing that is free by compare-and-swap, or appends a new one;
//! a reader walks it with plain loads and can neither block nor be blocked. What its holder stored before it gave a thing
//! back is visible to the next one.
//!
//! Things belong to a pool, whose number they bear. Whoever wants all holders to look at something again stores 0 in its
//! place ([`List::look_again`]); the holder finds that out by the comparison that it makes anyhow ([`Tag::obey`]).

use crate::sync::{Arc, AtomicBool, AtomicU64, OnceLock, Ordering, fence};

/// Identifies a pool. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolId(u64);

impl PoolId {
    /// Stands for no pool.
    pub(crate) const NOBODY: Self = Self(0);

    /// An identity that no other pool has.
    pub(crate) fn next() -> Self {
        // A static, which Loom's atomics cannot be: one of the standard library in the models, too.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        // Uniqueness is all that is asked of the number, hence relaxed.
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the cell holds the number of this pool.
    #[inline]
    pub(crate) fn is_in(self, cell: &AtomicU64) -> bool {
        cell.load(Ordering::Relaxed) == self.0
    }
}

/// Whose a thing is, and who holds it. It starts with the number of the pool, on which `lease` relies.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Tag {
    /// The number of the pool; 0 asks the holder to look again.
    pool: AtomicU64,
    leased: AtomicBool,
    /// Leased by a thread that is ending, whose operation gives it back.
    for_one_operation: AtomicBool,
}

/// What can be lent.
pub(crate) trait Lent {
    /// A new thing of this pool.
    fn new(pool: PoolId) -> Self;
    /// Its tag.
    fn tag(&self) -> &Tag;
}

impl Tag {
    /// The tag of a thing that is free.
    pub(crate) fn new(pool: PoolId) -> Self {
        Self {
            pool: AtomicU64::new(pool.0),
            leased: AtomicBool::new(false),
            for_one_operation: AtomicBool::new(false),
        }
    }

    /// Whether the thing is one of the pool's.
    #[inline]
    pub(crate) fn belongs_to(&self, pool: PoolId) -> bool {
        pool.is_in(&self.pool)
    }

    /// Makes the holder look again. See [`List::look_again`] for everything.
    pub(crate) fn look_again(&self) {
        self.pool.store(PoolId::NOBODY.0, Ordering::Relaxed);
    }

    /// Obeys [`Tag::look_again`], for the holder: true if it is to look.
    pub(crate) fn obey(&self, pool: PoolId) -> bool {
        let called = !self.belongs_to(pool);
        if called {
            self.pool.store(pool.0, Ordering::Relaxed);
            // Pairs with `List::look_again`.
            fence(Ordering::SeqCst);
        }
        called
    }

    /// Whether a thread holds the thing.
    pub(crate) fn is_leased(&self) -> bool {
        self.leased.load(Ordering::Relaxed)
    }

    /// Whether the operation that ends is to give the thing back.
    pub(crate) fn is_for_one_operation(&self) -> bool {
        self.for_one_operation.load(Ordering::Relaxed)
    }

    /// Returns the thing, with its values. Releases the last stores to the thread that leases it next.
    pub(crate) fn give_back(&self) {
        self.for_one_operation.store(false, Ordering::Relaxed);
        self.leased.store(false, Ordering::Release);
    }

    /// Takes the thing if it is free, and acquires the stores of the thread that had it last.
    fn try_lease(&self) -> bool {
        // The load keeps the line of a thing in use shared: a failed compare-and-swap would take it from its holder.
        !self.is_leased()
            && self.leased.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

/// One link of a list.
#[derive(Debug)]
struct Node<T> {
    thing: Arc<T>,
    next: OnceLock<Box<Self>>,
}

/// A list of things that only grows.
#[derive(Debug)]
pub(crate) struct List<T> {
    pool: PoolId,
    head: OnceLock<Box<Node<T>>>,
}

impl<T: Lent> List<T> {
    pub(crate) fn new(pool: PoolId) -> Self {
        Self { pool, head: OnceLock::new() }
    }

    /// A thing that nobody else holds until it is given back.
    pub(crate) fn lease(&self) -> Arc<T> {
        Arc::clone(self.lease_thing())
    }

    /// A thing that is given back by the timer of the one operation it is for.
    pub(crate) fn lease_for_one_operation(&self) -> &T {
        let thing = self.lease_thing();
        thing.tag().for_one_operation.store(true, Ordering::Relaxed);
        thing
    }

    fn lease_thing(&self) -> &Arc<T> {
        let mut link = &self.head;
        loop {
            if let Some(node) = link.get() {
                if node.thing.tag().try_lease() {
                    // Pairs with `look_again`.
                    fence(Ordering::SeqCst);
                    return &node.thing;
                }
                link = &node.next;
                continue;
            }
            // Appended free: whoever appends, all of us try to lease it.
            let node = Box::new(Node { thing: Arc::new(T::new(self.pool)), next: OnceLock::new() });
            link.set(node).ok();
        }
    }

    /// Makes all holders look at what the caller stored before.
    ///
    /// It stores, fences, and walks the list. A holder fences after it leased, and when it obeys, and then looks. Of two
    /// such fences one comes first. If it is the caller's, the holder sees what was stored. If it is the holder's, the caller
    /// finds its thing in the list and its call comes last: the holder obeys later.
    pub(crate) fn look_again(&self) {
        fence(Ordering::SeqCst);
        self.iter().for_each(|thing| thing.tag().look_again());
    }

    /// All things of the list, in the order in which they were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let nodes = std::iter::successors(self.head.get(), |node| node.next.get());
        nodes.map(|node| &*node.thing)
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        // Link by link: dropping the head would recurse as deep as the list is long.
        let mut next = self.head.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}

#[cfg(test)]
mod tests;
