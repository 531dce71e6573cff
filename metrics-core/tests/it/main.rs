//! What the crate promises to those who use it, tested from outside.

mod activity;
mod catalogue;
#[expect(clippy::float_cmp, reason = "the values are small integers or exact quotients")]
mod exactness;
#[expect(clippy::float_cmp, reason = "the values are small integers or exact quotients")]
mod lifetimes;
#[expect(clippy::float_cmp, reason = "the values are small integers or exact quotients")]
mod snapshots;
#[expect(clippy::float_cmp, reason = "the values are small integers or exact quotients")]
mod sampling;
