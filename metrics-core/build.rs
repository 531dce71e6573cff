//! Tells the catalogue which build this is: `BETTONG_REVISION`, `BETTONG_RUSTC` and `BETTONG_FEATURES`.
//!
//! A variable of the same name in the environment wins. The revision is asked of git in release builds only, where it
//! changes with every commit; a debug build that was built again after each would be a nuisance. Nothing here fails: what
//! cannot be found out is "unknown".

use std::path::PathBuf;
use std::process::Command;

const UNKNOWN: &str = "unknown";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    tell("BETTONG_RUSTC", || output(&rustc, &["--version"]).map(|line| line.replace("rustc ", "")));
    tell("BETTONG_REVISION", || if release { revision() } else { None });
    tell("BETTONG_FEATURES", || Some(features()));
}

fn tell(name: &str, find: impl FnOnce() -> Option<String>) {
    println!("cargo:rerun-if-env-changed={name}");
    let value = std::env::var(name).ok().filter(|value| !value.is_empty()).or_else(find);
    println!("cargo:rustc-env={name}={}", value.as_deref().unwrap_or(UNKNOWN));
}

/// The commit checked out; asked again when the list of commits that were checked out grows.
fn revision() -> Option<String> {
    let log = PathBuf::from(output("git", &["rev-parse", "--absolute-git-dir"])?).join("logs/HEAD");
    if log.exists() {
        println!("cargo:rerun-if-changed={}", log.display());
    }
    output("git", &["rev-parse", "--short=12", "HEAD"])
}

/// The features of this crate that are on, separated by commas.
fn features() -> String {
    let name = |(key, _): (std::ffi::OsString, _)| {
        Some(key.to_str()?.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-"))
    };
    let mut features: Vec<String> = std::env::vars_os().filter_map(name).collect();
    features.sort();
    if features.is_empty() { "none".to_owned() } else { features.join(",") }
}

/// The first line that a program prints, if it runs and succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}
