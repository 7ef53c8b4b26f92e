//! Samples: PCM conversion, resampling, G.711.

pub mod filter;
mod fir;
pub mod g711;
#[allow(unsafe_code, reason = "calls into code compiled for a detected instruction set")]
pub mod kernels;
pub mod pcm;
pub mod resample;
