//! The inner loops over samples, compiled once per instruction set and chosen at run time.
//!
//! Each kernel is one loop over a [`Vector`]; what differs between instruction sets is its width and whether it
//! fuses a product and a sum into one rounding. Every output frame sums its products in an order of its own that
//! does not depend on the frames beside it, so within one instruction set its bits depend on its input frames
//! alone, never on its place in a vector or in a call. Between instruction sets they differ by the rounding of
//! `f32`. [`Isa::PORTABLE`] is the reference that the others are tested against.

use super::filter::Ratio;

/// An instruction set that this processor has: the proof that its kernels may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Sse2,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// Plain loops, on any processor.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// All that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::PORTABLE];
        // Part of every x86-64, as NEON is of every aarch64.
        #[cfg(target_arch = "x86_64")]
        sets.push(Self(Level::Sse2));
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            sets.push(Self(Level::Avx2));
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                sets.push(Self(Level::Avx512));
            }
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(Self(Level::Neon));
        sets
    }

    /// The best that this processor has.
    pub fn best() -> Self {
        static BEST: std::sync::LazyLock<Isa> =
            std::sync::LazyLock::new(|| Isa::available().pop().unwrap_or(Isa::PORTABLE));
        *BEST
    }
}

/// Defines `Isa::$name`, which runs `$name::<V>` compiled for the instruction set of the vector `V`.
macro_rules! kernel {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $output:ty)?) => {
        impl Isa {
            $(#[$doc])*
            pub fn $name(self, $($argument: $type),*) $(-> $output)? {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $output)? {
                    $name::<std::arch::x86_64::__m256>($($argument),*)
                }
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
                fn avx512($($argument: $type),*) $(-> $output)? {
                    $name::<std::arch::x86_64::__m512>($($argument),*)
                }
                match self.0 {
                    Level::Portable => $name::<Plain>($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Level::Sse2 => $name::<std::arch::x86_64::__m128>($($argument),*),
                    // SAFETY: an `Isa` of this level is made only after its features were detected.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => unsafe { avx2($($argument),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => unsafe { avx512($($argument),*) },
                    #[cfg(target_arch = "aarch64")]
                    Level::Neon => $name::<std::arch::aarch64::float32x4_t>($($argument),*),
                }
            }
        }
    };
}

/// Some frames of one stream and the taps they are multiplied with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Branch<'a> {
    /// The coefficients, for the oldest frame first.
    pub taps: &'a [f32],
    /// The stream, from the oldest frame of the first window on.
    pub stream: &'a [f32],
}

kernel! {
    /// Sets `output[j]` to the sum over all branches of the dot product of the taps with the stream from `j` on.
    ///
    /// # Panics
    /// If a stream ends before the last window does.
    fn correlate(branches: &[Branch<'_>], output: &mut [f32])
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

/// The rows of a polyphase filter.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Row after row.
    pub coefficients: &'a [f32],
    /// Coefficients per row, a multiple of [`ROW_GROUP`].
    pub row_len: usize,
    /// Rows and how far each is from the one before it.
    pub ratio: Ratio,
}

/// Rows are padded to whole groups of this many coefficients: the widest vector.
pub const ROW_GROUP: usize = 16;

kernel! {
    /// Fills `output` with the dot products of one row after another, from `first_row` on, with their windows; the
    /// first window begins with `input`.
    ///
    /// # Panics
    /// If `input` ends before the last window does.
    fn convolve_rows(rows: Rows<'_>, first_row: usize, input: &[f32], output: &mut [f32])
}

#[inline(always)]
fn convolve_rows<V: Vector>(rows: Rows<'_>, first_row: usize, input: &[f32], output: &mut [f32]) {
    let Rows { coefficients, row_len, ratio: Ratio { up, down } } = rows;
    let fraction = first_row * down % up;
    let last_begin = (fraction + output.len().saturating_sub(1) * down) / up;
    assert!(output.is_empty() || last_begin + row_len <= input.len(), "the input holds every window");
    assert!(
        first_row < up && coefficients.len() == up * row_len && row_len.is_multiple_of(ROW_GROUP),
        "whole rows"
    );
    let mut walk = Walk {
        row: first_row * row_len,
        begin: 0,
        fraction,
        table_len: up * row_len,
        up,
        whole: down / up,
        part: down % up,
    };
    let (fours, rest) = output.as_chunks_mut::<4>();
    for four in fours {
        let places = [walk.step(row_len), walk.step(row_len), walk.step(row_len), walk.step(row_len)];
        // SAFETY: every row is in the table, and every window in the input up to the last, as asserted.
        *four = unsafe { four_dots::<V>(coefficients, input, places, row_len) };
    }
    for one in rest {
        // SAFETY: as above.
        [*one, ..] = unsafe { four_dots::<V>(coefficients, input, [walk.step(row_len); 4], row_len) };
    }
}

/// Where the row and the window of an output begin.
struct Walk {
    row: usize,
    begin: usize,
    /// How far the output stands beyond the last frame of its window, in steps of the common rate.
    fraction: usize,
    table_len: usize,
    up: usize,
    /// `M` in whole multiples of `L`, and the rest.
    whole: usize,
    part: usize,
}

impl Walk {
    /// The beginnings for this output; then on to the next.
    #[inline(always)]
    fn step(&mut self, row_len: usize) -> (usize, usize) {
        let places = (self.row, self.begin);
        self.row = if self.row + row_len == self.table_len { 0 } else { self.row + row_len };
        let carries = self.fraction + self.part >= self.up;
        self.begin += self.whole + usize::from(carries);
        self.fraction = self.fraction + self.part - if carries { self.up } else { 0 };
        places
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
    fn downmix(pcm: &[i16], num_channels: usize, mono: &mut [f32])
}

#[inline(always)]
fn downmix<V: Vector>(pcm: &[i16], num_channels: usize, mono: &mut [f32]) {
    assert_eq!(pcm.len(), mono.len() * num_channels, "one frame for each mono sample");
    match num_channels {
        1 => mean_of::<1>(pcm, mono),
        2 => mean_of_two(pcm, mono),
        3 => mean_of::<3>(pcm, mono),
        4 => mean_of::<4>(pcm, mono),
        5 => mean_of::<5>(pcm, mono),
        6 => mean_of::<6>(pcm, mono),
        7 => mean_of::<7>(pcm, mono),
        8 => mean_of::<8>(pcm, mono),
        _ => unreachable!("checked when the channel count was given"),
    }
}

/// Both samples of a frame in one load, which spares the shuffles of a general channel count.
#[inline(always)]
fn mean_of_two(pcm: &[i16], mono: &mut [f32]) {
    let (frames, _) = bytemuck::cast_slice::<i16, u8>(pcm).as_chunks::<4>();
    for (mean, frame) in mono.iter_mut().zip(frames) {
        *mean = frame.mean();
    }
}

/// The mean of the two samples of a stereo frame.
#[inline(always)]
fn mean_of_pair(frame: u32) -> f32 {
    let frame = frame as i32;
    let (left, right) = ((frame << 16) >> 16, frame >> 16);
    left.wrapping_add(right) as f32 * 0.5
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
    /// Downmixes the frames of `pcm` and deals them out to the streams of `line`: frame `i` of the line is number
    /// `i / S` of stream `i mod S`, and the first frame of `pcm` is number `at`.
    ///
    /// # Panics
    /// If the line has no room for them.
    fn deal_out(pcm: &[i16], num_channels: usize, at: usize, num_streams: usize, line: &mut [f32])
}

#[inline(always)]
fn deal_out<V: Vector>(pcm: &[i16], num_channels: usize, at: usize, num_streams: usize, line: &mut [f32]) {
    match (num_channels, num_streams) {
        (_, 1) => downmix::<V>(pcm, num_channels, &mut line[at..][..pcm.len() / num_channels]),
        (1, _) => deal_frames(pcm, at, num_streams, line),
        (2, 2) => deal_stereo_to_two(pcm, at, line),
        (2, _) => deal_frames(bytemuck::cast_slice::<i16, u8>(pcm).as_chunks::<4>().0, at, num_streams, line),
        _ => {
            let mut mono = [0.0; DEALT_FRAMES];
            for (block, pcm) in pcm.chunks(DEALT_FRAMES * num_channels).enumerate() {
                let mono = &mut mono[..pcm.len() / num_channels];
                downmix::<V>(pcm, num_channels, mono);
                deal_frames(mono, at + block * DEALT_FRAMES, num_streams, line);
            }
        }
    }
}

/// The frames that are downmixed before they are dealt out.
const DEALT_FRAMES: usize = 480;

/// The samples of one instant.
trait Frame: Copy {
    fn mean(self) -> f32;
}

impl Frame for f32 {
    #[inline(always)]
    fn mean(self) -> f32 {
        self
    }
}

impl Frame for i16 {
    #[inline(always)]
    fn mean(self) -> f32 {
        self.into()
    }
}

/// A stereo frame, in one load.
impl Frame for [u8; 4] {
    #[inline(always)]
    fn mean(self) -> f32 {
        mean_of_pair(u32::from_le_bytes(self))
    }
}

/// The most common case: a pair of frames is one 64-bit word, of which each stream takes a half.
#[inline(always)]
fn deal_stereo_to_two(pcm: &[i16], at: usize, line: &mut [f32]) {
    let (pairs, rest) = bytemuck::cast_slice::<i16, u8>(pcm).as_chunks::<8>();
    let (even, odd) = line.split_at_mut(line.len() / 2);
    let (first, second) = if at.is_multiple_of(2) {
        (&mut even[at / 2..], &mut odd[at / 2..])
    } else {
        (&mut odd[at / 2..], &mut even[at / 2 + 1..])
    };
    for (place, pair) in first.iter_mut().zip(pairs) {
        *place = mean_of_pair(u64::from_le_bytes(*pair) as u32);
    }
    for (place, pair) in second.iter_mut().zip(pairs) {
        *place = mean_of_pair((u64::from_le_bytes(*pair) >> 32) as u32);
    }
    if let Some(frame) = rest.first_chunk() {
        first[pairs.len()] = mean_of_pair(u32::from_le_bytes(*frame));
    }
}

#[inline(always)]
fn deal_frames<T: Frame>(frames: &[T], at: usize, num_streams: usize, line: &mut [f32]) {
    match num_streams {
        2 => deal_frames_to::<T, 2>(frames, at, line),
        3 => deal_frames_to::<T, 3>(frames, at, line),
        4 => deal_frames_to::<T, 4>(frames, at, line),
        6 => deal_frames_to::<T, 6>(frames, at, line),
        _ => {
            let stream_len = line.len() / num_streams;
            for (i, &frame) in (at..).zip(frames) {
                line[i % num_streams * stream_len + i / num_streams] = frame.mean();
            }
        }
    }
}

/// Stream by stream, with a constant stride that the compiler turns into shuffles.
#[inline(always)]
fn deal_frames_to<T: Frame, const STREAMS: usize>(frames: &[T], at: usize, line: &mut [f32]) {
    let stream_len = line.len() / STREAMS;
    for (stream, room) in line.chunks_exact_mut(stream_len).enumerate() {
        let first = ((stream + STREAMS - at % STREAMS) % STREAMS).min(frames.len());
        let (groups, rest) = frames[first..].as_chunks::<STREAMS>();
        let room = &mut room[(at + first) / STREAMS..];
        for (place, group) in room.iter_mut().zip(groups) {
            *place = group[0].mean();
        }
        if let Some(&last) = rest.first() {
            room[groups.len()] = last.mean();
        }
    }
}

kernel! {
    /// Sets every `up`-th of `output`, from `first` on, to the next of `frames`.
    fn interleave(frames: &[f32], first: usize, up: usize, output: &mut [f32])
}

#[inline(always)]
fn interleave<V: Vector>(frames: &[f32], first: usize, up: usize, output: &mut [f32]) {
    match up {
        2 => interleave_by::<2>(frames, first, output),
        3 => interleave_by::<3>(frames, first, output),
        4 => interleave_by::<4>(frames, first, output),
        6 => interleave_by::<6>(frames, first, output),
        _ => {
            for (place, &frame) in output[first..].iter_mut().step_by(up).zip(frames) {
                *place = frame;
            }
        }
    }
}

#[inline(always)]
fn interleave_by<const UP: usize>(frames: &[f32], first: usize, output: &mut [f32]) {
    let (groups, rest) = output[first..].as_chunks_mut::<UP>();
    for (group, &frame) in groups.iter_mut().zip(frames) {
        group[0] = frame;
    }
    if let (Some(place), Some(&last)) = (rest.first_mut(), frames.get(groups.len())) {
        *place = last;
    }
}

kernel! {
    /// Rounds `samples` to 16 bits (ties to even), saturates them, and returns how many it had to saturate.
    fn quantise(samples: &[f32], pcm: &mut [i16]) -> u32
}

#[inline(always)]
fn quantise<V: Vector>(samples: &[f32], pcm: &mut [i16]) -> u32 {
    /// 1.5 * 2^23: a sum with it has no fraction bits, so the addition rounds, and its lowest bits are the integer.
    const NO_FRACTION: f32 = 12_582_912.0;
    let mut clipped = 0;
    for (sample, pcm) in samples.iter().zip(pcm) {
        let is_clipped = (*sample >= 32_767.5) | (*sample < -32_768.5);
        clipped = u32::wrapping_add(clipped, is_clipped.into());
        *pcm = (sample.clamp(-32_768.0, 32_767.0) + NO_FRACTION).to_bits() as i16;
    }
    clipped
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    impl Vector for __m128 {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: SSE2 is part of x86-64.
            unsafe { _mm_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { _mm_storeu_ps(to, self) };
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: SSE2 is part of x86-64.
            unsafe { _mm_add_ps(_mm_mul_ps(self, factor), sum) }
        }

        #[inline(always)]
        fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32 {
            a * b + sum
        }

        #[inline(always)]
        fn totals([mut a, mut b, mut c, mut d]: [Self; 4]) -> [f32; 4] {
            // SAFETY: SSE2 is part of x86-64; a vector is as good as its four lanes.
            unsafe {
                _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
                std::mem::transmute::<__m128, [f32; 4]>(_mm_add_ps(_mm_add_ps(a, b), _mm_add_ps(c, d)))
            }
        }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: called from code for AVX2 only.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { _mm256_storeu_ps(to, self) };
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: called from code for FMA only.
            unsafe { _mm256_fmadd_ps(self, factor, sum) }
        }

        #[inline(always)]
        fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32 {
            a.mul_add(b, sum)
        }

        #[inline(always)]
        fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            // SAFETY: called from code for AVX2 only; a vector is as good as its four lanes.
            unsafe {
                let pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
                let (low, high) = (_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
                std::mem::transmute::<__m128, [f32; 4]>(_mm_add_ps(low, high))
            }
        }
    }

    impl Vector for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: called from code for AVX-512 only.
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { _mm512_storeu_ps(to, self) };
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: called from code for AVX-512 only.
            unsafe { _mm512_fmadd_ps(self, factor, sum) }
        }

        #[inline(always)]
        fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32 {
            a.mul_add(b, sum)
        }

        #[inline(always)]
        fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            <__m256 as Vector>::totals([halves(a), halves(b), halves(c), halves(d)])
        }
    }

    /// The sum of both halves.
    #[inline(always)]
    fn halves(vector: __m512) -> __m256 {
        // SAFETY: called from code for AVX-512 only.
        unsafe {
            let high = _mm512_shuffle_f32x4::<0b0000_1110>(vector, vector);
            _mm256_add_ps(_mm512_castps512_ps256(vector), _mm512_castps512_ps256(high))
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Vector;

    impl Vector for float32x4_t {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: NEON is part of aarch64.
            unsafe { vdupq_n_f32(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { vld1q_f32(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { vst1q_f32(to, self) };
        }

        #[inline(always)]
        fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: NEON is part of aarch64.
            unsafe { vfmaq_f32(sum, self, factor) }
        }

        #[inline(always)]
        fn multiply_add_one(a: f32, b: f32, sum: f32) -> f32 {
            a.mul_add(b, sum)
        }

        #[inline(always)]
        fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
            // SAFETY: NEON is part of aarch64; a vector is as good as its four lanes.
            unsafe {
                let pairs = vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
                std::mem::transmute::<float32x4_t, [f32; 4]>(pairs)
            }
        }
    }
}
