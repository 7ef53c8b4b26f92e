//! What a microphone hears, in windows of 20 ms: nothing, a noise, a tone, or a voice.
//!
//! A window is *sound* where it stands out of the noise floor. The floor is kept for each bin of the spectrum as
//! the least smoothed power of the last 1.2 s (R. Martin, "Noise power spectral density estimation based on optimal
//! smoothing and minimum statistics", 2001, with a fixed smoothing). Sound is *voiced* where its spectrum above the
//! floor has a pitch of 74 to 400 Hz, by autocorrelation. Voiced sound whose spectrum changes its shape within 40 ms
//! is *speech*; what stands still is a *tone*: hum, a horn, a held note.

use std::collections::VecDeque;
use std::f32::consts::PI;
use std::sync::OnceLock;

use super::kernels::Isa;
use super::resample::{MonoResampler, Quality};
use super::spectrum::{POINTS, power_into};
use crate::Result;

/// The length of a window.
pub const WINDOW_MS: usize = 20;
const RATE_HZ: usize = 8000;
const HOP: usize = RATE_HZ * WINDOW_MS / 1000;
const SPAN: usize = 2 * HOP;
/// Bins up to 3.5 kHz, 15.6 Hz each.
const BINS: usize = 3500 * POINTS / RATE_HZ;
const FIRST_BIN: usize = 100 * POINTS / RATE_HZ;
/// The bins in which pitch is looked for: 80 to 1200 Hz.
const PITCH_BINS: std::ops::Range<usize> = 6..77;
const LAGS: std::ops::Range<usize> = 20..108;
const BAND_EDGES_HZ: [usize; 9] = [150, 300, 450, 650, 900, 1250, 1750, 2500, 3500];
const NUM_BANDS: usize = BAND_EDGES_HZ.len() - 1;
/// Bands that far below the loudest count as equally silent.
const SHAPE_RANGE_DB: f32 = 30.0;
const LEAST_CHANGE_DB: f32 = 4.0;
/// Up and down: a short pause in loud speech must show the floor below it.
const SMOOTHING: (f32, f32) = (0.25, 0.6);
const BLOCK_WINDOWS: usize = 10;
const NUM_BLOCKS: usize = 6;
/// How far the least of several powers lies below their mean.
const FLOOR_BIAS: f32 = 3.0;
/// A room is taken for at least that noisy: -70 dBFS, spread over the bins.
const LOWEST_FLOOR: f32 = 1e-7;

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Window {
    /// Nothing above the noise floor.
    Quiet,
    /// Noise, or an unvoiced sound of speech.
    Sound,
    /// Something with a pitch that stands still.
    Tone,
    /// Something with a pitch that changes as speech does.
    Speech,
}

struct Tables {
    hann: [f32; SPAN],
    /// One row of cosines for each lag, over the window's own autocorrelation and weighted by frequency.
    pitch: Vec<[f32; PITCH_BINS.end - PITCH_BINS.start]>,
    weights: [f32; PITCH_BINS.end - PITCH_BINS.start],
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let raised = |index: usize| (1.0 - (2.0 * PI * (index + 1) as f32 / (SPAN + 1) as f32).cos()) / 2.0;
        let mut hann: [f32; SPAN] = std::array::from_fn(raised);
        let energy = hann.iter().map(|weight| weight * weight).sum::<f32>();
        let overlap = |lag: usize| hann.iter().zip(&hann[lag..]).map(|(a, b)| a * b).sum::<f32>() / energy;
        // Voices fall with frequency, and so does most noise.
        let weights = std::array::from_fn(|index| (PITCH_BINS.start + index).min(51) as f32);
        let cosine = |bin: usize, lag: usize| (2.0 * PI * (bin * lag) as f32 / POINTS as f32).cos();
        let row = |lag| {
            std::array::from_fn(|index| cosine(PITCH_BINS.start + index, lag) * weights[index] / overlap(lag))
        };
        let pitch = LAGS.map(row).collect();
        hann.iter_mut().for_each(|weight| *weight /= energy.sqrt() * 32768.0);
        Tables { hann, pitch, weights }
    })
}

/// Tells voices from other sounds in a stream of mono samples; how the stream is cut changes nothing.
#[derive(Debug)]
pub struct VoiceActivity {
    resampler: MonoResampler,
    resampled: Vec<i16>,
    pending: VecDeque<i16>,
    span: [f32; SPAN],
    smoothed: [f32; BINS],
    least: [f32; BINS],
    blocks: [[f32; BINS]; NUM_BLOCKS],
    num_windows: usize,
    shapes: [[f32; NUM_BANDS]; 2],
}

impl VoiceActivity {
    /// For mono samples of this rate.
    ///
    /// # Errors
    /// A rate outside 4000 to 192000 Hz.
    pub fn new(sample_rate_hz: u32) -> Result<Self> {
        Ok(Self {
            resampler: MonoResampler::new(sample_rate_hz, RATE_HZ as u32, Quality::LowDelay)?,
            resampled: Vec::new(),
            pending: VecDeque::new(),
            span: [0.0; SPAN],
            smoothed: [LOWEST_FLOOR; BINS],
            least: [LOWEST_FLOOR; BINS],
            blocks: [[LOWEST_FLOOR; BINS]; NUM_BLOCKS],
            num_windows: 0,
            shapes: [[0.0; NUM_BANDS]; 2],
        })
    }

    /// Takes samples and appends what each window that they complete holds.
    ///
    /// `threshold`, 0 to 1, is how sure to be: 0.5 takes what is 4.4 dB above the floor, -50 dBFS at least, and 47 %
    /// periodic.
    pub fn process_into(&mut self, samples: &[i16], threshold: f32, windows: &mut Vec<Window>) {
        let isa = Isa::best();
        self.resampler.process_into(samples, &mut self.resampled);
        self.pending.extend(self.resampled.drain(..));
        while self.pending.len() >= HOP {
            self.span.copy_within(HOP.., 0);
            for (old, new) in self.span[HOP..].iter_mut().zip(self.pending.drain(..HOP)) {
                *old = f32::from(new);
            }
            windows.push(isa.classify(self, threshold));
        }
    }

    /// What the last window holds. Inlined with all that it calls into a version for each instruction set.
    #[inline(always)]
    pub(super) fn classify(&mut self, threshold: f32) -> Window {
        if self.span.iter().all(|sample| *sample == 0.0) {
            // As a client sends it while its user is muted: there is no spectrum to look for.
            let nothing = [0.0; BINS];
            self.spectral_change_db(&nothing);
            self.follow_floor(&nothing);
            return Window::Quiet;
        }
        let tables = tables();
        let mean = self.span.iter().sum::<f32>() / SPAN as f32;
        let mut window = self.span;
        window.iter_mut().zip(&tables.hann).for_each(|(sample, weight)| *sample = (*sample - mean) * weight);
        let mut power = [0.0; BINS];
        power_into(&window, &mut power);
        let floor = self.floor();
        let above: [f32; BINS] = std::array::from_fn(|bin| (power[bin] - floor[bin]).max(0.0));
        let change_db = self.spectral_change_db(&above);
        self.follow_floor(&power);

        let level = power[FIRST_BIN..].iter().sum::<f32>();
        let noise = floor[FIRST_BIN..].iter().sum::<f32>();
        let lowest_level = decibels_to_power(-60.0 + 20.0 * threshold) * (POINTS / 2) as f32;
        let is_sound = level >= noise * decibels_to_power(2.4 + 4.0 * threshold) && level >= lowest_level;
        if !is_sound {
            Window::Quiet
        } else if periodicity(&above, &power) < 0.27 + 0.4 * threshold {
            Window::Sound
        } else if change_db < LEAST_CHANGE_DB {
            Window::Tone
        } else {
            Window::Speech
        }
    }

    #[inline(always)]
    fn floor(&self) -> [f32; BINS] {
        let mut floor = self.least;
        for block in &self.blocks {
            floor.iter_mut().zip(block).for_each(|(floor, least)| *floor = floor.min(*least));
        }
        floor.map(|least| (least * FLOOR_BIAS).max(LOWEST_FLOOR))
    }

    #[inline(always)]
    fn follow_floor(&mut self, power: &[f32; BINS]) {
        for ((smoothed, least), power) in self.smoothed.iter_mut().zip(&mut self.least).zip(power) {
            let rate = if power > smoothed { SMOOTHING.0 } else { SMOOTHING.1 };
            *smoothed += rate * (power - *smoothed);
            *least = least.min(*smoothed);
        }
        self.num_windows += 1;
        if self.num_windows.is_multiple_of(BLOCK_WINDOWS) {
            self.blocks[self.num_windows / BLOCK_WINDOWS % NUM_BLOCKS] = self.least;
            self.least = self.smoothed;
        }
    }

    /// The log-spectral distance to 40 ms ago: how much the shape differs, however loud either is.
    #[inline(always)]
    fn spectral_change_db(&mut self, above: &[f32; BINS]) -> f32 {
        let bin = |frequency_hz: usize| (frequency_hz * POINTS).div_ceil(RATE_HZ).min(BINS);
        let band = |index: usize| &above[bin(BAND_EDGES_HZ[index])..bin(BAND_EDGES_HZ[index + 1])];
        let mut shape: [f32; NUM_BANDS] =
            std::array::from_fn(|index| 10.0 * (band(index).iter().sum::<f32>() + 1e-9).log10());
        let loudest = shape.iter().fold(f32::MIN, |loudest, level| loudest.max(*level));
        shape.iter_mut().for_each(|level| *level = level.max(loudest - SHAPE_RANGE_DB));
        let mean = shape.iter().sum::<f32>() / NUM_BANDS as f32;
        shape.iter_mut().for_each(|level| *level -= mean);
        let squares = shape.iter().zip(&self.shapes[0]).map(|(new, old)| (new - old).powi(2));
        let distance = (squares.sum::<f32>() / NUM_BANDS as f32).sqrt();
        self.shapes = [self.shapes[1], shape];
        distance
    }
}

/// The highest peak of the autocorrelation at the lags of a pitch: 1 for what repeats itself.
#[inline(always)]
fn periodicity(above: &[f32; BINS], power: &[f32; BINS]) -> f32 {
    let tables = tables();
    let total = dot(&power[PITCH_BINS], &tables.weights) + f32::MIN_POSITIVE;
    let mut correlation = [0.0; LAGS.end - LAGS.start]; // not by `from_fn`, which is compiled once for all
    for (correlation, row) in correlation.iter_mut().zip(&tables.pitch) {
        *correlation = dot(&above[PITCH_BINS], row) / total;
    }
    let mut highest = 0;
    for index in 1..correlation.len() {
        if correlation[index] > correlation[highest] {
            highest = index;
        }
    }
    // At an edge it is no peak, but the slope of something outside.
    if highest == 0 || highest == correlation.len() - 1 { 0.0 } else { correlation[highest] }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums side by side, so that the compiler takes many numbers at a time.
    let mut sums = [0.0_f32; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

fn decibels_to_power(decibels: f32) -> f32 {
    10.0_f32.powf(decibels / 10.0)
}
