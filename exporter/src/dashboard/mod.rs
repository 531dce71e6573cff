//! The dashboard: a page of a server, and a tree in one file.
//!
//! | module | owns |
//! | --- | --- |
//! | `assets` | the files that a server serves |
//! | `bundle` | modules of scripts as one script |
//! | `tree_view` | a file that holds a tree and what shows it |

mod assets;
mod bundle;
mod tree_view;

pub(crate) use assets::{ASSETS, Asset};
pub use tree_view::TreeView;
