//! One thread that walks its part of all keys in order, again and again.

use std::time::Instant;

use crate::failed::Done;
use crate::keys;
use crate::recorder::Recorder;
use crate::site::Site;
use crate::store::Store;
use crate::values::Check;
use crate::walk::Walk;

pub(crate) struct Walker<'a> {
    store: &'a dyn Store,
    check: Check,
    part: std::ops::Range<u64>,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(store: &'a dyn Store, site: &Site, thread: usize) -> Walker<'a> {
        Walker { store, check: site.check(), part: site.part(thread) }
    }

    /// Walks until so many entries are read or the time is up. What is timed is how long the engine takes for a step: from when it
    /// is told to go on until it shows the next entry.
    pub(crate) fn run(&mut self, recorder: &mut Recorder, ops: u64, deadline: Option<Instant>) -> Done<u64> {
        let (mut done, mut is_late) = (0, false);
        let all = self.part.end - self.part.start;
        while done < ops && !is_late && all > 0 {
            let from = keys::present(self.part.start);
            let wanted = all.min(ops - done);
            let mut walk = Walk::from(&from);
            let mut asked: Option<Instant> = None;
            self.store.scan(&from, &mut |key, value| {
                if let Some(asked) = asked.take() {
                    let now = Instant::now();
                    recorder.add(now - asked);
                    is_late = deadline.is_some_and(|deadline| now >= deadline);
                }
                if !walk.step(key, value, self.check) || walk.entries >= wanted || is_late {
                    return false;
                }
                if recorder.is_due() {
                    asked = Some(Instant::now());
                }
                true
            })?;
            walk.end()?;
            if walk.entries < wanted && !is_late {
                return Err(format!("a walk ended after {} of {wanted} entries", walk.entries).into());
            }
            done += walk.entries;
        }
        Ok(done)
    }
}
