//! The thread that runs checks, one after the other. One that does not answer is left to its check, and another takes its place: so
//! there is one thread more for each check that hangs, and none for those that wait for their turn.

use super::check::{CheckResult, HealthCheck};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// What the monitor's thread is told.
pub(super) enum Message {
    /// A check has answered.
    Answer(Answer),
    /// Somebody wants all checks to be run, and is told when they were.
    Check(Sender<()>),
    /// Nobody wants to know any more.
    Stop,
}

/// What came of a check.
pub(super) struct Answer {
    /// Which check it was.
    pub(super) slot: usize,
    pub(super) result: CheckResult,
    pub(super) took: Duration,
}

type Task = (usize, Arc<dyn HealthCheck>);

/// A worker that waits for checks to run. Dropped, it ends with the check that it is at.
pub(super) struct Worker {
    tasks: Sender<Task>,
}

impl Worker {
    /// Starts the thread; answers go to `inbox`.
    ///
    /// # Errors
    /// Of the operating system, if it gives no thread.
    pub(super) fn start(inbox: Sender<Message>) -> std::io::Result<Self> {
        let (tasks, waiting) = mpsc::channel();
        let builder = thread::Builder::new().name("bettong-check".to_owned());
        builder.spawn(move || work(&waiting, &inbox))?;
        Ok(Self { tasks })
    }

    /// Runs a check; `false` if the thread is gone.
    pub(super) fn run(&self, slot: usize, check: &Arc<dyn HealthCheck>) -> bool {
        self.tasks.send((slot, Arc::clone(check))).is_ok()
    }
}

fn work(tasks: &Receiver<Task>, inbox: &Sender<Message>) {
    for (slot, check) in tasks {
        let began = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| check.check()));
        let result = result.unwrap_or_else(|panic| CheckResult::unknown(sentence_of(&*panic)));
        if inbox.send(Message::Answer(Answer { slot, result, took: began.elapsed() })).is_err() {
            return;
        }
    }
}

/// What a panic said.
fn sentence_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.map_or_else(|| "The check panicked".to_owned(), |text| format!("The check panicked: {text}"))
}
