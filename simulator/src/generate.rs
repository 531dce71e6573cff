//! Makes histories from seeds.

use crate::dice::Dice;
use crate::history::History;
use crate::op::{Cut, End, FaultRule, On, Op, Range, Recovery, Reopen, Safety, Terms, Ttl, Walk, What};
use crate::swarm::Swarm;

const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// What a history is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Everything, on any options.
    Mixed,
    /// Overwrites of values around the separation threshold, in small segments under low ceilings: garbage collection is what crashes meet.
    Churn,
}

/// The history of a seed.
pub fn generate(seed: u64, profile: Profile) -> History {
    let mut dice = Dice::new(seed.wrapping_mul(2) + u64::from(profile == Profile::Churn));
    let traits = Traits::draw(&mut dice, profile);
    let options = traits.swarm(&mut dice);
    let mut maker = Maker { threshold: options.separation_threshold, traits, dice, ops: Vec::new() };
    for _ in 0..maker.traits.cycles {
        maker.cycle();
    }
    History { note: String::new(), seed, keys: maker.traits.keys, options, ops: maker.ops }
}

/// What is the same all through a history: some have no faults at all, some no expiry, some no batches.
#[derive(Clone, Copy, Debug)]
struct Traits {
    profile: Profile,
    keys: u16,
    cycles: u64,
    ops_per_cycle: u64,
    expiry: bool,
    faults: bool,
    readers: bool,
    batches: u64,
    deletes: u64,
    steps: u64,
    synced: u64,
}

impl Traits {
    fn draw(dice: &mut Dice, profile: Profile) -> Traits {
        let churn = profile == Profile::Churn;
        Traits {
            profile,
            keys: dice.pick(if churn { &[5, 20, 60] } else { &[10, 60, 250, 800] }),
            cycles: 10 + dice.below(30),
            ops_per_cycle: dice.pick(&[15, 40, 40, 100]),
            expiry: dice.percent(35),
            faults: dice.percent(40),
            readers: dice.percent(60),
            batches: dice.pick(&[0, 10, 30]),
            deletes: dice.pick(&[0, 10, 30]),
            steps: dice.pick(if churn { &[10, 20, 35] } else { &[2, 8, 25] }),
            synced: dice.pick(&[5, 25, 60]),
        }
    }

    fn swarm(&self, dice: &mut Dice) -> Swarm {
        let drawn = match self.profile {
            Profile::Mixed => Swarm::draw(dice),
            Profile::Churn => Swarm::draw_churn(dice),
        };
        Swarm { ttl_seconds: drawn.ttl_seconds.filter(|_| self.expiry), ..drawn }
    }
}

struct Maker {
    traits: Traits,
    dice: Dice,
    ops: Vec<Op>,
    threshold: usize,
}

impl Maker {
    /// The life of one process, and its end.
    fn cycle(&mut self) {
        if self.dice.percent(50) {
            let within = self.dice.pick(&[20, 100, 300]);
            let nth = self.dice.below(within) as u16;
            let path = String::new();
            self.ops.push(Op::Fault(FaultRule {
                what: What::PowerCut,
                on: On::Changes,
                path,
                nth,
                forever: false,
            }));
        }
        let ops = self.dice.below(self.traits.ops_per_cycle * 2);
        let faulty = self.traits.faults && self.dice.percent(40);
        let fault_at = self.dice.below(ops + 1);
        for at in 0..ops {
            if faulty && at == fault_at {
                let fault = self.fault();
                self.ops.push(fault);
            }
            let op = self.op();
            self.ops.push(op);
        }
        if self.dice.percent(30) {
            self.ops.push(Op::Metrics);
        }
        let reopen = self.reopen();
        self.ops.push(Op::Reopen(reopen));
    }

    fn op(&mut self) -> Op {
        let traits = self.traits;
        let dice = &mut self.dice;
        if dice.percent(traits.steps) {
            return self.work();
        }
        if dice.percent(25) {
            return self.read();
        }
        if traits.expiry && dice.percent(5) {
            return self.clock();
        }
        if dice.percent(traits.batches) {
            let entries = 1 + dice.below(20);
            let entries = (0..entries).map(|_| self.entry()).collect();
            return Op::Batch { entries, terms: self.terms() };
        }
        match self.entry() {
            (key, Some(len)) => Op::Set { key, len, terms: self.terms() },
            (key, None) => Op::Delete { key, terms: self.terms() },
        }
    }

    fn entry(&mut self) -> (u16, Option<u32>) {
        let key = self.key();
        let is_delete = self.dice.percent(self.traits.deletes);
        (key, (!is_delete).then(|| self.len()))
    }

    fn key(&mut self) -> u16 {
        let keys = u64::from(self.traits.keys);
        // Some keys are met much more often than others.
        let below = if self.dice.percent(30) { keys.min(8) } else { keys };
        self.dice.below(below) as u16
    }

    fn len(&mut self) -> u32 {
        let dice = &mut self.dice;
        let threshold = self.threshold.clamp(8, 1000) as u64;
        let churn = self.traits.profile == Profile::Churn;
        let len = match dice.below(1000) {
            0..3 => 5000 + dice.below(15_000),
            3..30 => 0,
            30..80 => 1000 + dice.below(2000),
            80..600 if churn => threshold * 2 + dice.below(threshold * 3),
            80..250 => threshold - 2 + dice.below(5),
            _ => dice.below(120),
        };
        len as u32
    }

    fn terms(&mut self) -> Terms {
        let dice = &mut self.dice;
        let safety = if dice.percent(self.traits.synced) {
            Safety::Sync
        } else {
            dice.pick(&[Safety::Default, Safety::Os, Safety::Os, Safety::None])
        };
        let ttl = if self.traits.expiry && dice.percent(50) {
            dice.pick(&[Ttl::Zero, Ttl::Seconds(2), Ttl::Seconds(20), Ttl::Seconds(500), Ttl::Max])
        } else {
            Ttl::Default
        };
        Terms { safety, ttl }
    }

    /// Background work, and what callers can ask for of it.
    fn work(&mut self) -> Op {
        let churn = self.traits.profile == Profile::Churn;
        match self.dice.below(100) {
            70..80 => Op::Sync,
            80..90 => Op::Flush,
            90..93 => Op::Compact(Some((self.key(), self.key()))),
            93..95 => Op::Compact(None),
            95..100 if churn => Op::Collect,
            95..97 => Op::Collect,
            _ => Op::Step,
        }
    }

    fn read(&mut self) -> Op {
        let kind = self.dice.below(100);
        if !self.traits.readers || kind < 50 {
            return Op::Get(self.key());
        }
        match kind {
            50..55 => Op::Contains(self.key()),
            55..60 => {
                let keys = self.dice.below(6);
                Op::MultiGet((0..keys).map(|_| self.key()).collect())
            }
            60..70 => Op::Scan { range: self.range(), walk: self.walk() },
            70..75 => Op::HoldScan(self.range()),
            75..85 => Op::StepScan { at: self.dice.below(4) as u8, walk: self.walk() },
            85..92 => Op::Snapshot,
            92..99 => Op::CheckSnapshot { at: self.dice.below(256) as u8, backward: self.dice.percent(50) },
            _ => Op::Check,
        }
    }

    fn range(&mut self) -> Range {
        Range { lower: self.end(), upper: self.end() }
    }

    fn end(&mut self) -> End {
        match self.dice.below(3) {
            0 => End::Open,
            1 => End::Included(self.key()),
            _ => End::Excluded(self.key()),
        }
    }

    fn walk(&mut self) -> Walk {
        let dice = &mut self.dice;
        Walk {
            steps: dice.below(60) as u16,
            backward: dice.pick(&[0, 50, 100]),
            seed: dice.below(1 << 16) as u32,
            values: dice.percent(85),
        }
    }

    fn clock(&mut self) -> Op {
        match self.dice.below(20) {
            0 => Op::SetBack(self.dice.pick(&[3, 1000, 864_000])),
            1 => Op::Advance(315_360_000),
            _ => Op::Advance(self.dice.pick(&[1, 3, 30])),
        }
    }

    fn fault(&mut self) -> Op {
        let dice = &mut self.dice;
        let what = match dice.below(10) {
            0 => What::Short,
            1 => What::Interrupted,
            2 => return Op::Capacity(dice.below(40_000) as u32),
            3 => return Op::Heal,
            4..6 => What::Errno(ENOSPC),
            6 => What::Errno(dice.pick(&[EMFILE, EAGAIN, EROFS])),
            _ => What::Errno(EIO),
        };
        let (on, path) = dice.pick(&[
            (On::Any, ""),
            (On::Any, ""),
            (On::Changes, ""),
            (On::Changes, ".log"),
            (On::Changes, ".sst"),
            (On::Changes, "MANIFEST"),
            (On::Write, ""),
            (On::Sync, ""),
            (On::Sync, ".log"),
            (On::Sync, "MANIFEST"),
            (On::SyncDir, ""),
            (On::Create, ""),
            (On::Rename, ""),
            (On::Remove, ""),
            (On::Read, ""),
            (On::Open, ""),
        ]);
        let within = dice.pick(&[3, 20, 100]);
        let nth = dice.below(within) as u16;
        Op::Fault(FaultRule { what, on, path: path.to_owned(), nth, forever: dice.percent(30) })
    }

    fn reopen(&mut self) -> Reopen {
        let close = self.dice.percent(15);
        let cut = match self.dice.below(100) {
            0..5 => None,
            5..30 => Some(Cut::Kill),
            _ => Some(self.power()),
        };
        let failed = if self.dice.percent(30) { 1 + self.dice.below(3) } else { 0 };
        let recoveries = (0..failed).map(|_| self.recovery()).collect();
        let options = self.dice.percent(40).then(|| {
            let swarm = self.traits.swarm(&mut self.dice);
            self.threshold = swarm.separation_threshold;
            Box::new(swarm)
        });
        Reopen { close, cut, recoveries, options }
    }

    fn recovery(&mut self) -> Recovery {
        let errno = self.dice.percent(25).then(|| self.dice.pick(&[EIO, ENOSPC]));
        let cut = if self.dice.percent(40) { Cut::Kill } else { self.power() };
        Recovery { at: self.dice.below(60) as u16, errno, cut }
    }

    fn power(&mut self) -> Cut {
        let dice = &mut self.dice;
        Cut::Power {
            seed: dice.below(1 << 32) as u32,
            keep: dice.pick(&[0, 10, 50, 90, 100]),
            garbage: dice.pick(&[0, 0, 10, 50]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_history_and_another_seed_another() {
        assert_eq!(generate(5, Profile::Mixed), generate(5, Profile::Mixed));
        assert_ne!(generate(5, Profile::Mixed).ops, generate(6, Profile::Mixed).ops);
        assert_ne!(generate(5, Profile::Mixed).ops, generate(5, Profile::Churn).ops);
    }
}
