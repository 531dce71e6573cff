//! The block cache: decompressed blocks, and all blocks where files are not mapped.
//!
//! Eviction is `quick_cache`'s S3-FIFO relative, which scans do not flush. The weight of a block is its length.

use std::sync::Arc;

use bettong_metrics::{Counter, Gauge, Recorder};
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use crate::env::file::Mapping;
use crate::env::names::FileNumber;
use crate::metric::DATA_BLOCK;

/// A typical block, to size the cache's own tables.
const TYPICAL_BLOCK_BYTES: usize = 4 << 10;

/// Where a cached block comes from. File numbers are never used twice, so an entry is never stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlockKey {
    pub(crate) table: FileNumber,
    pub(crate) offset: u64,
}

/// The cache, shared by all tables of a database.
pub(crate) struct BlockCache {
    blocks: Option<Cache<BlockKey, Arc<Mapping>, ByLength, DefaultHashBuilder, CountEvictions>>,
    recorder: Recorder,
}

impl BlockCache {
    pub(crate) fn new(capacity_bytes: usize, recorder: &Recorder) -> BlockCache {
        recorder.set(Gauge::CacheCapacityBytes, capacity_bytes as f64);
        let blocks = (capacity_bytes > 0).then(|| {
            let items = (capacity_bytes / TYPICAL_BLOCK_BYTES).max(16);
            let evictions = CountEvictions(recorder.clone());
            Cache::with(items, capacity_bytes as u64, ByLength, DefaultHashBuilder::default(), evictions)
        });
        BlockCache { blocks, recorder: recorder.clone() }
    }

    pub(crate) fn get(&self, key: BlockKey) -> Option<Arc<Mapping>> {
        self.blocks.as_ref()?.get(&key)
    }

    pub(crate) fn insert(&self, key: BlockKey, block: Arc<Mapping>) {
        let Some(blocks) = &self.blocks else { return };
        if block.len() as u64 > blocks.capacity() {
            self.recorder.add(Counter::CacheRejections.at(DATA_BLOCK), 1);
            return;
        }
        self.recorder.add(Counter::CacheInserts.at(DATA_BLOCK), 1);
        self.recorder.add(Counter::CacheInsertBytes.at(DATA_BLOCK), block.len() as u64);
        blocks.insert(key, block);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.as_ref().map_or(0, Cache::weight)
    }
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockCache({} bytes)", self.bytes())
    }
}

#[derive(Clone, Debug)]
struct ByLength;

impl Weighter<BlockKey, Arc<Mapping>> for ByLength {
    fn weight(&self, _key: &BlockKey, block: &Arc<Mapping>) -> u64 {
        block.len().max(1) as u64
    }
}

#[derive(Clone, Debug)]
struct CountEvictions(Recorder);

impl Lifecycle<BlockKey, Arc<Mapping>> for CountEvictions {
    type RequestState = ();

    fn on_evict(&self, _state: &mut (), _key: BlockKey, _block: Arc<Mapping>) {
        self.0.add(Counter::CacheEvictions.at(DATA_BLOCK), 1);
    }
}
