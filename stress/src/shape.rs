//! Options of a database, small enough that a few hundred commits flush, compact and collect.

use bettong::{Compression, Durability, LEVELS, Options};
use clap::ValueEnum;

use crate::random::Random;
use crate::workload::THRESHOLD;

/// Where the options come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// Small ones, drawn by the number of the shape.
    Small,
    /// `Options::low_memory`.
    LowMemory,
    /// `Options::default`.
    Default,
}

/// The options that a preset and a number give.
pub(crate) fn options(preset: Preset, number: u64) -> Options {
    match preset {
        Preset::Small => small(&mut Random::of(&[number])),
        Preset::LowMemory => Options::low_memory(),
        Preset::Default => Options::default(),
    }
    .durability(Durability::Os)
}

fn small(random: &mut Random) -> Options {
    let mut one_of = |choices: [u64; 4]| choices.get(random.below(4) as usize).copied().unwrap_or_default();
    let compression = if one_of([0, 0, 1, 1]) == 0 { Compression::None } else { Compression::Lz4 };
    Options::default()
        .memtable_bytes(one_of([8 << 10, 32 << 10, 64 << 10, 128 << 10]) as usize)
        .max_immutable_memtables(one_of([1, 2, 2, 4]) as usize)
        .separation_threshold(one_of([0, THRESHOLD, THRESHOLD, u64::MAX]) as usize)
        .max_space_amplification(one_of([11, 13, 15, 30]) as f64 / 10.0)
        .mapped_reads(one_of([0, 1, 1, 1]) == 1)
        .cache_bytes(one_of([0, 16 << 10, 1 << 20, 8 << 20]) as usize)
        .table_bytes(one_of([8 << 10, 16 << 10, 64 << 10, 64 << 10]))
        .block_bytes(one_of([128, 512, 4 << 10, 4 << 10]) as usize)
        .filter_bits_per_key(one_of([0, 4, 10, 10]) as usize)
        .compression([compression; LEVELS])
        .level_base_bytes(one_of([16 << 10, 64 << 10, 64 << 10, 256 << 10]))
        .level_fanout(one_of([2, 4, 4, 10]))
        .l0_compaction_tables(one_of([1, 2, 4, 4]) as usize)
        .compaction_threads(one_of([1, 1, 2, 3]) as usize)
        .mapped_log(one_of([0, 1, 1, 1]) == 1)
        .point_index(one_of([0, 1, 1, 1]) == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_valid() {
        (0..1000).for_each(|number| options(Preset::Small, number).validate().unwrap());
    }
}
