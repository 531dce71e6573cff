//! Integration tests of the tool: each runs the real binary.
#![expect(clippy::unwrap_used, reason = "a test that fails may fail anywhere")]

mod tool;
mod access;
mod transfer;
mod codes;
mod demo;
mod bench;
mod gc;
mod health;
mod serve;
mod tree_view;
