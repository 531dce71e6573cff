//! What the parts without locks are built from, in one place: the models in `metrics-core/loom` compile the same sources
//! with Loom's types in its stead.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
pub(crate) use std::sync::{Arc, OnceLock};
