//! The ways to change one atomic cell.
//!
//! A cell of a leased shard has one writer: it is changed by a load and a store, which costs half a nanosecond where
//! a locked add costs five (and seventy when two threads share the line). A cell that several threads write is changed
//! by a read-modify-write instruction.
//!
//! Stores release and snapshot loads acquire. That is what lets a reader that loads `exited` first and `entered` last
//! find exited ≤ results ≤ entered; on x86-64 neither costs an instruction.

use crate::sync::{AtomicU64, Ordering};

/// Who may be writing the cell at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// The calling thread alone.
    One,
    /// Any number of threads.
    Many,
}

/// Adds `n` to the cell, wrapping at 2⁶⁴.
#[inline]
pub(crate) fn raise(cell: &AtomicU64, n: u64, writers: Writers) {
    match writers {
        Writers::One => cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Release),
        Writers::Many => {
            cell.fetch_add(n, Ordering::Release);
        }
    }
}

/// Raises the cell to `value` if it is lower.
#[inline]
pub(crate) fn raise_to(cell: &AtomicU64, value: u64, writers: Writers) {
    // The load is enough almost always: a maximum is rarely beaten.
    if value > cell.load(Ordering::Relaxed) {
        match writers {
            Writers::One => cell.store(value, Ordering::Release),
            Writers::Many => {
                cell.fetch_max(value, Ordering::Release);
            }
        }
    }
}

/// Lowers the cell to `value` if it is higher.
#[inline]
pub(crate) fn lower_to(cell: &AtomicU64, value: u64, writers: Writers) {
    if value < cell.load(Ordering::Relaxed) {
        match writers {
            Writers::One => cell.store(value, Ordering::Release),
            Writers::Many => {
                cell.fetch_min(value, Ordering::Release);
            }
        }
    }
}

/// Sets the bits of `mask` in the cell.
#[inline]
pub(crate) fn set_bits(cell: &AtomicU64, mask: u64, writers: Writers) {
    let bits = cell.load(Ordering::Relaxed);
    if bits & mask != mask {
        match writers {
            Writers::One => cell.store(bits | mask, Ordering::Release),
            Writers::Many => {
                cell.fetch_or(mask, Ordering::Release);
            }
        }
    }
}

/// What the cell holds; everything its writer stored before is visible to loads made after this one.
#[inline]
pub(crate) fn read(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_and_many_writers_compute_the_same() {
        for writers in [Writers::One, Writers::Many] {
            let cell = AtomicU64::new(5);
            raise(&cell, 4, writers);
            assert_eq!(read(&cell), 9);
            raise_to(&cell, 7, writers);
            assert_eq!(read(&cell), 9);
            raise_to(&cell, 12, writers);
            assert_eq!(read(&cell), 12);
            lower_to(&cell, 20, writers);
            assert_eq!(read(&cell), 12);
            lower_to(&cell, 3, writers);
            assert_eq!(read(&cell), 3);
            set_bits(&cell, 0b110, writers);
            set_bits(&cell, 0b010, writers);
            assert_eq!(read(&cell), 0b111);
        }
    }

    #[test]
    fn a_sum_past_the_top_wraps_instead_of_panicking() {
        for writers in [Writers::One, Writers::Many] {
            let cell = AtomicU64::new(u64::MAX);
            raise(&cell, 2, writers);
            assert_eq!(read(&cell), 1);
        }
    }
}
