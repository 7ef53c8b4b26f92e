//! How many bytes were tried, told on stderr at the end: libFuzzer counts runs alone.

use std::ffi::c_int;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static BYTES: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn atexit(callback: extern "C" fn()) -> c_int;
}

extern "C" fn tell() {
    eprintln!("number_of_tried_bytes: {}", BYTES.load(Relaxed));
}

/// Counts an input.
pub fn count(data: &[u8]) {
    static IS_TO_TELL: Once = Once::new();
    // SAFETY: `atexit` is C's own, and `tell` lives as long as the program.
    IS_TO_TELL.call_once(|| assert_eq!(unsafe { atexit(tell) }, 0));
    BYTES.fetch_add(data.len() as u64, Relaxed);
}
