//! Signals and measures for the audio tests.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::f64::consts::TAU;

/// The rates that every pair is tested of.
pub const RATES_HZ: [u32; 10] =
    [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

pub fn rate_pairs() -> impl Iterator<Item = (u32, u32)> {
    RATES_HZ.into_iter().flat_map(|source| RATES_HZ.into_iter().map(move |target| (source, target)))
}

/// A sine as samples of the 16-bit scale, rounded; `frequency` in cycles per frame.
pub fn tone(frequency: f64, amplitude: f64, num_frames: usize) -> Vec<i16> {
    (0..num_frames).map(|n| (amplitude * (TAU * frequency * n as f64).sin()).round() as i16).collect()
}

/// Reproducible white noise over the whole 16-bit scale.
pub fn noise(num_samples: usize, seed: u64) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 48) as i16
    };
    std::iter::repeat_with(step).take(num_samples).collect()
}

/// Speech: the recorded question, 48 kHz, interleaved stereo.
pub fn speech_48k_stereo() -> Vec<i16> {
    let file = include_bytes!("../../examples/audio/question-48k-stereo.wav");
    let start = 8 + file.windows(4).position(|tag| tag == b"data").expect("a WAV file has a data chunk");
    file[start..].chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
}

/// Signal to error ratio in dB of `actual` against `expected`.
pub fn snr_db(expected: impl IntoIterator<Item = f64>, actual: &[i16]) -> f64 {
    let (mut signal, mut error) = (0.0, 0.0);
    for (expected, &actual) in expected.into_iter().zip(actual) {
        signal += expected * expected;
        error += (f64::from(actual) - expected).powi(2);
    }
    10.0 * (signal / error).log10()
}

/// The amplitude of the sine of `frequency` cycles per frame in `frames`, seen through a Blackman-Harris window.
pub fn amplitude_at(frequency: f64, frames: &[i16]) -> f64 {
    let (mut re, mut im, mut weight) = (0.0, 0.0, 0.0);
    for (n, &sample) in frames.iter().enumerate() {
        let turn = TAU * (n as f64 + 0.5) / frames.len() as f64;
        let window =
            0.358_75 - 0.488_29 * turn.cos() + 0.141_28 * (2.0 * turn).cos() - 0.011_68 * (3.0 * turn).cos();
        let (sin, cos) = (TAU * frequency * n as f64).sin_cos();
        re += window * cos * f64::from(sample);
        im += window * sin * f64::from(sample);
        weight += window;
    }
    2.0 * re.hypot(im) / weight
}

/// `frames` sampled at `time` (in frames) by a sinc of `2 half_len` frames under a Blackman window, in f64: the
/// reference that no streaming filter can afford. `cutoff` is a fraction of the Nyquist frequency.
pub fn interpolated(frames: &[f64], time: f64, cutoff: f64, half_len: f64) -> f64 {
    let first = (time - half_len).ceil().max(0.0) as usize;
    let last = ((time + half_len).floor() as usize).min(frames.len() - 1);
    (first..=last)
        .map(|i| {
            let distance = time - i as f64;
            let x = distance * TAU / 2.0;
            let sinc = if distance.abs() < 1e-12 { cutoff } else { (cutoff * x).sin() / x };
            let turn = x / half_len;
            frames[i] * sinc * (0.42 + 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
        })
        .sum()
}
