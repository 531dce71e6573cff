//! Bytes of a new file on their way to it.

use crate::env::DataFile;
use crate::error::Result;
use crate::pages::PageVec;

/// Gathers what is put, in order, and hands it to the file in pieces of one size, each at a multiple of it.
#[derive(Debug)]
pub(crate) struct PieceWriter {
    file: DataFile,
    /// Those that wait, and where the first of them belongs.
    piece: PageVec,
    offset: u64,
}

impl PieceWriter {
    pub(crate) fn new(file: DataFile, piece_bytes: usize) -> PieceWriter {
        PieceWriter { file, piece: PageVec::with_capacity(piece_bytes), offset: 0 }
    }

    pub(crate) fn file(&self) -> &DataFile {
        &self.file
    }

    /// Where the next byte will lie.
    pub(crate) fn offset(&self) -> u64 {
        self.offset + self.piece.len() as u64
    }

    /// Bytes that wait, from this offset on; none if some of them were handed over.
    pub(crate) fn waiting_mut(&mut self, from: u64) -> &mut [u8] {
        let start = from.checked_sub(self.offset).map(|start| start as usize);
        start.and_then(|start| self.piece.get_mut(start..)).unwrap_or_default()
    }

    /// How many bytes can be put before the piece is full.
    pub(crate) fn room(&self) -> usize {
        self.piece.capacity() - self.piece.len()
    }

    /// After an error some of the bytes may be missing: the file is to be given up.
    pub(crate) fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            let (head, rest) = bytes.split_at(bytes.len().min(self.room()));
            self.piece.extend_from_slice(head);
            if self.room() > 0 {
                return Ok(());
            }
            self.hand_over()?;
            bytes = rest;
        }
    }

    /// Hands over what waits.
    pub(crate) fn hand_over(&mut self) -> Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.file.write_at(self.offset, &self.piece)?;
        // What is written at once by the sync at the end makes everybody else's sync wait.
        self.file.start_write_back(self.offset, self.piece.len() as u64);
        self.offset += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }
}
