//! Between interleaved signed 16-bit PCM and mono `f32`, which stays in units of the 16-bit scale (-32768 to 32767).

use super::kernels::Isa;
use crate::{Error, Result};

/// The largest number of interleaved channels.
pub const MAX_CHANNELS: usize = 8;

/// Checks a channel count.
///
/// # Errors
/// `num_channels` outside 1 to 8.
pub fn check_channels(num_channels: usize) -> Result<()> {
    if (1..=MAX_CHANNELS).contains(&num_channels) {
        return Ok(());
    }
    Err(Error::argument("num_channels", format!("1 to {MAX_CHANNELS}"), num_channels))
}

/// The number of frames in interleaved samples.
///
/// # Errors
/// A half frame at the end.
pub fn whole_frames(pcm: &[i16], num_channels: usize) -> Result<usize> {
    if pcm.len().is_multiple_of(num_channels) {
        return Ok(pcm.len() / num_channels);
    }
    Err(Error::PartialFrame { frame_bytes: 2 * num_channels, actual_bytes: size_of_val(pcm) })
}

/// Appends `samples` as 16-bit PCM, rounded to nearest (ties to even) and saturated.
///
/// Returns how many samples were saturated.
pub fn quantise(isa: Isa, samples: &[f32], pcm: &mut Vec<i16>) -> u64 {
    let start = pcm.len();
    pcm.resize(start + samples.len(), 0);
    isa.quantise(samples, &mut pcm[start..]).into()
}
