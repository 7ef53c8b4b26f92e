//! Samples: PCM conversion, resampling, G.711, telling voices from noise.

pub mod filter;
mod fir;
pub mod g711;
mod isa;
#[allow(unsafe_code, reason = "vector instructions, and the calls into code for a detected instruction set")]
pub mod kernels;
mod loops;
pub mod pcm;
pub mod resample;
mod spectrum;
pub mod voice;
