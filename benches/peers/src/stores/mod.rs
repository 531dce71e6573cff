//! The engines behind [`Store`](crate::store::Store), each with the settings of all translated into its own.

pub(crate) mod bettong;
pub(crate) mod rocksdb;
pub(crate) mod fjall;
pub(crate) mod redb;
pub(crate) mod lmdb;
pub(crate) mod plain;
