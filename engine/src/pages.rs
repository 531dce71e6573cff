//! Bytes in memory that comes from the system itself, and goes back to it as a whole.
//!
//! An allocator keeps large blocks that were freed, for those who ask next, and small things that live longer come to lie behind them.
//! With large blocks that come and go on several threads, as tables in the making do, a process then holds several times what is in
//! use, and more with time (`docs/design/2026-11-21-speed.md` has the figures).

use std::ops::{Deref, DerefMut};

/// What is taken first when bytes are appended to nothing, and how many times as much when that is not enough. Pages that nobody touched
/// are no memory.
const FIRST_BYTES: usize = 256 << 10;
const GROWTH: usize = 4;

/// A vector of bytes in pages of its own.
#[derive(Debug, Default)]
pub(crate) struct PageVec {
    pages: Pages,
    len: usize,
}

impl PageVec {
    pub(crate) fn with_capacity(bytes: usize) -> PageVec {
        PageVec { pages: Pages::map(bytes, false), len: 0 }
    }

    /// So many zeros, for who writes here and there: they are memory at once. Where a page is read before it is written the system puts one
    /// of zeros there, and has every processor forget that one later.
    pub(crate) fn zeros(len: usize) -> PageVec {
        PageVec { pages: Pages::map(len, true), len }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.pages.bytes().len()
    }

    #[inline]
    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if end > self.capacity() {
            self.grow(end);
        }
        if let Some(room) = self.pages.bytes_mut().get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    #[cold]
    fn grow(&mut self, least: usize) {
        let bytes = least.max(self.capacity() * GROWTH).max(FIRST_BYTES);
        let mut larger = PageVec::with_capacity(bytes);
        larger.extend_from_slice(self);
        *self = larger;
    }

    /// Forgets the bytes and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

impl Deref for PageVec {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.pages.bytes().get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for PageVec {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.pages.bytes_mut().get_mut(..self.len).unwrap_or_default()
    }
}

#[derive(Debug)]
enum Pages {
    Mapped(memmap2::MmapMut),
    /// There are none, or the system has no mapping to give.
    Heap(Box<[u8]>),
}

impl Pages {
    fn map(bytes: usize, at_once: bool) -> Pages {
        let mut map = memmap2::MmapOptions::new();
        map.len(bytes);
        if at_once {
            map.populate();
        }
        map.map_anon().map_or_else(|_| Pages::Heap(vec![0; bytes].into()), Pages::Mapped)
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Pages::Mapped(map) => map,
            Pages::Heap(bytes) => bytes,
        }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Pages::Mapped(map) => map,
            Pages::Heap(bytes) => bytes,
        }
    }
}

impl Default for Pages {
    fn default() -> Pages {
        Pages::Heap(Box::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_a_vector_would() {
        let (mut pages, mut vector) = (PageVec::default(), Vec::new());
        for len in [0, 1, FIRST_BYTES - 2, 1, 1, 3, 5 * FIRST_BYTES, 7] {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + len) as u8).collect();
            pages.extend_from_slice(&bytes);
            vector.extend_from_slice(&bytes);
            assert!(*pages == *vector, "after {len} more bytes");
        }
        pages.clear();
        assert!(pages.is_empty());
        pages.extend_from_slice(b"again");
        assert_eq!(*pages, *b"again");
    }

    #[test]
    fn zeros_are_as_many_as_asked_for() {
        for len in [0, 1, 4096, 100_000] {
            let mut pages = PageVec::zeros(len);
            assert!(*pages == *vec![0; len]);
            pages.fill(7);
            pages.extend_from_slice(&[8]);
            assert_eq!((pages.len(), pages.last()), (len + 1, Some(&8)));
            assert!(pages.iter().take(len).all(|byte| *byte == 7));
        }
    }
}
