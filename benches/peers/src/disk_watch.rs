//! The most room that a directory takes on the disk while somebody works in it.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::measure;

/// How often to look: a look at a hundred files takes a tenth of a millisecond. What comes and goes in between is not seen.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Looks on from a thread of its own.
pub(crate) struct DiskWatch {
    stop: Sender<()>,
    looking: JoinHandle<u64>,
}

impl DiskWatch {
    pub(crate) fn of(dir: &Path) -> DiskWatch {
        let (stop, stopped) = channel();
        let dir = dir.to_owned();
        let looking = std::thread::spawn(move || {
            let mut most = measure::disk_bytes(&dir);
            while stopped.recv_timeout(BETWEEN_LOOKS) == Err(RecvTimeoutError::Timeout) {
                most = most.max(measure::disk_bytes(&dir));
            }
            most.max(measure::disk_bytes(&dir))
        });
        DiskWatch { stop, looking }
    }

    /// The most bytes so far; ends the watch.
    pub(crate) fn most(self) -> Option<u64> {
        drop(self.stop);
        self.looking.join().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_and_went_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, vec![1; 1_000_000]).unwrap();
        let watch = DiskWatch::of(dir.path());
        std::thread::sleep(BETWEEN_LOOKS * 3);
        std::fs::remove_file(file).unwrap();
        assert!(watch.most().is_some_and(|most| (1_000_000..1_200_000).contains(&most)));
        assert!(measure::disk_bytes(dir.path()) < 100_000);
    }
}
