//! A bucket for each of 0 and 1, and one for what is larger. Each is an octave of its own.

pub(super) const HIGHEST_VALUE: u64 = 2;
pub(super) const BUCKETS_PER_OCTAVE: usize = 1;
pub(super) const BUCKETS: usize = 3;

pub(crate) fn index_of(value: u64) -> usize {
    value.min(HIGHEST_VALUE) as usize
}

pub(super) fn lowest_of(index: usize) -> u64 {
    index as u64
}

pub(super) fn highest_of(index: usize) -> u64 {
    index as u64
}
