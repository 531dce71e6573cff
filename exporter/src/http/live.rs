//! The last 15 minutes of all databases: one look a second, and one set of messages for everybody who listens.

use super::stats::Stats;
use crate::history::{Book, Latest};
use crate::process::Process;
use bettong_metrics::Registry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

const INTERVAL: Duration = Duration::from_secs(1);

/// The books of all databases, and the bell that rings when something was written into them.
#[derive(Debug)]
pub(crate) struct Live {
    books: Vec<Arc<Book>>,
    stats: Arc<Stats>,
    /// Whether the task that looks was started. It publishes nothing else.
    begun: AtomicBool,
    bell: watch::Sender<()>,
}

impl Live {
    pub(super) fn new(registries: &[Arc<Registry>], stats: Arc<Stats>) -> Arc<Self> {
        let books = registries.iter().map(|registry| Arc::new(Book::new(Arc::clone(registry)))).collect();
        Arc::new(Self { books, stats, begun: AtomicBool::new(false), bell: watch::Sender::new(()) })
    }

    /// Begins to look once a second, unless that has begun: in a task of the runtime that this is called in, which ends when nothing
    /// else holds the books. Without a runtime that has timers it panics, as everything that waits would.
    pub(super) fn begin(self: &Arc<Self>) {
        if !self.begun.swap(true, Ordering::Relaxed) {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    /// The books of these databases.
    pub(super) fn of(&self, registries: &[Arc<Registry>]) -> Vec<Arc<Book>> {
        let wanted = |book: &&Arc<Book>| registries.iter().any(|registry| registry.name() == book.name());
        self.books.iter().filter(wanted).cloned().collect()
    }

    /// Rings after every look.
    pub(super) fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    fn look(&self) {
        let process = Process::shown();
        let own = self.stats.brief().to_string();
        self.books.iter().for_each(|book| book.look(&process, &own));
        self.bell.send_replace(());
    }
}

async fn watch(live: Weak<Live>) {
    let mut ticks = interval(INTERVAL);
    // What was missed cannot be looked at any more.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let Some(live) = live.upgrade() else { return };
        live.look();
    }
}

/// What of the newest messages of a book somebody has not heard yet: the tree if it is another one, and the last second.
pub(super) fn unheard(book: &Book, tree_heard: &mut u64) -> Vec<axum::body::Bytes> {
    let Latest { second, tree, tree_number } = book.latest();
    let is_new = tree_number != *tree_heard;
    *tree_heard = tree_number;
    is_new.then_some(tree).into_iter().chain([second]).filter(|message| !message.is_empty()).collect()
}
