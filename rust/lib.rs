#![doc = include_str!("lib.md")]
#![deny(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations)]

#[cfg(target_endian = "big")]
compile_error!("voicelane hands s16le buffers over as native i16: big-endian machines are not supported");

pub mod audio;
pub mod capture;
#[cfg(all(unix, not(loom)))]
pub mod engine;
pub mod error;
pub mod playback;
mod sync;
#[cfg(not(loom))]
pub mod uplink;
pub mod wire;

#[cfg(feature = "python")]
mod py;

pub use error::{Error, Result};
