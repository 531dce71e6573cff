//! Progress on standard error, where somebody sits in front of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::out::Out;

/// A bar, or nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar towards `length` that counts bytes; without a length it only counts.
    pub(crate) fn of_bytes(out: &Out, length: Option<u64>) -> Progress {
        let template = match length {
            Some(_) => "{bar:30} {bytes}/{total_bytes} · {bytes_per_sec} · {msg} · {eta} left",
            None => "{spinner} {bytes} · {bytes_per_sec} · {msg}",
        };
        Progress::new(out.shows_progress(), length, template)
    }

    /// A bar towards `length` of something that is counted one by one.
    pub(crate) fn of_steps(out: &Out, length: u64, wanted: bool) -> Progress {
        Progress::new(wanted && out.shows_progress(), Some(length), "{bar:30} {percent}% · {msg}")
    }

    fn new(shown: bool, length: Option<u64>, template: &str) -> Progress {
        let target =
            if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(length, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress { bar }
    }

    pub(crate) fn set(&self, position: u64) {
        self.bar.set_position(position);
    }

    pub(crate) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    pub(crate) fn say(&self, message: String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(message);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
