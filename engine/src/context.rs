//! What all sealed files of a database share.

use std::sync::Arc;

use bettong_metrics::Recorder;

use crate::cache::BlockCache;
use crate::env::Dir;
use crate::graveyard::Graveyard;
use crate::options::Options;

/// Where tables and value files lie, how they are read, and where they go.
#[derive(Clone, Debug)]
pub(crate) struct FileContext {
    pub(crate) dir: Dir,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) graveyard: Arc<Graveyard>,
    pub(crate) recorder: Recorder,
    pub(crate) mapped: bool,
    pub(crate) verify_always: bool,
}

impl FileContext {
    pub(crate) fn new(dir: &Dir, options: &Options, recorder: &Recorder) -> FileContext {
        FileContext {
            dir: dir.clone(),
            cache: Arc::new(BlockCache::new(options.cache_bytes, recorder)),
            graveyard: Arc::default(),
            recorder: recorder.clone(),
            mapped: options.mapped_reads,
            verify_always: options.verify_always,
        }
    }
}
