//! What the two text formats of Prometheus share: 0.0.4 and OpenMetrics differ in headers, escapes and a few numbers.

mod dialect;
mod number;
mod escape;
mod frame;
mod lines;
mod renderer;

pub(crate) use dialect::{Dialect, Style};
#[cfg(feature = "prometheus-client")]
pub(super) use escape::Escaped;
#[cfg(feature = "prometheus-client")]
pub(super) use lines::is_claimed;
#[cfg(any(feature = "protobuf", feature = "prometheus-client"))]
pub(super) use lines::stem_and_unit;
pub use renderer::Renderer;
pub(super) use renderer::{draft, draft_own};
