//! Atomics and the mutex of the playback protocol: std's, or loom's where the model checker runs it.
//!
//! The only place that says `cfg(loom)`.

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
