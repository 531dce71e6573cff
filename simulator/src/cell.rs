//! Values that say which write they are of.

/// Shorter values cannot hold a serial number.
const SERIAL_BYTES: usize = 8;
const SHORT_FILL: u8 = 0x5a;

/// A value, by what it takes to make it: the model keeps no bytes.
///
/// A value of 8 bytes and more begins with the serial number of its write, so what is found after a crash tells which write it is of.
/// Shorter ones are alike if they are equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) len: u32,
    serial: u64,
}

impl Cell {
    pub(crate) fn new(len: u32, serial: u64) -> Cell {
        let is_short = (len as usize) < SERIAL_BYTES;
        Cell { len, serial: if is_short { 0 } else { serial } }
    }

    /// Whether values of this length cannot be told apart.
    pub(crate) fn is_short(len: u32) -> bool {
        (len as usize) < SERIAL_BYTES
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![SHORT_FILL; self.len as usize];
        if let Some((head, rest)) = bytes.split_at_mut_checked(SERIAL_BYTES) {
            head.copy_from_slice(&self.serial.to_be_bytes());
            rest.iter_mut().zip(fill(self.serial)).for_each(|(to, byte)| *to = byte);
        }
        bytes
    }

    /// The value that these bytes are, if they are one.
    pub(crate) fn of(bytes: &[u8]) -> Option<Cell> {
        let len = bytes.len() as u32;
        let Some((head, rest)) = bytes.split_first_chunk::<SERIAL_BYTES>() else {
            return bytes.iter().all(|byte| *byte == SHORT_FILL).then_some(Cell { len, serial: 0 });
        };
        let serial = u64::from_be_bytes(*head);
        rest.iter().zip(fill(serial)).all(|(byte, right)| *byte == right).then_some(Cell { len, serial })
    }
}

/// What follows the serial number: of every other write it can be compressed.
fn fill(serial: u64) -> impl Iterator<Item = u8> {
    let (first, step) = (serial as u8, 1 - (serial % 2) as u8);
    std::iter::successors(Some(first), move |byte| Some(byte.wrapping_add(step.wrapping_mul(7))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_which_write_it_is_of_and_that_it_is_whole() {
        for (len, serial) in [(0, 5), (7, 5), (8, 5), (9, 6), (3000, 77)] {
            let cell = Cell::new(len, serial);
            let mut bytes = cell.bytes();
            assert_eq!((bytes.len(), Cell::of(&bytes)), (len as usize, Some(cell)));
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
                assert_ne!(Cell::of(&bytes), Some(cell));
            }
        }
        assert_ne!(Cell::new(8, 1), Cell::new(8, 2));
    }
}
