//! Writes a table, front to back, in one pass.

use bettong_metrics::Counter;

use super::block_builder::BlockBuilder;
use super::filter;
use super::format::{self, BlockHandle, Footer};
use super::hashes::Hashes;
use super::index::IndexBuilder;
use super::point_index::PointIndexBuilder;
use super::properties::Properties;
use super::thrift::Thrift;
use crate::env::Dir;
use crate::env::names::{FileName, FileNumber};
use crate::error::{Error, Result};
use crate::expiry::Expiring;
use crate::header::{Birth, FORMAT_VERSION, FileHeader, FileKind, HEADER_BYTES};
use crate::key::{self, InternalKey, Kind, Trailer};
use crate::metric::COMPRESS;
use crate::options::{Compression, Options};
use crate::pieces::PieceWriter;
use crate::values::stored::{Place, Stored};
use crate::values::usage::UsageByFile;

/// A table is handed to the operating system in about so many pieces,
const PIECES: u64 = 16;
/// each a power of two of bytes at a multiple of it in the file, no less than this,
const PIECE_BYTES_MIN: u64 = 16 << 10;
/// and no more than a huge page. Linux keeps what comes so in one page of its cache, where its pages are of 4 KiB and the file system
/// has large folios (ext4 since Linux 6.16, XFS), and maps it by one entry: who reads here and there in a table then does not wait for
/// page tables besides, and a merge has one fault in place of thirty-two.
const PIECE_BYTES_MAX: u64 = 2 << 20;
/// Filter and point index begin at a multiple of this, so that each of their lines is one cache line of a mapped table.
const LINE_ALIGN: u64 = 64;

/// How a table is to be built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableShape {
    pub(crate) block_bytes: usize,
    pub(crate) restart_interval: usize,
    pub(crate) filter_bits_per_key: usize,
    pub(crate) point_index: bool,
    pub(crate) compression: Compression,
    pub(crate) keyspace: u32,
    /// Bytes that are handed to the operating system together.
    pub(crate) piece_bytes: usize,
}

impl TableShape {
    /// The shape that the options ask for on `level`.
    pub(crate) fn of_level(options: &Options, level: usize, keyspace: u32) -> TableShape {
        TableShape {
            block_bytes: options.block_bytes,
            restart_interval: options.restart_interval,
            filter_bits_per_key: options.filter_bits_per_key,
            point_index: options.point_index,
            compression: options.compression.get(level).copied().unwrap_or(Compression::None),
            keyspace,
            piece_bytes: piece_bytes(options.table_bytes),
        }
    }
}

fn piece_bytes(table_bytes: u64) -> usize {
    (table_bytes / PIECES).next_power_of_two().clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX) as usize
}

/// A finished table.
#[derive(Clone, Debug)]
pub(crate) struct BuiltTable {
    pub(crate) number: FileNumber,
    pub(crate) id: u64,
    pub(crate) bytes: u64,
    pub(crate) properties: Properties,
    /// What its entries point to.
    pub(crate) usage: UsageByFile,
    pub(crate) expiring: Expiring,
}

/// A table in the making.
#[derive(Debug)]
pub(crate) struct TableBuilder {
    bytes: PieceWriter,
    number: FileNumber,
    id: u64,
    shape: TableShape,
    block: BlockBuilder,
    index: IndexBuilder,
    points: Option<PointIndexBuilder>,
    /// Of the user keys, for filter and point index.
    hashes: Hashes,
    last_user: Vec<u8>,
    last_trailer: Trailer,
    properties: Properties,
    usage: UsageByFile,
    expiring: Expiring,
    thrift: Thrift,
    /// Block bytes before and after compression.
    plain_bytes: u64,
    packed_bytes: u64,
}

impl TableBuilder {
    pub(crate) fn create(
        dir: &Dir,
        number: FileNumber,
        shape: TableShape,
        birth: Birth,
    ) -> Result<TableBuilder> {
        let mut bytes = PieceWriter::new(dir.create(FileName::Table(number))?, shape.piece_bytes);
        let id = dir.unique_id();
        let header = FileHeader { kind: FileKind::Table, number, id, recycled: false, birth };
        bytes.put(&header.encode())?;
        Ok(TableBuilder {
            bytes,
            number,
            id,
            shape,
            block: BlockBuilder::new(shape.restart_interval),
            index: IndexBuilder::default(),
            points: shape.point_index.then(|| PointIndexBuilder::new(shape.block_bytes)),
            hashes: Hashes::default(),
            last_user: Vec::new(),
            last_trailer: Trailer(0),
            properties: Properties {
                keyspace: shape.keyspace,
                oldest_seq: key::SeqNo::MAX,
                ..Properties::default()
            },
            usage: UsageByFile::default(),
            expiring: Expiring::default(),
            thrift: Thrift::default(),
            plain_bytes: 0,
            packed_bytes: 0,
        })
    }

    /// Adds an entry; keys come in strictly ascending order.
    pub(crate) fn add(&mut self, key: InternalKey<'_>, value: &[u8]) -> Result<()> {
        let first = self.properties.entries == 0;
        let order = key::compare(&self.last_user, key.user);
        let new_user = first || order.is_lt();
        if !new_user && (order.is_gt() || self.last_trailer <= key.trailer) {
            // Sources are sorted, so one of them is not what it was: F30, never merged silently.
            let what = "keys arrive out of order: a source is damaged";
            return Err(Error::corruption(self.bytes.file().path(), self.bytes.offset(), what));
        }
        if first {
            self.properties.smallest = key.user.to_vec();
        }
        self.count(key, value);
        let restart = self.block.add(&self.last_user, key, value);
        self.last_trailer = key.trailer;
        if new_user {
            self.add_user(key.user, restart);
        }
        if self.block.len() >= self.shape.block_bytes { self.end_block() } else { Ok(()) }
    }

    /// Adds a user key whose newest entry lies at or behind a restart of the open block.
    #[inline]
    fn add_user(&mut self, user: &[u8], restart: usize) {
        self.last_user.clear();
        self.last_user.extend_from_slice(user);
        if self.shape.filter_bits_per_key > 0 || self.points.is_some() {
            self.hashes.push(key::hash(user));
        }
        if let Some(points) = &mut self.points {
            points.add(restart);
        }
    }

    #[inline]
    fn count(&mut self, key: InternalKey<'_>, value: &[u8]) {
        let properties = &mut self.properties;
        properties.entries += 1;
        properties.tombstones += u64::from(key.trailer.kind() == Some(Kind::Tombstone));
        properties.key_bytes += key.user.len() as u64;
        properties.value_bytes += value.len() as u64;
        properties.oldest_seq = properties.oldest_seq.min(key.trailer.seq());
        properties.newest_seq = properties.newest_seq.max(key.trailer.seq());
        if key.trailer.kind() != Some(Kind::Value) {
            self.count_rare(key.trailer.kind(), value);
        }
    }

    fn count_rare(&mut self, kind: Option<Kind>, value: &[u8]) {
        let Some(stored) = kind.and_then(|kind| Stored::parse(kind, value)) else { return };
        if let Place::Apart(pointer) = stored.place {
            self.usage.count(pointer);
        }
        if kind.is_some_and(Kind::expires) {
            self.expiring.count(stored.expires_at);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.properties.entries == 0
    }

    /// The user key added last.
    pub(crate) fn last_user_key(&self) -> &[u8] {
        &self.last_user
    }

    /// The bytes of the file so far, without filter and index.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.offset() + self.block.len() as u64
    }

    /// Completes the table. It is durable when this returns; its name is once the directory is synced.
    pub(crate) fn finish(mut self) -> Result<BuiltTable> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        self.properties.largest = std::mem::take(&mut self.last_user);
        let blocks_end = self.bytes.offset();
        let filter_bytes = filter::build(&self.hashes, self.shape.filter_bits_per_key);
        let filter = self.put_lines(&filter_bytes)?;
        let points = self.points.take().map(|points| points.finish(&self.hashes, blocks_end));
        let point_index = self.put_lines(&points.unwrap_or_default())?;
        let index_bytes = std::mem::take(&mut self.index).finish();
        let index = self.put_section(&index_bytes)?;
        let properties_bytes = self.properties.encode();
        let properties = self.put_section(&properties_bytes)?;
        let footer = Footer { properties, index, filter, point_index };
        self.bytes.put(&footer.encode(self.id, FORMAT_VERSION, self.bytes.offset()))?;
        self.bytes.hand_over()?;
        self.bytes.file().sync()?;
        self.count_compression();
        Ok(BuiltTable {
            number: self.number,
            id: self.id,
            bytes: self.bytes.offset(),
            properties: self.properties,
            usage: self.usage,
            expiring: self.expiring,
        })
    }

    fn count_compression(&self) {
        let algorithm = match self.shape.compression {
            Compression::None => 0,
            Compression::Lz4 => 1,
        };
        let recorder = self.bytes.file().recorder();
        recorder.add(Counter::CompressionInputBytes.at(algorithm), self.plain_bytes);
        recorder.add(Counter::CompressionOutputBytes.at(algorithm), self.packed_bytes);
    }

    fn end_block(&mut self) -> Result<()> {
        let offset = self.bytes.offset();
        let plain = self.block.finish();
        self.plain_bytes += plain.len() as u64;
        let packed = match self.shape.compression {
            Compression::Lz4 if self.thrift.tries_next() => {
                let recorder = self.bytes.file().recorder();
                let began = recorder.now();
                let packed = format::compress(plain);
                recorder.add(Counter::CompressionNanos.at(COMPRESS), recorder.nanos_since(began));
                self.thrift.tried(packed.is_some());
                packed
            }
            Compression::Lz4 | Compression::None => None,
        };
        let (bytes, compression) = match &packed {
            Some(packed) => (packed.as_slice(), format::LZ4),
            None => (plain, format::STORED),
        };
        let handle = BlockHandle { offset, len: bytes.len() as u32 };
        self.packed_bytes += bytes.len() as u64;
        self.bytes.put(bytes)?;
        self.bytes.put(&format::block_trailer(bytes, compression, self.id, offset))?;
        self.index.add(InternalKey::new(&self.last_user, self.last_trailer), handle);
        if let Some(points) = &mut self.points {
            points.end_block(offset, compression != format::STORED);
        }
        self.block.clear();
        self.properties.data_blocks += 1;
        Ok(())
    }

    /// Puts a section of lines; without bytes there is none.
    fn put_lines(&mut self, bytes: &[u8]) -> Result<BlockHandle> {
        if bytes.is_empty() {
            return Ok(BlockHandle::default());
        }
        let offset = self.bytes.offset();
        let padding = offset.next_multiple_of(LINE_ALIGN) - offset;
        self.bytes.put([0; LINE_ALIGN as usize].get(..padding as usize).unwrap_or_default())?;
        self.put_section(bytes)
    }

    fn put_section(&mut self, bytes: &[u8]) -> Result<BlockHandle> {
        let handle = BlockHandle { offset: self.bytes.offset(), len: bytes.len() as u32 };
        self.bytes.put(bytes)?;
        self.bytes.put(&format::block_trailer(bytes, format::STORED, self.id, handle.offset))?;
        Ok(handle)
    }
}

const _: () = assert!(HEADER_BYTES.is_multiple_of(LINE_ALIGN));
