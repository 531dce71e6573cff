//! The programs that are compared, each linked in many ways.
//!
//! The order in which the linker puts functions is worth some percent of a short get, and any change of the source draws it
//! anew. With one layout of each program that luck would be part of the result, however long one measures; with another one
//! in each round it averages out, as that of a process does (Curtsinger and Berger: "Stabilizer", ASPLOS 2013).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// The directory that cargo builds in.
pub(crate) fn target() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).to_owned()
}

/// Both programs with their functions in some order.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The engine without instrumentation.
    pub(crate) out: PathBuf,
    pub(crate) instrumented: PathBuf,
}

impl Programs {
    /// Builds both in the same way, and links them so often; a single time means in the linker's own order.
    pub(crate) fn build(layouts: usize) -> Result<Vec<Programs>> {
        let seed = |layout| (layouts > 1).then_some(layout);
        let build = |layout| {
            Ok(Programs {
                out: link("overhead-off", &["--features", "off"], seed(layout))?,
                instrumented: link("overhead-on", &[], seed(layout))?,
            })
        };
        (1..=layouts).map(build).collect()
    }

    /// The program that cargo has built beside this bench, twice: to see that everything works.
    pub(crate) fn same() -> Vec<Programs> {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_slices"));
        vec![Programs { out: built.clone(), instrumented: built }]
    }
}

/// Links a program with its functions in the order of `seed`. What is compiled stays from one link to the next.
fn link(dir: &str, features: &[&str], seed: Option<usize>) -> Result<PathBuf> {
    let dir = target().join(dir);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let shuffle = seed.map(|seed| format!("link-arg=-Wl,--shuffle-sections=.text*={seed}"));
    let built = Command::new(cargo)
        .args(["rustc", "--quiet", "--release", "-p", "bettong-benches", "--bin", "slices"])
        .args(features)
        .arg("--target-dir")
        .arg(&dir)
        // Without what a debugger wants, a program is an eighth as long.
        .args(["--", "-C", "strip=debuginfo"])
        .args(shuffle.iter().flat_map(|argument| ["-C", argument]))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr);
        let status = built.status;
        let hint = if shuffle.is_some() && said.contains("shuffle-sections") {
            "\n(only lld can shuffle functions: `--layouts 1` leaves them in the order of this linker)"
        } else {
            ""
        };
        return Err(format!("cargo rustc: {status}\n{said}{hint}").into());
    }
    let program = dir.join("release").join("slices").with_extension(env::consts::EXE_EXTENSION);
    let kept = dir.join(format!("slices-{}", seed.unwrap_or(0)));
    fs::copy(program, &kept)?;
    Ok(kept)
}
