//! The bytes of a table on their way to its file.

use std::ops::{Deref, DerefMut};

use crate::env::DataFile;
use crate::error::Result;

/// Gathers what is put, in order, and hands it to the file in pieces of one size, each at a multiple of it.
#[derive(Debug)]
pub(super) struct PieceWriter {
    file: DataFile,
    piece: Piece,
    /// Bytes of the piece that wait, and where the first of them belongs.
    filled: usize,
    offset: u64,
}

impl PieceWriter {
    pub(super) fn new(file: DataFile, piece_bytes: usize) -> PieceWriter {
        PieceWriter { file, piece: Piece::new(piece_bytes), filled: 0, offset: 0 }
    }

    pub(super) fn file(&self) -> &DataFile {
        &self.file
    }

    /// Where the next byte will lie.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.filled as u64
    }

    /// After an error some of the bytes may be missing: the table is to be given up.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let Some(room) = self.piece.get_mut(self.filled..) {
            let (head, rest) = bytes.split_at(bytes.len().min(room.len()));
            if let Some(room) = room.get_mut(..head.len()) {
                room.copy_from_slice(head);
            }
            self.filled += head.len();
            if self.filled < self.piece.len() {
                break;
            }
            self.hand_over()?;
            bytes = rest;
        }
        Ok(())
    }

    /// Hands over what waits.
    pub(super) fn hand_over(&mut self) -> Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        self.file.write_at(self.offset, self.piece.get(..self.filled).unwrap_or_default())?;
        // What is written at once by the sync at the end makes everybody else's sync wait.
        self.file.start_write_back(self.offset, self.filled as u64);
        self.offset += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}

/// The memory of a piece. From the system itself: an allocator would keep it between small things that live longer, and with tables in
/// the making on several threads again and again would hold several times what is in use.
#[derive(Debug)]
enum Piece {
    Mapped(memmap2::MmapMut),
    /// Where the system has no mapping to give.
    Heap(Box<[u8]>),
}

impl Piece {
    fn new(bytes: usize) -> Piece {
        let map = memmap2::MmapOptions::new().len(bytes).map_anon();
        map.map_or_else(|_| Piece::Heap(vec![0; bytes].into()), Piece::Mapped)
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Mapped(map) => map,
            Piece::Heap(bytes) => bytes,
        }
    }
}

impl DerefMut for Piece {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Piece::Mapped(map) => map,
            Piece::Heap(bytes) => bytes,
        }
    }
}
