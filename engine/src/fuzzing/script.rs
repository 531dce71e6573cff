//! What a fuzzer's bytes ask for: numbers, choices and damage. Past their end everything is 0, so that every input is one.

use crate::checksum;

/// A cursor over an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub(super) fn new(input: &'a [u8]) -> Script<'a> {
        Script { rest: input }
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub(super) fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    pub(super) fn wide(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Up to `len` bytes: as many as there are.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        head
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Damages `file` in one place, and says from which byte on it may be another.
    pub(super) fn damage(&mut self, file: &mut Vec<u8>) -> usize {
        let (kind, at) = (self.byte(), self.number());
        // Places are counted from both ends: what matters most lies there.
        let len = file.len();
        let at = if kind & 0x80 == 0 { at % (len + 1) } else { len - at % (len + 1) };
        match kind & 7 {
            0..=4 => {
                // XOR, so that a fuzzer that sees which checksum was expected cannot just write it there.
                let mask = self.bytes(usize::from(kind >> 3 & 7) + 1);
                file.iter_mut().skip(at).zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            }
            5 => file.truncate(at),
            6 => {
                file.extend_from_slice(self.bytes(at % 64));
                return len;
            }
            _ => {
                let (from, count) = (self.number() % (len + 1), usize::from(self.byte()));
                let copy: Vec<u8> = file.iter().skip(from).take(count).copied().collect();
                file.iter_mut().skip(at).zip(copy).for_each(|(to, from)| *to = from);
            }
        }
        at
    }
}

/// Numbers that look random, from a seed: what is written where an input only picks one of several files.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u8) -> Dice {
        Dice(u64::from(seed) << 32)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 += 1;
        checksum::mix(self.0) % n
    }
}
