//! Atomics and the mutex of the playback protocol: std's, or loom's where the model checker runs it.
//!
//! The engine and the uplink are no part of the model: `lib.rs` leaves them out.

#[cfg(loom)]
pub use loom::{
    hint::spin_loop,
    sync::Mutex,
    sync::atomic::{AtomicBool, AtomicU64},
};
#[cfg(not(loom))]
pub use std::{
    hint::spin_loop,
    sync::Mutex,
    sync::atomic::{AtomicBool, AtomicU64},
};
