//! The inner loops over samples, compiled once per instruction set and chosen at run time.
//!
//! Each kernel is one plain loop, written so that the compiler turns it into vectors; what differs between the
//! instruction sets is the width of these and whether a product and a sum are fused into one rounding. The lanes
//! are independent and each sums in a fixed order, so within one instruction set the bits of an output frame
//! depend on its input frames alone, never on its place in a vector or in a call. Between fused and unfused sets
//! they differ by the rounding of `f32`.

use super::filter::Ratio;

/// An instruction set that this processor has: the proof that its kernels may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// What every processor of the target has: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The portable loops as the target's baseline compiles them.
    pub const BASELINE: Self = Self(Level::Baseline);

    /// All that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other targets have no more than the baseline")]
        let mut sets = vec![Self::BASELINE];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            sets.push(Self(Level::Avx2));
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                sets.push(Self(Level::Avx512));
            }
        }
        sets
    }

    /// The best that this processor has.
    pub fn best() -> Self {
        static BEST: std::sync::LazyLock<Isa> =
            std::sync::LazyLock::new(|| Isa::available().pop().unwrap_or(Isa::BASELINE));
        *BEST
    }
}

/// A processor of the baseline that fuses: a call to the C library would be the price elsewhere.
const BASELINE_FUSES: bool = cfg!(target_arch = "aarch64");

/// Defines `Isa::$name`, which runs `$body::<FUSED>` compiled for the instruction set.
macro_rules! kernel {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $output:ty)? = $body:ident) => {
        impl Isa {
            $(#[$doc])*
            pub fn $name(self, $($argument: $type),*) $(-> $output)? {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $output)? {
                    $body::<true>($($argument),*)
                }
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512dq")]
                fn avx512($($argument: $type),*) $(-> $output)? {
                    $body::<true>($($argument),*)
                }
                match self.0 {
                    Level::Baseline => $body::<BASELINE_FUSES>($($argument),*),
                    // SAFETY: an `Isa` of this level is made only after its features were detected.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => unsafe { avx2($($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => unsafe { avx512($($argument),*) },
                }
            }
        }
    };
}

kernel! {
    /// Adds to each `output[j]` the dot product of `taps` with the `input` from `j` on.
    ///
    /// # Panics
    /// If `input` ends before the last window does.
    fn correlate(taps: &[f32], input: &[f32], output: &mut [f32]) = correlate
}

/// Outputs that are summed side by side, so that a tap is loaded once for all of them.
const SIDE_BY_SIDE: usize = 32;

#[inline(always)]
fn correlate<const FUSED: bool>(taps: &[f32], input: &[f32], output: &mut [f32]) {
    let (blocks, rest) = output.as_chunks_mut::<SIDE_BY_SIDE>();
    let (eights, ones) = rest.as_chunks_mut::<8>();
    let mut from = input;
    for sums in blocks {
        correlate_block::<FUSED, SIDE_BY_SIDE>(taps, from, sums);
        from = &from[SIDE_BY_SIDE..];
    }
    for sums in eights {
        correlate_block::<FUSED, 8>(taps, from, sums);
        from = &from[8..];
    }
    for sum in ones {
        correlate_block::<FUSED, 1>(taps, from, std::array::from_mut(sum));
        from = &from[1..];
    }
}

#[inline(always)]
fn correlate_block<const FUSED: bool, const N: usize>(taps: &[f32], input: &[f32], output: &mut [f32; N]) {
    let mut sums = *output;
    for (&tap, window) in taps.iter().zip(input.windows(N)) {
        for lane in 0..N {
            sums[lane] = multiply_add::<FUSED>(tap, window[lane], sums[lane]);
        }
    }
    *output = sums;
}

/// The rows of a polyphase filter.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Row after row.
    pub coefficients: &'a [f32],
    /// Coefficients per row, a multiple of [`DOT_LANES`].
    pub row_len: usize,
    /// Rows and how far each is from the one before it.
    pub ratio: Ratio,
}

kernel! {
    /// Fills `output` with the dot products of one row after another, from `first_row` on, with their windows; the
    /// first window begins with `input`.
    ///
    /// # Panics
    /// If `input` ends before the last window does.
    fn convolve_rows(rows: Rows<'_>, first_row: usize, input: &[f32], output: &mut [f32]) = convolve_rows
}

/// Running sums of a dot product.
pub const DOT_LANES: usize = 8;

#[inline(always)]
fn convolve_rows<const FUSED: bool>(rows: Rows<'_>, first_row: usize, input: &[f32], output: &mut [f32]) {
    let Rows { coefficients, row_len, ratio: Ratio { up, down } } = rows;
    let (whole, part) = (down / up, down % up);
    let (mut row, mut begin, mut fraction) = (first_row, 0, first_row * down % up);
    for sample in output {
        *sample = dot::<FUSED>(&coefficients[row * row_len..][..row_len], &input[begin..][..row_len]);
        row = if row + 1 == up { 0 } else { row + 1 };
        begin += whole;
        fraction += part;
        if fraction >= up {
            fraction -= up;
            begin += 1;
        }
    }
}

#[inline(always)]
fn dot<const FUSED: bool>(row: &[f32], window: &[f32]) -> f32 {
    let mut sums = [0.0; DOT_LANES];
    for (row, window) in row.as_chunks::<DOT_LANES>().0.iter().zip(window.as_chunks::<DOT_LANES>().0) {
        for lane in 0..DOT_LANES {
            sums[lane] = multiply_add::<FUSED>(row[lane], window[lane], sums[lane]);
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

kernel! {
    /// Writes the mean of the channels of each frame to `mono`. The sum is exact; the division rounds once.
    ///
    /// # Panics
    /// If `pcm` is not `mono.len()` frames of 1 to 8 channels.
    fn downmix(pcm: &[i16], num_channels: usize, mono: &mut [f32]) = downmix
}

#[inline(always)]
fn downmix<const FUSED: bool>(pcm: &[i16], num_channels: usize, mono: &mut [f32]) {
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

/// A constant channel count unrolls the sum and turns a division by 2, 4 or 8 into a product.
#[inline(always)]
fn mean_of<const CHANNELS: usize>(pcm: &[i16], mono: &mut [f32]) {
    for (mean, frame) in mono.iter_mut().zip(pcm.as_chunks::<CHANNELS>().0) {
        // No overflow: at most 8 samples of 16 bits.
        let sum = frame.iter().fold(0, |sum, &sample| i32::wrapping_add(sum, sample.into()));
        *mean = sum as f32 / CHANNELS as f32;
    }
}

kernel! {
    /// Deals `frames` out to the streams of `line`: frame `i` of the line is number `i / S` of stream `i mod S`, and
    /// the first of `frames` is number `at`.
    ///
    /// # Panics
    /// If the line has no room for them.
    fn deal_out(frames: &[f32], at: usize, num_streams: usize, line: &mut [f32]) = deal_out
}

#[inline(always)]
fn deal_out<const FUSED: bool>(frames: &[f32], at: usize, num_streams: usize, line: &mut [f32]) {
    match num_streams {
        2 => deal_out_to::<2>(frames, at, line),
        3 => deal_out_to::<3>(frames, at, line),
        4 => deal_out_to::<4>(frames, at, line),
        6 => deal_out_to::<6>(frames, at, line),
        _ => {
            let stream_len = line.len() / num_streams;
            for (i, &frame) in (at..).zip(frames) {
                line[i % num_streams * stream_len + i / num_streams] = frame;
            }
        }
    }
}

#[inline(always)]
fn deal_out_to<const STREAMS: usize>(frames: &[f32], at: usize, line: &mut [f32]) {
    let stream_len = line.len() / STREAMS;
    for (stream, room) in line.chunks_exact_mut(stream_len).enumerate() {
        let first = (stream + STREAMS - at % STREAMS) % STREAMS;
        let room = &mut room[(at + first) / STREAMS..];
        for (place, frame) in room.iter_mut().zip(frames.iter().skip(first).step_by(STREAMS)) {
            *place = *frame;
        }
    }
}

kernel! {
    /// Rounds `samples` to 16 bits (ties to even), saturates them, and returns how many it had to saturate.
    fn quantise(samples: &[f32], pcm: &mut [i16]) -> u32 = quantise
}

#[inline(always)]
fn quantise<const FUSED: bool>(samples: &[f32], pcm: &mut [i16]) -> u32 {
    /// 1.5 * 2^23: a sum with it has no fraction bits, so the addition rounds, and its lowest bits are the integer.
    const NO_FRACTION: f32 = 12_582_912.0;
    let mut clipped = 0;
    for (sample, pcm) in samples.iter().zip(pcm) {
        clipped = u32::wrapping_add(clipped, u32::from((*sample >= 32_767.5) | (*sample < -32_768.5)));
        *pcm = (sample.clamp(-32_768.0, 32_767.0) + NO_FRACTION).to_bits() as i16;
    }
    clipped
}

#[inline(always)]
fn multiply_add<const FUSED: bool>(a: f32, b: f32, sum: f32) -> f32 {
    if FUSED { a.mul_add(b, sum) } else { a * b + sum }
}
