//! Interleaved 16-bit PCM: its channels and frames checked, the mean of a frame, and the way back from mono `f32`, which
//! is in units of the 16-bit scale (-32768 to 32767).

use super::kernels::Isa;
use crate::{Error, Result};

/// The largest number of interleaved channels.
pub const MAX_CHANNELS: usize = 8;

/// Checks the channel count that is given as `name`.
///
/// # Errors
/// A count outside 1 to 8.
pub fn check_channels(name: &'static str, num_channels: usize) -> Result<()> {
    if (1..=MAX_CHANNELS).contains(&num_channels) {
        return Ok(());
    }
    Err(Error::argument(name, format!("1 to {MAX_CHANNELS}"), num_channels))
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

/// The mean of the channels of one frame, rounded as [`quantise`] rounds.
pub fn mean(frame: &[i16]) -> i16 {
    let sum: i32 = frame.iter().map(|&sample| i32::from(sample)).sum();
    (sum as f32 / frame.len() as f32).round_ties_even() as i16
}

/// Appends `samples` as 16-bit PCM, rounded to nearest (ties to even) and saturated.
///
/// Returns how many samples were saturated.
pub fn quantise(isa: Isa, samples: &[f32], pcm: &mut Vec<i16>) -> u64 {
    let start = pcm.len();
    pcm.resize(start + samples.len(), 0);
    isa.quantise(samples, &mut pcm[start..]).into()
}
