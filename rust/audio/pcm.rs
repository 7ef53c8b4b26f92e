//! Between interleaved signed 16-bit PCM and mono `f32`, which stays in units of the 16-bit scale (-32768 to 32767).

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

/// Writes the mean of the channels of each frame to `mono`.
///
/// The sum is exact; the division rounds once, in `f32`.
///
/// # Panics
/// If `pcm` is not `mono.len()` frames of 1 to 8 channels.
pub fn downmix(pcm: &[i16], num_channels: usize, mono: &mut [f32]) {
    assert_eq!(pcm.len(), mono.len() * num_channels, "one frame for each mono sample");
    match num_channels {
        1 => mean_of::<1>(pcm, mono),
        2 => mean_of::<2>(pcm, mono),
        3 => mean_of::<3>(pcm, mono),
        4 => mean_of::<4>(pcm, mono),
        5 => mean_of::<5>(pcm, mono),
        6 => mean_of::<6>(pcm, mono),
        7 => mean_of::<7>(pcm, mono),
        8 => mean_of::<8>(pcm, mono),
        _ => unreachable!("checked when the channel count was given"),
    }
}

/// A constant channel count lets the compiler unroll the sum and turn a division by 2, 4 or 8 into a product.
fn mean_of<const CHANNELS: usize>(pcm: &[i16], mono: &mut [f32]) {
    let (frames, _) = pcm.as_chunks::<CHANNELS>();
    for (mean, frame) in mono.iter_mut().zip(frames) {
        let sum: i32 = frame.iter().map(|&sample| i32::from(sample)).sum();
        *mean = sum as f32 / CHANNELS as f32;
    }
}

/// The mean of the channels of one frame, rounded as `quantise` rounds.
pub fn mean(frame: &[i16]) -> i16 {
    let sum: i32 = frame.iter().map(|&sample| i32::from(sample)).sum();
    round_ties_even(sum as f32 / frame.len() as f32) as i16
}

/// Appends `samples` as 16-bit PCM, rounded to nearest (ties to even) and saturated.
///
/// Returns how many samples were saturated. Expects `|sample| < 2^22`, which any filter of ours keeps by far.
pub fn quantise(samples: &[f32], pcm: &mut Vec<i16>) -> u64 {
    let mut clipped = 0u32;
    pcm.extend(samples.iter().map(|&sample| {
        let rounded = round_ties_even(sample);
        let saturated = rounded.clamp(f32::from(i16::MIN), f32::from(i16::MAX));
        clipped += u32::from(rounded != saturated);
        saturated as i16
    }));
    u64::from(clipped)
}

/// Adding 1.5 * 2^23 leaves no fraction bits, so the addition itself rounds; unlike `f32::round_ties_even`
/// it needs no instruction that old x86-64 lacks.
fn round_ties_even(sample: f32) -> f32 {
    const NO_FRACTION: f32 = 12_582_912.0;
    (sample + NO_FRACTION) - NO_FRACTION
}
