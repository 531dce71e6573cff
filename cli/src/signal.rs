//! Ctrl-C and a polite kill, as a flag that long work looks at.
//!
//! The first signal raises the flag, so that the work can end as it would by itself; the second one ends the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::fault::{Fault, Result};

static RAISED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Begins to listen for signals. Where that is not possible, signals do what they did before.
pub(crate) fn install() {
    INSTALLED.get_or_init(|| {
        let handler = || {
            // The flag alone is the message: nothing is published with it.
            if RAISED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        };
        ctrlc::set_handler(handler).is_ok()
    });
}

/// Whether somebody asked the tool to stop.
#[inline]
pub(crate) fn is_raised() -> bool {
    RAISED.load(Ordering::Relaxed)
}

/// An error if somebody asked the tool to stop.
pub(crate) fn check() -> Result<()> {
    if is_raised() { Err(Fault::Interrupted) } else { Ok(()) }
}

/// Sleeps until `deadline` or a signal, in steps of at most `step`, and calls `each` after every one of them.
pub(crate) fn sleep_until(deadline: Instant, step: Duration, mut each: impl FnMut() -> bool) {
    while !is_raised() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !each() {
            return;
        }
        std::thread::sleep(left.min(step));
    }
}
