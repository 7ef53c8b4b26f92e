//! Tells the crate what only its build knows: for which target and profile, and by which compiler.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let answer = Command::new(variable("RUSTC")).arg("--version").output().expect("rustc runs");
    println!("cargo::rustc-env=VOICELANE_RUSTC={}", String::from_utf8_lossy(&answer.stdout).trim());
    println!("cargo::rustc-env=VOICELANE_TARGET={}", variable("TARGET"));
    // cargo tells profiles of one's own by this path alone: target/PROFILE/build/voicelane-HASH/out.
    let out = variable("OUT_DIR");
    let profile = Path::new(&out).ancestors().nth(3).and_then(Path::file_name).expect("as cargo lays it out");
    println!("cargo::rustc-env=VOICELANE_PROFILE={}", profile.display());
    println!("cargo::rerun-if-changed=build.rs");
}
