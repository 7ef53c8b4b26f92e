//! Streaming conversion between any two sample rates, by a polyphase FIR filter with exact integer phases.
//!
//! Output frame `n` stands at the input time `n M / L` and needs no input after `floor(n M / L)`, so `N` input
//! frames yield `ceil(N L / M)` output frames at once: nothing is held back. Each output frame is one dot product
//! of fixed order over the same input frames, however they were cut into calls, so its bits never depend on the cut.

use std::ops::RangeInclusive;

pub use super::filter::Quality;
use super::filter::{PolyphaseFilter, Ratio};
use super::fir::{BLOCK_FRAMES, Fir};
use super::kernels::Isa;
use super::pcm;
use crate::{Error, Result};

/// The sample rates that a resampler takes.
pub const RATES_HZ: RangeInclusive<u32> = 4_000..=192_000;

/// Interleaved 16-bit PCM of 1 to 8 channels at one rate to mono at another.
///
/// # Real-time
/// Allocates nothing after construction but room in the caller's `output`; takes no lock.
///
/// ```
/// use voicelane::audio::resample::{Quality, Resampler};
///
/// let mut resampler = Resampler::new(48_000, 24_000, 2, Quality::LowDelay)?;
/// let mut mono = Vec::new();
/// resampler.process_into(&[0; 1920], &mut mono)?; // 20 ms of stereo
/// assert_eq!(mono.len(), 480); // 20 ms of mono, at once
/// # Ok::<(), voicelane::Error>(())
/// ```
#[derive(Debug)]
pub struct Resampler {
    num_channels: usize,
    mono: MonoResampler,
}

impl Resampler {
    /// A resampler at rest: the input before its first frame counts as silence.
    ///
    /// # Errors
    /// A rate outside [`RATES_HZ`], or `num_channels` outside 1 to 8.
    pub fn new(
        source_rate_hz: u32,
        target_rate_hz: u32,
        num_channels: usize,
        quality: Quality,
    ) -> Result<Self> {
        pcm::check_channels("num_channels", num_channels)?;
        Ok(Self { num_channels, mono: MonoResampler::new(source_rate_hz, target_rate_hz, quality)? })
    }

    /// Takes interleaved frames, any number of them, and appends every output frame that is due.
    ///
    /// # Errors
    /// A half frame at the end; then nothing was taken.
    pub fn process_into(&mut self, input: &[i16], output: &mut Vec<i16>) -> Result<()> {
        pcm::whole_frames(input, self.num_channels)?;
        self.mono.process_channels_into(input, self.num_channels, output);
        Ok(())
    }

    /// See [`MonoResampler::flush_into`].
    pub fn flush_into(&mut self, output: &mut Vec<i16>) {
        self.mono.flush_into(output);
    }

    /// See [`MonoResampler::reset`].
    pub fn reset(&mut self) {
        self.mono.reset();
    }

    /// The number of interleaved channels of the input.
    pub fn num_channels(&self) -> usize {
        self.num_channels
    }

    /// See [`MonoResampler::output_frames_for`].
    pub fn output_frames_for(&self, input_frames: usize) -> usize {
        self.mono.output_frames_for(input_frames)
    }

    /// How late the output is, in output frames.
    pub fn delay_frames(&self) -> usize {
        self.mono.delay_frames()
    }

    /// How late the output is, in milliseconds.
    pub fn delay_ms(&self) -> f64 {
        self.mono.delay_ms()
    }

    /// Output samples that were saturated since construction or [`reset`](Self::reset).
    pub fn clipped_samples(&self) -> u64 {
        self.mono.clipped_samples()
    }
}

/// Mono 16-bit PCM at one rate to mono at another.
///
/// # Real-time
/// Allocates nothing after construction but room in the caller's `output`; takes no lock.
#[derive(Debug)]
pub struct MonoResampler {
    target_rate_hz: u32,
    clipped_samples: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Equal rates: the mean of the channels, rounded.
    PassThrough,
    Filter(Fir),
}

impl MonoResampler {
    /// A resampler at rest: the input before its first frame counts as silence.
    ///
    /// # Errors
    /// A rate outside [`RATES_HZ`].
    pub fn new(source_rate_hz: u32, target_rate_hz: u32, quality: Quality) -> Result<Self> {
        check_rate("source_rate_hz", source_rate_hz)?;
        check_rate("target_rate_hz", target_rate_hz)?;
        let stage = if source_rate_hz == target_rate_hz {
            Stage::PassThrough
        } else {
            let ratio = Ratio::of_rates(source_rate_hz, target_rate_hz);
            Stage::Filter(Fir::new(PolyphaseFilter::shared(ratio, quality), Isa::best()))
        };
        Ok(Self { target_rate_hz, clipped_samples: 0, stage })
    }

    /// Takes any number of frames and appends every output frame that is due.
    pub fn process_into(&mut self, input: &[i16], output: &mut Vec<i16>) {
        self.process_channels_into(input, 1, output);
    }

    /// Takes whole interleaved frames, averages their channels, and appends every output frame that is due.
    pub(crate) fn process_channels_into(
        &mut self,
        input: &[i16],
        num_channels: usize,
        output: &mut Vec<i16>,
    ) {
        output.reserve(self.output_frames_for(input.len() / num_channels));
        for block in input.chunks(BLOCK_FRAMES * num_channels) {
            self.clipped_samples += match &mut self.stage {
                Stage::PassThrough => pass_through(block, num_channels, output),
                Stage::Filter(fir) => {
                    fir.take(block, num_channels);
                    fir.filter_into(usize::MAX, output)
                }
            };
        }
    }

    /// Appends the tail, so that `round(N x target / source) + delay_frames` frames came out for `N` that went in
    /// (halves up), and starts anew.
    pub fn flush_into(&mut self, output: &mut Vec<i16>) {
        let Stage::Filter(fir) = &mut self.stage else { return };
        let mut remaining = fir.tail_frames();
        output.reserve(remaining);
        while remaining > 0 {
            fir.take_silence(fir.input_frames_for(remaining).min(BLOCK_FRAMES));
            let before = output.len();
            self.clipped_samples += fir.filter_into(remaining, output);
            remaining -= output.len() - before;
        }
        fir.reset();
    }

    /// Forgets the input so far and the count of clipped samples.
    pub fn reset(&mut self) {
        self.clipped_samples = 0;
        if let Stage::Filter(fir) = &mut self.stage {
            fir.reset();
        }
    }

    /// How many further input frames make `output_frames` further output frames due.
    pub fn input_frames_for(&self, output_frames: usize) -> usize {
        match &self.stage {
            Stage::PassThrough => output_frames,
            Stage::Filter(fir) => fir.input_frames_for(output_frames),
        }
    }

    /// How many further output frames `input_frames` further input frames make due.
    pub fn output_frames_for(&self, input_frames: usize) -> usize {
        match &self.stage {
            Stage::PassThrough => input_frames,
            Stage::Filter(fir) => fir.output_frames_for(input_frames),
        }
    }

    /// How late the output is, in output frames.
    pub fn delay_frames(&self) -> usize {
        match &self.stage {
            Stage::PassThrough => 0,
            Stage::Filter(fir) => fir.delay_frames(),
        }
    }

    /// How late the output is, in milliseconds.
    pub fn delay_ms(&self) -> f64 {
        1000.0 * self.delay_frames() as f64 / f64::from(self.target_rate_hz)
    }

    /// Output samples that were saturated since construction or [`reset`](Self::reset).
    pub fn clipped_samples(&self) -> u64 {
        self.clipped_samples
    }
}

/// Checks the rate that is given as `name`.
///
/// # Errors
/// A rate outside [`RATES_HZ`].
pub fn check_rate(name: &'static str, rate_hz: u32) -> Result<()> {
    if RATES_HZ.contains(&rate_hz) {
        return Ok(());
    }
    Err(Error::argument(name, format!("{} to {} Hz", RATES_HZ.start(), RATES_HZ.end()), rate_hz))
}

fn pass_through(block: &[i16], num_channels: usize, output: &mut Vec<i16>) -> u64 {
    let mut mono = [0.0; BLOCK_FRAMES];
    let mono = &mut mono[..block.len() / num_channels];
    let isa = Isa::best();
    isa.downmix(block, num_channels, mono);
    pcm::quantise(isa, mono, output)
}
