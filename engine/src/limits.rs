//! The largest things a caller may write.

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 64 << 10;
/// The longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 1 << 30;
/// The longest batch, in bytes of keys and values and 64 bytes an entry.
pub const MAX_BATCH_BYTES: usize = 3 << 30;
