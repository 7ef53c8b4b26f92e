//! Samples: PCM conversion, resampling, G.711.

pub mod filter;
pub mod g711;
pub mod pcm;
pub mod resample;
