//! Goes hot paths in slices, driven by the bench `overhead` over pipes: see `bettong_benches::slices`.

use std::error::Error;
use std::io::{stdin, stdout};

fn main() -> Result<(), Box<dyn Error>> {
    bettong_benches::slices::serve(stdin().lock(), stdout().lock())
}
