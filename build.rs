//! Tells the crate what only its build knows: for which target, and by which compiler.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::env;
use std::process::Command;

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let answer = Command::new(variable("RUSTC")).arg("--version").output().expect("rustc runs");
    println!("cargo::rustc-env=VOICELANE_RUSTC={}", String::from_utf8_lossy(&answer.stdout).trim());
    println!("cargo::rustc-env=VOICELANE_TARGET={}", variable("TARGET"));
    println!("cargo::rerun-if-changed=build.rs");
}
