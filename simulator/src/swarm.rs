//! Options drawn by seed: each history runs with others, so that every feature meets every other, and its absence.

use std::time::Duration;

use bettong::{Compression, Durability, Instrumentation, Options};
use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// The options of one opening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the engine's option of the same name")]
pub struct Swarm {
    pub memtable_bytes: usize,
    pub max_immutable_memtables: usize,
    pub separation_threshold: usize,
    pub max_space_amplification: f64,
    pub table_bytes: u64,
    pub level_base_bytes: u64,
    pub level_fanout: u64,
    pub block_bytes: usize,
    pub restart_interval: usize,
    pub filter_bits_per_key: usize,
    #[serde(default = "yes")]
    pub point_index: bool,
    pub cache_bytes: usize,
    pub l0_compaction_tables: usize,
    pub mapped_reads: bool,
    pub verify_always: bool,
    /// The first level that is compressed; 7 for none.
    pub lz4_from: usize,
    #[serde(with = "DurabilityForm")]
    pub durability: Durability,
    /// Seconds, and a half: times never fall on the moment of an operation.
    pub ttl_seconds: Option<u32>,
    pub timing: Timing,
}

/// How much of the time is measured. Counting goes on in any case: counts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timing {
    /// [`Instrumentation::Counters`].
    None,
    /// [`Instrumentation::Sampled`].
    Sampled,
    /// [`Instrumentation::Full`].
    Full,
}

/// Seeds that are kept from before there was a choice.
fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Durability")]
enum DurabilityForm {
    Sync,
    Os,
    None,
}

impl Swarm {
    /// Options within what keeps histories short.
    pub fn draw(dice: &mut Dice) -> Swarm {
        Swarm {
            lz4_from: dice.below(8) as usize,
            memtable_bytes: memtable_bytes(dice),
            separation_threshold: dice.pick(&[0, 20, 60, 1000, usize::MAX]),
            max_space_amplification: dice.pick(&[1.1, 1.5, 3.0]),
            max_immutable_memtables: dice.pick(&[1, 2, 4]),
            table_bytes: dice.pick(&[4 << 10, 16 << 10, 64 << 10]),
            level_base_bytes: dice.pick(&[4 << 10, 16 << 10, 64 << 10]),
            level_fanout: dice.pick(&[2, 4, 10]),
            block_bytes: dice.pick(&[128, 512, 4096]),
            restart_interval: dice.pick(&[1, 2, 8, 16]),
            filter_bits_per_key: dice.pick(&[0, 1, 10]),
            cache_bytes: dice.pick(&[0, 4 << 10, 1 << 20]),
            l0_compaction_tables: dice.pick(&[1, 2, 4]),
            mapped_reads: dice.percent(50),
            verify_always: dice.percent(20),
            durability: dice.pick(&[Durability::Sync, Durability::Os, Durability::Os, Durability::None]),
            ttl_seconds: dice.pick(&[None, None, None, None, Some(0), Some(10), Some(1000)]),
            // Histograms are large, and their memory is made anew at each opening.
            timing: dice.pick(&[Timing::None, Timing::None, Timing::None, Timing::Sampled, Timing::Full]),
            point_index: dice.percent(70),
        }
    }

    /// Options under which values are separated, segments small, and garbage is collected all the time.
    pub fn draw_churn(dice: &mut Dice) -> Swarm {
        Swarm {
            memtable_bytes: dice.pick(&[4 << 10, 4 << 10, 8 << 10, 16 << 10]),
            separation_threshold: dice.pick(&[0, 60, 100, 200]),
            max_space_amplification: dice.pick(&[1.1, 1.1, 1.3]),
            ..Swarm::draw(dice)
        }
    }

    /// The engine's options.
    pub fn options(&self) -> Options {
        let lz4_from = self.lz4_from;
        let level = |level| if level >= lz4_from { Compression::Lz4 } else { Compression::None };
        Options::default()
            .memtable_bytes(self.memtable_bytes)
            .separation_threshold(self.separation_threshold)
            .max_space_amplification(self.max_space_amplification)
            .max_immutable_memtables(self.max_immutable_memtables)
            .table_bytes(self.table_bytes)
            .level_base_bytes(self.level_base_bytes)
            .level_fanout(self.level_fanout)
            .block_bytes(self.block_bytes)
            .restart_interval(self.restart_interval)
            .filter_bits_per_key(self.filter_bits_per_key)
            .point_index(self.point_index)
            .cache_bytes(self.cache_bytes)
            .l0_compaction_tables(self.l0_compaction_tables)
            .mapped_reads(self.mapped_reads)
            .verify_always(self.verify_always)
            .compression(std::array::from_fn(level))
            .durability(self.durability)
            .ttl(self.ttl_seconds.map(half_past))
            .instrumentation(match self.timing {
                Timing::None => Instrumentation::Counters,
                Timing::Sampled => Instrumentation::Sampled,
                Timing::Full => Instrumentation::Full,
            })
    }
}

/// Large ones are rare: recovery reads their logs to the end, and little happens before a crash that has not happened to small ones.
fn memtable_bytes(dice: &mut Dice) -> usize {
    let large = dice.percent(8);
    dice.pick(if large { &[256 << 10, 1 << 20] } else { &[4 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10] })
}

/// Half a second past so many: histories move the clock by whole seconds.
pub(crate) fn half_past(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds)) + Duration::from_millis(500)
}

/// Options drawn by seed for tests that know of no expiry and choose the durability themselves.
pub fn random_options(dice: &mut Dice) -> Options {
    Swarm { ttl_seconds: None, durability: Durability::Os, ..Swarm::draw(dice) }.options()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_drawn_is_valid() {
        for seed in 0..1000 {
            let mut dice = Dice::new(seed);
            Swarm::draw(&mut dice).options().validate().unwrap();
            Swarm::draw_churn(&mut dice).options().validate().unwrap();
        }
    }
}
