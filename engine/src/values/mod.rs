//! Values apart from their keys. The pointer format is fixed here; the files it points into come with separation.

pub(crate) mod pointer;
