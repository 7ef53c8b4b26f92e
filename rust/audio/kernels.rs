//! The inner loops over samples, compiled once per instruction set and chosen at run time.
//!
//! Each kernel is one loop over a `Vector`; what differs between instruction sets is its width and whether it
//! fuses a product and a sum into one rounding. Every output frame sums its products in an order of its own that
//! does not depend on the frames beside it, so within one instruction set its bits depend on its input frames
//! alone, never on its place in a vector or in a call. Between instruction sets they differ by the rounding of
//! `f32`. [`Isa::PORTABLE`] is the reference that the others are tested against.

use super::filter::Ratio;
pub use super::isa::Isa;
use super::isa::Level;
use super::loops;
pub use super::loops::{Branch, ROW_GROUP, Rows};
use super::voice::{VoiceActivity, Window};

/// Defines `Isa::$name`: the body, compiled for each instruction set with its vector as `V`.
macro_rules! kernel {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $output:ty)? $body:block) => {
        impl Isa {
            $(#[$doc])*
            #[allow(dead_code, reason = "loops that leave the vectors to the compiler do not name theirs")]
            pub fn $name(self, $($argument: $type),*) $(-> $output)? {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $output)? {
                    type V = std::arch::x86_64::__m256;
                    $body
                }
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
                fn avx512($($argument: $type),*) $(-> $output)? {
                    type V = std::arch::x86_64::__m512;
                    $body
                }
                match self.level() {
                    Level::Portable => {
                        type V = Plain;
                        $body
                    }
                    #[cfg(target_arch = "x86_64")]
                    Level::Sse2 => {
                        type V = std::arch::x86_64::__m128;
                        $body
                    }
                    // SAFETY: an `Isa` of this level is made only after its features were detected.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => unsafe { avx2($($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => unsafe { avx512($($argument),*) },
                    #[cfg(target_arch = "aarch64")]
                    Level::Neon => {
                        type V = std::arch::aarch64::float32x4_t;
                        $body
                    }
                }
            }
        }
    };
}

kernel! {
    /// Sets `output[j]` to the sum over all branches of the dot product of the taps with the stream from `j` on.
    ///
    /// # Panics
    /// If a stream ends before the last window does.
    fn correlate(branches: &[Branch<'_>], output: &mut [f32]) {
        correlate::<V>(branches, output)
    }
}

/// Taps that meet the same loaded vector: `k` of one output vector is `k - LANES` of the next.
const GROUPS: usize = 4;

#[inline(always)]
fn correlate<V: Vector>(branches: &[Branch<'_>], output: &mut [f32]) {
    for branch in branches {
        assert!(branch.stream.len() + 1 >= output.len() + branch.taps.len(), "the stream holds every window");
    }
    let mut begin = 0;
    // SAFETY: each step stays within `output`, and every stream was checked to hold the windows of all of it.
    unsafe {
        // Ten sums keep two units of four steps each busy, and leave room for the taps in 16 registers; 10 and 20 ms
        // at the rates of speech are whole tens or fives of every vector.
        while begin + 10 * V::LANES <= output.len() {
            correlate_at::<V, 10>(branches, output, begin);
            begin += 10 * V::LANES;
        }
        while begin + 5 * V::LANES <= output.len() {
            correlate_at::<V, 5>(branches, output, begin);
            begin += 5 * V::LANES;
        }
        while begin < output.len() && output.len() >= V::LANES {
            // The last vector may overlap the one before: it writes the same bits there once more.
            correlate_at::<V, 1>(branches, output, begin.min(output.len() - V::LANES));
            begin += V::LANES;
        }
    }
    for (j, sum) in output.iter_mut().enumerate().skip(begin) {
        *sum = correlate_one::<V>(branches, j);
    }
}

/// Computes the `VECTORS * LANES` outputs from `begin` on.
///
/// # Safety
/// They must be in `output`, and their windows in each stream.
#[inline(always)]
unsafe fn correlate_at<V: Vector, const VECTORS: usize>(
    branches: &[Branch<'_>],
    output: &mut [f32],
    begin: usize,
) {
    let mut sums = [V::splat(0.0); VECTORS];
    for Branch { taps, stream } in branches {
        for (segment, taps) in taps.chunks(GROUPS * V::LANES).enumerate() {
            let (whole, part) = (taps.len() / V::LANES, taps.len() % V::LANES);
            // SAFETY: the caller keeps all windows in the stream; this segment of the taps begins there.
            unsafe {
                let window = stream.as_ptr().add(begin + segment * GROUPS * V::LANES);
                for lane in 0..V::LANES.min(taps.len()) {
                    let (taps, window) = (taps.as_ptr().add(lane), window.add(lane));
                    match whole + usize::from(lane < part) {
                        4 => add_products::<V, VECTORS, 4>(taps, window, &mut sums),
                        3 => add_products::<V, VECTORS, 3>(taps, window, &mut sums),
                        2 => add_products::<V, VECTORS, 2>(taps, window, &mut sums),
                        _ => add_products::<V, VECTORS, 1>(taps, window, &mut sums),
                    }
                }
            }
        }
    }
    for (vector, sum) in sums.into_iter().enumerate() {
        // SAFETY: the caller keeps these outputs in `output`.
        unsafe { sum.store(output.as_mut_ptr().add(begin + vector * V::LANES)) };
    }
}

/// Adds the products with every `LANES`-th tap. Each vector is loaded once, for all the outputs that it meets.
///
/// # Safety
/// `TAPS` taps and `VECTORS + TAPS - 1` vectors, `LANES` apart, must be readable.
#[inline(always)]
unsafe fn add_products<V: Vector, const VECTORS: usize, const TAPS: usize>(
    taps: *const f32,
    window: *const f32,
    sums: &mut [V; VECTORS],
) {
    let mut factors = [V::splat(0.0); TAPS];
    for (group, factor) in factors.iter_mut().enumerate() {
        // SAFETY: the caller's.
        *factor = V::splat(unsafe { *taps.add(group * V::LANES) });
    }
    for place in 0..VECTORS + TAPS - 1 {
        // SAFETY: the caller's.
        let samples = unsafe { V::load(window.add(place * V::LANES)) };
        for (group, &factor) in factors.iter().enumerate() {
            if group <= place && place - group < VECTORS {
                sums[place - group] = factor.multiply_add(samples, sums[place - group]);
            }
        }
    }
}

/// One output, its products in the order of the vectors.
#[inline(always)]
fn correlate_one<V: Vector>(branches: &[Branch<'_>], j: usize) -> f32 {
    let mut sum = 0.0;
    for Branch { taps, stream } in branches {
        let segments = taps.chunks(GROUPS * V::LANES).zip(stream[j..].chunks(GROUPS * V::LANES));
        for (taps, window) in segments {
            for lane in 0..V::LANES.min(taps.len()) {
                for k in (lane..taps.len()).step_by(V::LANES) {
                    sum = V::multiply_add_one(taps[k], window[k], sum);
                }
            }
        }
    }
    sum
}

kernel! {
    /// Fills `output` with the dot products of one row after another, from `first_row` on, with their windows; the
    /// first window begins with `input`.
    ///
    /// # Panics
    /// If `input` ends before the last window does.
    fn convolve_rows(rows: Rows<'_>, first_row: usize, input: &[f32], output: &mut [f32]) {
        convolve_rows::<V>(rows, first_row, input, output)
    }
}

#[inline(always)]
fn convolve_rows<V: Vector>(rows: Rows<'_>, first_row: usize, input: &[f32], output: &mut [f32]) {
    let Rows { coefficients, row_len, ratio: Ratio { up, .. } } = rows;
    let mut walk = loops::Walk::new(rows.ratio, row_len, first_row);
    let last_begin = walk.window_of(output.len().saturating_sub(1));
    assert!(output.is_empty() || last_begin + row_len <= input.len(), "the input holds every window");
    assert!(
        first_row < up && coefficients.len() == up * row_len && row_len.is_multiple_of(ROW_GROUP),
        "whole rows"
    );
    let (fours, rest) = output.as_chunks_mut::<4>();
    for four in fours {
        let places = [walk.step(), walk.step(), walk.step(), walk.step()];
        // SAFETY: every row is in the table, and every window in the input up to the last, as asserted.
        *four = unsafe { four_dots::<V>(coefficients, input, places, row_len) };
    }
    for one in rest {
        // SAFETY: as above.
        [*one, ..] = unsafe { four_dots::<V>(coefficients, input, [walk.step(); 4], row_len) };
    }
}

/// Four dot products side by side, so that none waits for its own last sum.
///
/// # Safety
/// `len` values, a multiple of `LANES`, must follow each first place in `rows` and each second place in `input`.
#[inline(always)]
unsafe fn four_dots<V: Vector>(
    rows: &[f32],
    input: &[f32],
    places: [(usize, usize); 4],
    len: usize,
) -> [f32; 4] {
    let [(row_a, a), (row_b, b), (row_c, c), (row_d, d)] = places;
    let (rows, input) = (rows.as_ptr(), input.as_ptr());
    let [mut sum_a, mut sum_b, mut sum_c, mut sum_d] = [V::splat(0.0); 4];
    // SAFETY: the caller's.
    unsafe {
        let (row_a, row_b, row_c, row_d) =
            (rows.add(row_a), rows.add(row_b), rows.add(row_c), rows.add(row_d));
        let (a, b, c, d) = (input.add(a), input.add(b), input.add(c), input.add(d));
        for k in (0..len).step_by(V::LANES) {
            sum_a = V::load(row_a.add(k)).multiply_add(V::load(a.add(k)), sum_a);
            sum_b = V::load(row_b.add(k)).multiply_add(V::load(b.add(k)), sum_b);
            sum_c = V::load(row_c.add(k)).multiply_add(V::load(c.add(k)), sum_c);
            sum_d = V::load(row_d.add(k)).multiply_add(V::load(d.add(k)), sum_d);
        }
    }
    V::totals([sum_a, sum_b, sum_c, sum_d])
}

kernel! {
    /// Writes the mean of the channels of each frame to `mono`. The sum is exact; the division rounds once.
    ///
    /// # Panics
    /// If `pcm` is not `mono.len()` frames of 1 to 8 channels.
    fn downmix(pcm: &[i16], num_channels: usize, mono: &mut [f32]) {
        loops::downmix(pcm, num_channels, mono)
    }
}

kernel! {
    /// Downmixes the frames of `pcm` and deinterleaves them into the streams of `line`: frame `i` of the line is number
    /// `i / S` of stream `i mod S`, and the first frame of `pcm` is number `at`.
    ///
    /// # Panics
    /// If the line has no room for them.
    fn deinterleave(pcm: &[i16], num_channels: usize, at: usize, num_streams: usize, line: &mut [f32]) {
        loops::deinterleave(pcm, num_channels, at, num_streams, line)
    }
}

kernel! {
    /// Sets every `up`-th of `output`, from `first` on, to the next of `frames`.
    fn interleave(frames: &[f32], first: usize, up: usize, output: &mut [f32]) {
        loops::interleave(frames, first, up, output)
    }
}

kernel! {
    /// Tells what the last window of `voice` holds: the same bits with each instruction set.
    fn classify(voice: &mut VoiceActivity, threshold: f32) -> Window {
        voice.classify(threshold)
    }
}

kernel! {
    /// Rounds `samples` to 16 bits (ties to even), saturates them, and returns how many it had to saturate.
    fn quantise(samples: &[f32], pcm: &mut [i16]) -> u32 {
        loops::quantise(samples, pcm)
    }
}

/// Some `f32` side by side.
///
/// The methods of a processor's vector are called only from code compiled for it, which [`Isa`] sees to.
trait Vector: Copy {
    const LANES: usize;

    fn splat(value: f32) -> Self;

    /// # Safety
    /// `LANES` values must be readable at `from`.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `LANES` values must be writable at `to`.
    unsafe fn store(self, to: *mut f32);

    /// `self * factor + sum` in each lane.
    fn multiply_add(self, factor: Self, sum: Self) -> Self;

    /// What `multiply_add` does in one lane, to the bit.
    fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32;

    /// The sum over the lanes of each; the order is the same for all four.
    fn totals(vectors: [Self; 4]) -> [f32; 4];
}

/// The reference: four lanes that any processor has.
#[derive(Clone, Copy)]
struct Plain([f32; 4]);

impl Vector for Plain {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { from.cast::<[f32; 4]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; 4]>().write(self.0) };
    }

    #[inline(always)]
    fn multiply_add(self, factor: Self, sum: Self) -> Self {
        Self(std::array::from_fn(|lane| Self::multiply_add_one(self.0[lane], factor.0[lane], sum.0[lane])))
    }

    #[inline(always)]
    fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32 {
        a * b + sum
    }

    #[inline(always)]
    fn totals(vectors: [Self; 4]) -> [f32; 4] {
        vectors.map(|Self([a, b, c, d])| (a + b) + (c + d))
    }
}

/// A vector by its intrinsics, which are called only from code for their instruction set; see [`Vector`].
#[allow(unused_macros, reason = "other processors have the plain loops alone")]
macro_rules! vector {
    ($vector:ty, $lanes:literal, $splat:path, $load:path, $store:path,
     $multiply_add:expr, $multiply_add_one:expr, $totals:path) => {
        #[allow(unused_unsafe, reason = "the intrinsics of the target's baseline may be called safely")]
        impl Vector for $vector {
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(value: f32) -> Self {
                // SAFETY: called from code for this instruction set only.
                unsafe { $splat(value) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller's.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller's.
                unsafe { $store(to, self) };
            }

            #[inline(always)]
            fn multiply_add(self, factor: Self, sum: Self) -> Self {
                // SAFETY: called from code for this instruction set only.
                unsafe { $multiply_add(self, factor, sum) }
            }

            #[inline(always)]
            fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32 {
                $multiply_add_one(a, b, sum)
            }

            #[inline(always)]
            fn totals(vectors: [Self; 4]) -> [f32; 4] {
                // SAFETY: called from code for this instruction set only.
                unsafe { $totals(vectors) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use super::Vector;

    vector!(
        __m128,
        4,
        _mm_set1_ps,
        _mm_loadu_ps,
        _mm_storeu_ps,
        multiply_then_add,
        |a, b, sum| a * b + sum,
        totals_4
    );
    vector!(
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        f32::mul_add,
        totals_8
    );
    vector!(
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        f32::mul_add,
        totals_16
    );

    #[inline]
    #[target_feature(enable = "sse2")]
    fn multiply_then_add(a: __m128, b: __m128, sum: __m128) -> __m128 {
        _mm_add_ps(_mm_mul_ps(a, b), sum)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn totals_4([mut a, mut b, mut c, mut d]: [__m128; 4]) -> [f32; 4] {
        // SAFETY: SSE is part of SSE2; a vector is as good as its four lanes.
        unsafe {
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            transmute::<__m128, [f32; 4]>(_mm_add_ps(_mm_add_ps(a, b), _mm_add_ps(c, d)))
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn totals_8([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
        let pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let both = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
        // SAFETY: a vector is as good as its four lanes.
        unsafe { transmute::<__m128, [f32; 4]>(both) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
    fn totals_16([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        totals_8([sum_of_halves(a), sum_of_halves(b), sum_of_halves(c), sum_of_halves(d)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
    fn sum_of_halves(vector: __m512) -> __m256 {
        let high = _mm512_shuffle_f32x4::<0b0000_1110>(vector, vector);
        _mm256_add_ps(_mm512_castps512_ps256(vector), _mm512_castps512_ps256(high))
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;
    use std::mem::transmute;

    use super::Vector;

    vector!(float32x4_t, 4, vdupq_n_f32, vld1q_f32, vst1q_f32, multiply_add, f32::mul_add, totals);

    #[inline]
    #[target_feature(enable = "neon")]
    fn multiply_add(a: float32x4_t, b: float32x4_t, sum: float32x4_t) -> float32x4_t {
        vfmaq_f32(sum, a, b)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn totals([a, b, c, d]: [float32x4_t; 4]) -> [f32; 4] {
        let all = vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
        // SAFETY: a vector is as good as its four lanes.
        unsafe { transmute::<float32x4_t, [f32; 4]>(all) }
    }
}
