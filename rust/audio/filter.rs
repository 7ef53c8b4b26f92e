//! The anti-alias and anti-image filter of the resampler: design, polyphase layout, and one shared table per ratio.
//!
//! A linear-phase low-pass filter at the rate `L x source = M x target` (`L / M` in lowest terms): a sinc under a
//! Kaiser window (Oppenheim & Schafer, *Discrete-Time Signal Processing*, 7.6). All its frequencies scale with the
//! lower of the two rates, so the table depends on the ratio alone.

use std::collections::HashMap;
use std::f64::consts::PI;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use super::kernels::ROW_GROUP;

/// How much of the band a resampler keeps, against the delay it adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quality {
    /// Flat to 0.875 of the lower Nyquist frequency, more than 80 dB down from 1.1 of it; 1.1 ms of delay at 24 kHz.
    #[default]
    LowDelay,
    /// Flat to 0.92 of the lower Nyquist frequency, more than 100 dB down from 1.02 of it; 2.75 ms of delay at 24 kHz.
    High,
}

/// What a quality asks of the filter; frequencies are fractions of the lower Nyquist frequency.
struct Specification {
    cutoff: f64,
    transition_width: f64,
    attenuation_db: f64,
}

impl Quality {
    /// The attenuations include a margin of 2 dB for the Kaiser formulas.
    const fn specification(self) -> Specification {
        match self {
            // Symmetric about the lower Nyquist frequency: at 2:1 every second coefficient is exactly zero.
            Self::LowDelay => Specification { cutoff: 1.0, transition_width: 0.2, attenuation_db: 82.0 },
            Self::High => Specification { cutoff: 0.97, transition_width: 0.1, attenuation_db: 102.0 },
        }
    }
}

/// Two rates as `up / down` in lowest terms: `target = source x up / down`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// L: output frames per period.
    pub up: usize,
    /// M: input frames per period.
    pub down: usize,
}

impl Ratio {
    /// The ratio that turns `source_rate_hz` into `target_rate_hz`.
    pub fn of_rates(source_rate_hz: u32, target_rate_hz: u32) -> Self {
        let divisor = greatest_common_divisor(source_rate_hz, target_rate_hz);
        Self { up: (target_rate_hz / divisor) as usize, down: (source_rate_hz / divisor) as usize }
    }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A low-pass filter as `L` rows of coefficients, one row per output frame of a period.
///
/// Output frame `n` is the dot product of row `n mod L` with the input frames that end at `floor(n M / L)`,
/// oldest first.
///
/// Where `L` and `M` are small, the output frames of one row are worth computing side by side. They lie `M` input
/// frames apart, so the input is deinterleaved into `M` streams, and each row to `M` branches, one for each stream.
#[derive(Debug)]
pub struct PolyphaseFilter {
    ratio: Ratio,
    delay_frames: usize,
    row_len: usize,
    is_side_by_side: bool,
    num_streams: usize,
    /// From `aligned` on: row after row, in each branch after branch.
    coefficients: Vec<f32>,
    aligned: usize,
    branches: Vec<Branch>,
}

/// The coefficients of a row for every `num_streams`-th frame of its window.
#[derive(Debug, Clone, Copy)]
struct Branch {
    /// Leading zeros that were left out.
    skipped: usize,
    /// Where the rest stands in the table, without trailing zeros.
    start: usize,
    end: usize,
}

/// The largest `L` and `M` for which the outputs of one row are computed side by side.
pub(crate) const MAX_STREAMS: usize = 12;

impl PolyphaseFilter {
    /// The table for a ratio and a quality: built by the first to ask, shared with all others of the process, and
    /// dropped with the last of them.
    pub fn shared(ratio: Ratio, quality: Quality) -> Arc<Self> {
        type Tables = HashMap<(Ratio, Quality), Weak<PolyphaseFilter>>;
        static TABLES: LazyLock<Mutex<Tables>> = LazyLock::new(Mutex::default);
        // The lock is held while a table is built, so that it is built once.
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = tables.get(&(ratio, quality)).and_then(Weak::upgrade) {
            return table;
        }
        tables.retain(|_, table| table.strong_count() > 0);
        let table = Arc::new(Self::design(ratio, quality));
        tables.insert((ratio, quality), Arc::downgrade(&table));
        table
    }

    /// Designs the filter. Time and memory grow with the larger of `L` and `M`: about 140 coefficients for each.
    pub fn design(ratio: Ratio, quality: Quality) -> Self {
        let Ratio { up, down } = ratio;
        let delay_frames = delay_frames(ratio, &quality.specification());
        let half_len = delay_frames * down;
        let prototype = half_prototype(half_len, up.max(down), &quality.specification());

        let is_side_by_side = up.max(down) <= MAX_STREAMS;
        let (num_streams, row_group) = if is_side_by_side { (down, down) } else { (1, ROW_GROUP) };
        let row_len = (2 * half_len).div_ceil(up).next_multiple_of(row_group);
        let branch_len = row_len / num_streams;
        let mut coefficients = Vec::with_capacity(up * row_len);
        let mut branches = Vec::with_capacity(up * num_streams);
        for row in 0..up {
            let phase = row * down % up;
            let tap =
                |age: usize| prototype.get((phase + age * up).abs_diff(half_len)).copied().unwrap_or(0.0);
            // Each phase passes a constant unchanged; otherwise a constant would come out with a faint tone.
            let gain: f64 = (0..row_len).map(tap).sum();
            for branch in 0..num_streams {
                let start = coefficients.len();
                let frames = (0..branch_len).map(|k| branch + k * num_streams);
                coefficients.extend(frames.map(|frame| (tap(row_len - 1 - frame) / gain) as f32));
                branches.push(Branch::without_zeros(&coefficients, start));
            }
        }
        let (coefficients, aligned) = aligned_to_cache_lines(&coefficients);
        Self { ratio, delay_frames, row_len, is_side_by_side, num_streams, coefficients, aligned, branches }
    }

    /// The ratio this filter was designed for.
    pub fn ratio(&self) -> Ratio {
        self.ratio
    }

    /// How many output frames an event is late: half the length of the filter.
    pub fn delay_frames(&self) -> usize {
        self.delay_frames
    }

    /// Input frames that an output frame is made of, padding included.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// The factor of one row for the frame that stands at `frame` in its window, the oldest at 0.
    ///
    /// # Panics
    /// If there is no such row or frame.
    pub fn coefficient(&self, row: usize, frame: usize) -> f32 {
        assert!(frame < self.row_len, "a frame of the window");
        let branch_len = self.row_len / self.num_streams;
        let within_row = frame % self.num_streams * branch_len + frame / self.num_streams;
        self.rows()[row * self.row_len + within_row]
    }

    /// The number of streams that the input is deinterleaved into: `M`, or 1 for rows that are computed one by one.
    pub(crate) fn num_streams(&self) -> usize {
        self.num_streams
    }

    /// Whether the output frames of one row are computed side by side, and not one by one.
    pub(crate) fn is_side_by_side(&self) -> bool {
        self.is_side_by_side
    }

    /// Row after row, for a single stream.
    pub(crate) fn rows(&self) -> &[f32] {
        &self.coefficients[self.aligned..][..self.ratio.up * self.row_len]
    }

    /// The coefficients of a row for one stream, and how many frames of that stream come before the first of them.
    pub(crate) fn branch(&self, row: usize, branch: usize) -> (usize, &[f32]) {
        let Branch { skipped, start, end } = self.branches[row * self.num_streams + branch];
        (skipped, &self.rows()[start..end])
    }
}

impl Branch {
    /// The branch from `start` to the end of the table so far.
    fn without_zeros(table: &[f32], start: usize) -> Self {
        let is_used = |&coefficient: &f32| coefficient != 0.0;
        let skipped = table[start..].iter().position(is_used).unwrap_or(0);
        let end = table[start..].iter().rposition(is_used).map_or(start, |last| start + last + 1);
        Self { skipped, start: start + skipped, end }
    }
}

/// The table with some zeros before it, and how many: a vector of a row is then never split over two cache lines.
fn aligned_to_cache_lines(table: &[f32]) -> (Vec<f32>, usize) {
    let mut aligned = vec![0.0; table.len() + 15];
    let start = aligned.as_ptr().align_offset(64).min(15);
    aligned[start..][..table.len()].copy_from_slice(table);
    (aligned, start)
}

/// Half the length that Kaiser's formula asks for, rounded up to whole output frames.
fn delay_frames(ratio: Ratio, specification: &Specification) -> usize {
    let lower_nyquist_radians = PI / ratio.up.max(ratio.down) as f64;
    let transition_radians = specification.transition_width * lower_nyquist_radians;
    let half_len = (specification.attenuation_db - 7.95) / (2.285 * transition_radians) / 2.0;
    (half_len / ratio.down as f64).ceil() as usize
}

/// The right half of the prototype, its centre at index 0; beyond `half_len - 1` it is zero.
fn half_prototype(half_len: usize, nyquist_steps: usize, specification: &Specification) -> Vec<f64> {
    let beta = 0.1102 * (specification.attenuation_db - 8.7);
    let scale = 1.0 / bessel_i0(beta);
    (0..half_len)
        .map(|step| {
            let position = step as f64 / half_len as f64;
            let window = scale * bessel_i0(beta * (1.0 - position * position).sqrt());
            window * sinc(specification.cutoff * step as f64 / nyquist_steps as f64)
        })
        .collect()
}

/// sin(pi x) / (pi x), with the zeros at whole `x` exact.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else if x.fract() == 0.0 {
        0.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter_square = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON / 4.0 {
        term *= quarter_square / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}
