//! Cuts a failing history down to what it takes to fail (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
//!
//! 1. Chunks of operations are left out, halves first, then quarters, down to single ones, for as long as the rest fails.
//! 2. What is left is simplified: shorter values, shorter batches, fewer failed recoveries, no change of options.
//! 3. Both again until neither helps.

use crate::history::History;
use crate::op::{Cut, Op, Reopen, Terms, Ttl};

/// The shortest history found that still `fails`, which is asked at most `tries` times.
pub fn shrink(history: &History, tries: usize, fails: impl FnMut(&History) -> bool) -> History {
    let mut shrinker = Shrinker { best: history.clone(), tries, fails };
    while shrinker.drop_chunks() | shrinker.simplify() {}
    shrinker.best
}

struct Shrinker<F> {
    best: History,
    tries: usize,
    fails: F,
}

impl<F: FnMut(&History) -> bool> Shrinker<F> {
    /// Takes over a history if it fails.
    fn attempt(&mut self, ops: Vec<Op>) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        let history = History { ops, ..self.best.clone() };
        let failed = (self.fails)(&history);
        if failed {
            self.best = history;
        }
        failed
    }

    fn drop_chunks(&mut self) -> bool {
        let before = self.best.ops.len();
        let mut size = before.div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.best.ops.len() {
                let end = (start + size).min(self.best.ops.len());
                let ops = &self.best.ops;
                let rest = ops.iter().take(start).chain(ops.iter().skip(end)).cloned().collect();
                if !self.attempt(rest) {
                    start = end;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        self.best.ops.len() < before
    }

    fn simplify(&mut self) -> bool {
        let mut simpler = false;
        let mut at = 0;
        while let Some(op) = self.best.ops.get(at).cloned() {
            for candidate in simpler_than(&op) {
                let mut ops = self.best.ops.clone();
                if let Some(place) = ops.get_mut(at) {
                    *place = candidate;
                }
                if self.attempt(ops) {
                    simpler = true;
                    break;
                }
            }
            at += 1;
        }
        simpler
    }
}

/// Simpler operations that may do as well, the simplest first. Each is smaller than the operation by some measure, so that
/// simplifying comes to an end.
fn simpler_than(op: &Op) -> Vec<Op> {
    match op {
        Op::Set { key, len, terms } => {
            let shorter = [0, 8, len / 2].into_iter().filter(|shorter| shorter < len);
            let mut simpler: Vec<Op> = shorter.map(|len| Op::Set { key: *key, len, terms: *terms }).collect();
            simpler.extend(plainer(*terms).map(|terms| Op::Set { key: *key, len: *len, terms }));
            simpler
        }
        Op::Delete { key, terms } => {
            plainer(*terms).map(|terms| Op::Delete { key: *key, terms }).into_iter().collect()
        }
        Op::Batch { entries, terms } => {
            let half = entries.len() / 2;
            let parts = [
                entries.iter().take(half).copied().collect(),
                entries.iter().skip(half).copied().collect::<Vec<_>>(),
            ];
            let shorter = parts.into_iter().filter(|part| !part.is_empty() && part.len() < entries.len());
            let mut simpler: Vec<Op> = shorter.map(|entries| Op::Batch { entries, terms: *terms }).collect();
            if let [(key, Some(len))] = *entries.as_slice() {
                simpler.push(Op::Set { key, len, terms: *terms });
            }
            simpler
        }
        Op::Compact(Some(_)) => vec![Op::Compact(None)],
        Op::Reopen(reopen) => simpler_reopenings(reopen).into_iter().map(Op::Reopen).collect(),
        _ => Vec::new(),
    }
}

fn simpler_reopenings(reopen: &Reopen) -> Vec<Reopen> {
    let mut simpler = Vec::new();
    if reopen.options.is_some() {
        simpler.push(Reopen { options: None, ..reopen.clone() });
    }
    if reopen.close {
        simpler.push(Reopen { close: false, ..reopen.clone() });
    }
    match reopen.cut {
        Some(Cut::Power { seed, keep, garbage }) if keep > 0 || garbage > 0 => {
            let all_is_lost = Cut::Power { seed, keep: 0, garbage: 0 };
            simpler.push(Reopen { cut: Some(all_is_lost), ..reopen.clone() });
        }
        _ => {}
    }
    for at in 0..reopen.recoveries.len() {
        let mut fewer = reopen.clone();
        fewer.recoveries.remove(at);
        simpler.push(fewer);
    }
    simpler
}

fn plainer(terms: Terms) -> Option<Terms> {
    (terms.ttl != Ttl::Default).then_some(Terms { ttl: Ttl::Default, ..terms })
}
