//! What the kernels walk over, and loops over samples that the compiler turns into vectors by itself.
//! [`kernels`](super::kernels) compiles them for each instruction set; all give the same bits on each.

use super::filter::Ratio;

/// Some frames of one stream and the taps they are multiplied with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Branch<'a> {
    /// The coefficients, for the oldest frame first.
    pub taps: &'a [f32],
    /// The stream, from the oldest frame of the first window on.
    pub stream: &'a [f32],
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

/// See [`Isa::downmix`](super::kernels::Isa::downmix).
#[inline(always)]
pub fn downmix(pcm: &[i16], num_channels: usize, mono: &mut [f32]) {
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

/// See [`Isa::deinterleave`](super::kernels::Isa::deinterleave).
#[inline(always)]
pub fn deinterleave(pcm: &[i16], num_channels: usize, at: usize, num_streams: usize, line: &mut [f32]) {
    match (num_channels, num_streams) {
        (_, 1) => downmix(pcm, num_channels, &mut line[at..][..pcm.len() / num_channels]),
        (1, _) => deinterleave_frames(pcm, at, num_streams, line),
        (2, 2) => deinterleave_stereo_by_two(pcm, at, line),
        (2, _) => deinterleave_frames(
            bytemuck::cast_slice::<i16, u8>(pcm).as_chunks::<4>().0,
            at,
            num_streams,
            line,
        ),
        _ => {
            let mut mono = [0.0; BLOCK_FRAMES];
            for (block, pcm) in pcm.chunks(BLOCK_FRAMES * num_channels).enumerate() {
                let mono = &mut mono[..pcm.len() / num_channels];
                downmix(pcm, num_channels, mono);
                deinterleave_frames(mono, at + block * BLOCK_FRAMES, num_streams, line);
            }
        }
    }
}

/// The frames that are downmixed before they are deinterleaved.
const BLOCK_FRAMES: usize = 480;

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
fn deinterleave_stereo_by_two(pcm: &[i16], at: usize, line: &mut [f32]) {
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
fn deinterleave_frames<T: Frame>(frames: &[T], at: usize, num_streams: usize, line: &mut [f32]) {
    match num_streams {
        2 => deinterleave_by::<T, 2>(frames, at, line),
        3 => deinterleave_by::<T, 3>(frames, at, line),
        4 => deinterleave_by::<T, 4>(frames, at, line),
        6 => deinterleave_by::<T, 6>(frames, at, line),
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
fn deinterleave_by<T: Frame, const STREAMS: usize>(frames: &[T], at: usize, line: &mut [f32]) {
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

/// See [`Isa::interleave`](super::kernels::Isa::interleave).
#[inline(always)]
pub fn interleave(frames: &[f32], first: usize, up: usize, output: &mut [f32]) {
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

/// See [`Isa::quantise`](super::kernels::Isa::quantise).
#[inline(always)]
pub fn quantise(samples: &[f32], pcm: &mut [i16]) -> u32 {
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

/// Where the row and the window of each output begin, one output after another.
pub struct Walk {
    ratio: Ratio,
    row_len: usize,
    row: usize,
    window: usize,
    /// How far the output stands beyond the last frame of its window, in steps of the common rate.
    fraction: usize,
    /// `M` in whole multiples of `L`, and the rest.
    whole: usize,
    part: usize,
}

impl Walk {
    /// Begins with an output of `first_row`, whose window begins at 0.
    #[inline(always)]
    pub fn new(ratio: Ratio, row_len: usize, first_row: usize) -> Self {
        let Ratio { up, down } = ratio;
        let fraction = first_row * down % up;
        Self { ratio, row_len, row: first_row, window: 0, fraction, whole: down / up, part: down % up }
    }

    /// Where the window of the `outputs`-th output from here begins.
    #[inline(always)]
    pub fn window_of(&self, outputs: usize) -> usize {
        self.window + (self.fraction + outputs * self.ratio.down) / self.ratio.up
    }

    /// The beginnings of row and window for this output; then on to the next.
    #[inline(always)]
    pub fn step(&mut self) -> (usize, usize) {
        let places = (self.row * self.row_len, self.window);
        self.row = if self.row + 1 == self.ratio.up { 0 } else { self.row + 1 };
        let carries = self.fraction + self.part >= self.ratio.up;
        self.window += self.whole + usize::from(carries);
        self.fraction = self.fraction + self.part - if carries { self.ratio.up } else { 0 };
        places
    }
}
