//! The anti-alias and anti-image filter of the resampler: design, polyphase layout, and one shared table per ratio.
//!
//! A linear-phase low-pass filter at the rate `L x source = M x target` (`L / M` in lowest terms): a sinc under a
//! Kaiser window (Oppenheim & Schafer, *Discrete-Time Signal Processing*, 7.6). All its frequencies scale with the
//! lower of the two rates, so the table depends on the ratio alone.

use std::collections::HashMap;
use std::f64::consts::PI;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

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
#[derive(Debug)]
pub struct PolyphaseFilter {
    ratio: Ratio,
    delay_frames: usize,
    row_len: usize,
    rows: Vec<f32>,
    /// Input frames from the newest frame of each row to the newest frame of the row after it.
    advances: Vec<u32>,
}

/// Rows are padded to whole groups of this many coefficients.
pub(crate) const ROW_GROUP: usize = 8;

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

        let taps = (2 * half_len).div_ceil(up);
        let row_len = taps.next_multiple_of(ROW_GROUP);
        let mut rows = vec![0.0; up * row_len];
        let mut advances = Vec::with_capacity(up);
        for (row, coefficients) in rows.chunks_exact_mut(row_len).enumerate() {
            let phase = row * down % up;
            let tap = |k: usize| prototype.get((phase + k * up).abs_diff(half_len)).copied().unwrap_or(0.0);
            // Each phase passes a constant unchanged; otherwise a constant would come out with a faint tone.
            let gain: f64 = (0..row_len).map(tap).sum();
            for (k, coefficient) in coefficients.iter_mut().rev().enumerate() {
                *coefficient = (tap(k) / gain) as f32;
            }
            advances.push((((row + 1) * down) / up - (row * down) / up) as u32);
        }
        Self { ratio, delay_frames, row_len, rows, advances }
    }

    /// The ratio this filter was designed for.
    pub fn ratio(&self) -> Ratio {
        self.ratio
    }

    /// How many output frames an event is late: half the length of the filter.
    pub fn delay_frames(&self) -> usize {
        self.delay_frames
    }

    /// Coefficients per row, padding included.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// The coefficients of one row, for the oldest input frame first.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.row_len..][..self.row_len]
    }

    /// Input frames from the newest frame of `row` to the newest frame of the row after it.
    pub(crate) fn advance(&self, row: usize) -> usize {
        self.advances[row] as usize
    }
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
