//! Time stamps cheap enough for every operation.
//!
//! On x86-64 with an invariant time-stamp counter (it ticks at one rate in every power state, and on every core) a
//! stamp is one `rdtsc`, 15 ns on a virtual machine where `Instant::now` costs 25 ns. The rate is measured once per
//! process against `Instant`: read both clocks, wait `CALIBRATION`, read both again; each reading is the tightest of
//! several, so that a preemption between the two reads does not spoil it. Everywhere else a stamp is the monotonic
//! clock's nanoseconds since the first use.
//!
//! The stamps of two cores may differ by a few nanoseconds, so a difference can come out negative: it counts as zero.
//!
//! A counter that turns out not to run evenly (a virtual machine moved to another host) is given up at run time, by
//! `drift`: stamps are the monotonic clock's from then on, and `db_clock_info` says so. Stamps of
//! the two kinds differ in their highest bit, and nothing is made of a difference between one of each.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

#[cfg(target_arch = "x86_64")]
use std::time::Duration;

/// How long the calibration waits between its two readings. The readings are good to some 30 ns, so the rate is
/// good to about 10 parts per million.
#[cfg(target_arch = "x86_64")]
const CALIBRATION: Duration = Duration::from_millis(4);

/// Rates outside this range (Hz) are not believed: the clock then falls back to the monotonic one.
#[cfg(target_arch = "x86_64")]
const BELIEVABLE_HZ: std::ops::RangeInclusive<u64> = 100_000_000..=20_000_000_000;

/// Nanoseconds per tick are kept as a 32.32 fixed-point number.
const FRACTION_BITS: u32 = 32;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The flag of the process's clock.
static DISTRUSTED: AtomicBool = AtomicBool::new(false);

/// Marks the stamps of the monotonic clock. Neither clock counts so far in a century.
const MONOTONIC: u64 = 1 << 63;

/// A moment, in ticks of the [`Clock`] that took it. Meaningful only to a clock of the same process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(u64);

impl Ticks {
    /// Stands for no stamp: no clock ever reads so.
    pub(crate) const NONE: Self = Self(0);

    /// The bits of the stamp, for a place in an atomic cell.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The stamp with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// Where time stamps come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// The invariant time-stamp counter of an x86-64 processor.
    Tsc,
    /// The operating system's monotonic clock.
    Monotonic,
}

impl ClockSource {
    /// The name used as a label value: `tsc` or `monotonic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tsc => "tsc",
            Self::Monotonic => "monotonic",
        }
    }
}

/// The process-wide clock: a small `Copy` value that takes stamps and turns their differences into nanoseconds.
#[derive(Clone, Copy)]
pub struct Clock {
    source: ClockSource,
    frequency_hz: u64,
    nanos_per_tick: u64,
    anchor: Instant,
    /// Set when the time-stamp counter was caught running unevenly.
    distrusted: &'static AtomicBool,
}

impl Clock {
    /// The clock of this process; the first call calibrates it, which takes about 4 ms with a usable time-stamp
    /// counter and no time without.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Clock> = OnceLock::new();
        *GLOBAL.get_or_init(|| Self::tsc().unwrap_or_else(Self::monotonic))
    }

    /// Takes a stamp.
    #[inline]
    pub fn now(self) -> Ticks {
        match self.source() {
            #[cfg(target_arch = "x86_64")]
            ClockSource::Tsc => Ticks(time_stamp_counter()),
            #[cfg(not(target_arch = "x86_64"))]
            ClockSource::Tsc => Ticks::NONE,
            ClockSource::Monotonic => Ticks(saturating_nanos(self.anchor) | MONOTONIC),
        }
    }

    /// Nanoseconds from `earlier` to `later`; 0 if `later` is the smaller stamp or the clock changed its source in between,
    /// `u64::MAX` at most.
    #[inline]
    pub fn nanos_between(self, earlier: Ticks, later: Ticks) -> u64 {
        let ticks = later.0.saturating_sub(earlier.0);
        match (earlier.0 & MONOTONIC, later.0 & MONOTONIC) {
            (0, 0) => {
                let nanos = (u128::from(ticks) * u128::from(self.nanos_per_tick)) >> FRACTION_BITS;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
            (MONOTONIC, MONOTONIC) => ticks,
            _ => 0,
        }
    }

    /// Where this clock's stamps come from now.
    #[inline]
    pub fn source(self) -> ClockSource {
        // Relaxed: the flag guards nothing but itself, and stamps say by which clock they were taken.
        if self.distrusted.load(Ordering::Relaxed) { ClockSource::Monotonic } else { self.source }
    }

    /// Ticks per second: measured for the time-stamp counter, 10⁹ for the monotonic clock.
    pub fn frequency_hz(self) -> u64 {
        match self.source() {
            ClockSource::Tsc => self.frequency_hz,
            ClockSource::Monotonic => NANOS_PER_SECOND,
        }
    }

    /// Gives the time-stamp counter up, for this process and for ever.
    pub(crate) fn distrust(self) {
        self.distrusted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn monotonic() -> Self {
        Self {
            source: ClockSource::Monotonic,
            frequency_hz: NANOS_PER_SECOND,
            nanos_per_tick: 1 << FRACTION_BITS,
            anchor: Instant::now(),
            distrusted: &DISTRUSTED,
        }
    }

    /// The same clock with a flag of its own, for a test that gives it up.
    #[cfg(test)]
    pub(crate) fn with_own_flag(self) -> Self {
        Self { distrusted: Box::leak(Box::default()), ..self }
    }

    /// The same clock, believed to tick `percent` as fast as it does: a counter whose rate changed.
    #[cfg(test)]
    pub(crate) fn at_rate(self, percent: u64) -> Self {
        Self { nanos_per_tick: self.nanos_per_tick / 100 * percent, ..self }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn tsc() -> Option<Self> {
        None
    }

    /// The calibrated time-stamp counter, if the processor has an invariant one and its rate is believable.
    #[cfg(target_arch = "x86_64")]
    fn tsc() -> Option<Self> {
        if !has_invariant_tsc() {
            return None;
        }
        let anchor = Instant::now();
        let (start_ticks, start_nanos) = paired_reading(anchor);
        std::thread::sleep(CALIBRATION);
        let (end_ticks, end_nanos) = paired_reading(anchor);
        let ticks = u128::from(end_ticks.checked_sub(start_ticks)?);
        let nanos = u128::from(end_nanos.checked_sub(start_nanos)?);
        let frequency_hz = u64::try_from((ticks * u128::from(NANOS_PER_SECOND)).checked_div(nanos)?).ok()?;
        let nanos_per_tick = u64::try_from((nanos << FRACTION_BITS).checked_div(ticks)?).ok()?;
        BELIEVABLE_HZ.contains(&frequency_hz).then_some(Self {
            source: ClockSource::Tsc,
            frequency_hz,
            nanos_per_tick,
            anchor,
            distrusted: &DISTRUSTED,
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("source", &self.source)
            .field("frequency_hz", &self.frequency_hz)
            .finish_non_exhaustive()
    }
}

/// Nanoseconds since `anchor`; a process does not live the 584 years after which this saturates.
fn saturating_nanos(anchor: Instant) -> u64 {
    u64::try_from(anchor.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn time_stamp_counter() -> u64 {
    // SAFETY: rdtsc is part of the x86-64 baseline, reads a register and touches no memory.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Whether `cpuid` promises a counter that ticks at one rate in every power state (leaf `0x8000_0007`, EDX bit 8).
#[cfg(target_arch = "x86_64")]
fn has_invariant_tsc() -> bool {
    const HIGHEST_EXTENDED_LEAF: u32 = 0x8000_0000;
    const POWER_MANAGEMENT_LEAF: u32 = 0x8000_0007;
    const INVARIANT_TSC: u32 = 1 << 8;
    let (highest, _) = cpuid(HIGHEST_EXTENDED_LEAF);
    highest >= POWER_MANAGEMENT_LEAF && cpuid(POWER_MANAGEMENT_LEAF).1 & INVARIANT_TSC != 0
}

/// The registers EAX and EDX that `cpuid` answers for `leaf`. By hand, because the intrinsic is unsafe in older
/// compilers of the supported range and safe in newer ones.
#[cfg(target_arch = "x86_64")]
fn cpuid(leaf: u32) -> (u32, u32) {
    let (eax, edx);
    // SAFETY: every x86-64 processor has the instruction. It overwrites RBX, which the compiler reserves: the value is
    // kept in another register meanwhile. It touches neither memory nor flags.
    unsafe {
        std::arch::asm!(
            "mov {kept}, rbx",
            "cpuid",
            "mov rbx, {kept}",
            kept = out(reg) _,
            inout("eax") leaf => eax,
            inout("ecx") 0 => _,
            out("edx") edx,
            options(nomem, nostack, preserves_flags),
        );
    }
    (eax, edx)
}

/// Reads both clocks as close together as possible: the counter, and nanoseconds since `anchor`.
#[cfg(target_arch = "x86_64")]
fn paired_reading(anchor: Instant) -> (u64, u64) {
    const ATTEMPTS: usize = 16;
    let mut best = (0, 0);
    let mut narrowest = u64::MAX;
    for _ in 0..ATTEMPTS {
        let before = time_stamp_counter();
        let nanos = saturating_nanos(anchor);
        let width = time_stamp_counter().saturating_sub(before);
        if width < narrowest {
            narrowest = width;
            best = (before + width / 2, nanos);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_taken_later_is_never_earlier_on_one_thread() {
        let clock = Clock::global();
        let mut last = clock.now();
        for _ in 0..100_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_negative_difference_counts_as_zero() {
        let clock = Clock::global();
        assert_eq!(clock.nanos_between(Ticks(u64::MAX), Ticks(0)), 0);
        assert_eq!(clock.nanos_between(Ticks(7), Ticks(7)), 0);
    }

    #[test]
    fn the_longest_difference_does_not_overflow() {
        let slow = Clock { nanos_per_tick: 10 << FRACTION_BITS, ..Clock::monotonic() };
        assert_eq!(slow.nanos_between(Ticks(0), Ticks(MONOTONIC - 1)), u64::MAX);
    }

    #[test]
    fn differences_agree_with_the_monotonic_clock_within_one_percent() {
        let clock = Clock::global();
        // One undisturbed attempt is enough: on a busy machine the thread may lose its core between two readings.
        let agrees = |_| {
            let (instant, start) = (Instant::now(), clock.now());
            std::thread::sleep(std::time::Duration::from_millis(30));
            let (measured, real) = (clock.nanos_between(start, clock.now()), saturating_nanos(instant));
            measured.abs_diff(real) < real / 100
        };
        assert!((0..20).any(agrees), "{clock:?}");
    }

    #[test]
    fn a_counter_given_up_gives_way_to_the_monotonic_clock_and_stamps_are_not_mixed() {
        let clock = Clock::global().with_own_flag();
        let before = clock.now();
        clock.distrust();
        assert_eq!((clock.source(), clock.frequency_hz()), (ClockSource::Monotonic, NANOS_PER_SECOND));
        let after = clock.now();
        if before.0 & MONOTONIC == 0 {
            assert_eq!(clock.nanos_between(before, after), 0);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(clock.nanos_between(after, clock.now()) >= 2_000_000);
        assert!(!DISTRUSTED.load(Ordering::Relaxed));
    }

    #[test]
    fn the_monotonic_fallback_counts_nanoseconds() {
        let clock = Clock::monotonic();
        assert_eq!(clock.frequency_hz(), NANOS_PER_SECOND);
        assert_eq!(clock.nanos_between(Ticks(5), Ticks(1_005)), 1_000);
        assert_eq!(clock.source().as_str(), "monotonic");
    }
}
