//! A filter at work: the input frames it still needs, and where its next output frame stands among them.

use std::fmt;
use std::sync::Arc;

use super::filter::{MAX_STREAMS, PolyphaseFilter, Ratio};
use super::kernels::{Branch, Isa, Rows};
use super::pcm;

/// The most input frames that are taken before they are filtered.
pub const BLOCK_FRAMES: usize = 960;
/// The most output frames that are filtered before they are quantised.
const OUTPUT_BLOCK_FRAMES: usize = 480;

/// A polyphase filter and its delay line.
///
/// The line keeps the frames `0..filled`, deinterleaved into the streams of the filter: frame `i` is number `i / S` of
/// stream `i mod S`. The window of the next output frame begins at `next`, which may lie beyond `filled`.
pub struct Fir {
    filter: Arc<PolyphaseFilter>,
    isa: Isa,
    line: Box<[f32]>,
    filled: usize,
    next: usize,
    /// The row of the next output frame.
    row: usize,
}

impl fmt::Debug for Fir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filter, filled, next, row, .. } = self;
        let ratio = filter.ratio();
        f.debug_struct("Fir")
            .field("ratio", &ratio)
            .field("filled", filled)
            .field("next", next)
            .field("row", row)
            .finish()
    }
}

impl Fir {
    /// A filter at rest: the input before its first frame counts as silence.
    pub fn new(filter: Arc<PolyphaseFilter>, isa: Isa) -> Self {
        let num_streams = filter.num_streams();
        // At most a window less one frame is kept, and less than `S` frames that a whole shift cannot drop.
        let stream_len = (filter.row_len() + num_streams + BLOCK_FRAMES).div_ceil(num_streams);
        let line = vec![0.0; num_streams * stream_len].into();
        let filled = filter.row_len() - 1;
        Self { filter, isa, line, filled, next: 0, row: 0 }
    }

    /// Takes interleaved frames, at most [`BLOCK_FRAMES`].
    pub fn take(&mut self, pcm: &[i16], num_channels: usize) {
        self.isa.deinterleave(pcm, num_channels, self.filled, self.filter.num_streams(), &mut self.line);
        self.filled += pcm.len() / num_channels;
    }

    /// Takes silent frames, at most [`BLOCK_FRAMES`].
    pub fn take_silence(&mut self, num_frames: usize) {
        self.take(&[0; BLOCK_FRAMES][..num_frames], 1);
    }

    /// Appends the output frames that are due, at most `limit`, and returns how many were saturated.
    pub fn filter_into(&mut self, limit: usize, output: &mut Vec<i16>) -> u64 {
        let mut clipped = 0;
        let mut remaining = self.output_frames_for(0).min(limit);
        let mut filtered = [0.0; OUTPUT_BLOCK_FRAMES];
        while remaining > 0 {
            let filtered = &mut filtered[..remaining.min(OUTPUT_BLOCK_FRAMES)];
            if self.filter.is_side_by_side() {
                self.filter_side_by_side(filtered);
            } else {
                self.filter_one_by_one(filtered);
            }
            clipped += pcm::quantise(self.isa, filtered, output);
            remaining -= filtered.len();
        }
        self.drop_used();
        clipped
    }

    fn filter_one_by_one(&mut self, filtered: &mut [f32]) {
        let rows = Rows {
            coefficients: self.filter.rows(),
            row_len: self.filter.row_len(),
            ratio: self.filter.ratio(),
        };
        self.isa.convolve_rows(rows, self.row, &self.line[self.next..self.filled], filtered);
        self.advance(filtered.len());
    }

    fn filter_side_by_side(&mut self, filtered: &mut [f32]) {
        let Ratio { up, .. } = self.filter.ratio();
        if up == 1 {
            self.filter_every(1, 0, filtered);
        } else {
            let mut scratch = [0.0; OUTPUT_BLOCK_FRAMES];
            for first in 0..up.min(filtered.len()) {
                let sums = &mut scratch[..(filtered.len() - first).div_ceil(up)];
                self.filter_every(up, first, sums);
                self.isa.interleave(sums, first, up, filtered);
            }
        }
        self.advance(filtered.len());
    }

    /// Computes every `up`-th of the next output frames, from `first` on: the outputs of one row.
    fn filter_every(&self, up: usize, first: usize, sums: &mut [f32]) {
        let num_streams = self.filter.num_streams();
        let stream_len = self.line.len() / num_streams;
        let begin = self.next + (self.fraction() + first * self.filter.ratio().down) / up;
        let mut branches = [Branch::default(); MAX_STREAMS];
        for (number, branch) in branches[..num_streams].iter_mut().enumerate() {
            let (skipped, taps) = self.filter.branch((self.row + first) % up, number);
            let (stream, at) = ((begin + number) % num_streams, (begin + number) / num_streams);
            *branch =
                Branch { taps, stream: &self.line[stream * stream_len..][..stream_len][at + skipped..] };
        }
        self.isa.correlate(&branches[..num_streams], sums);
    }

    /// Steps over output frames that were filtered.
    fn advance(&mut self, output_frames: usize) {
        let Ratio { up, down } = self.filter.ratio();
        self.next += (self.fraction() + output_frames * down) / up;
        self.row = (self.row + output_frames) % up;
    }

    /// Drops the frames that no further output frame needs, as far as the streams stay in step.
    fn drop_used(&mut self) {
        let num_streams = self.filter.num_streams();
        let groups = self.next.min(self.filled) / num_streams;
        let kept = self.filled.div_ceil(num_streams) - groups;
        for stream in self.line.chunks_exact_mut(self.line.len() / num_streams) {
            stream.copy_within(groups..groups + kept, 0);
        }
        self.next -= groups * num_streams;
        self.filled -= groups * num_streams;
    }

    /// How far the next output frame stands beyond an input frame, in steps of the common rate.
    fn fraction(&self) -> usize {
        let Ratio { up, down } = self.filter.ratio();
        self.row * down % up
    }

    /// How far the next output frame stands beyond the line, in steps of the common rate: negative where it is due,
    /// else below `M`.
    fn ahead_steps(&self) -> isize {
        let last_of_window = self.next + self.filter.row_len() - 1;
        (last_of_window as isize - self.filled as isize) * self.filter.ratio().up as isize
            + self.fraction() as isize
    }

    /// How many output frames are due after `input_frames` more.
    pub fn output_frames_for(&self, input_frames: usize) -> usize {
        let Ratio { up, down } = self.filter.ratio();
        let behind_steps = (input_frames * up) as isize - self.ahead_steps();
        (behind_steps.max(0) as usize).div_ceil(down)
    }

    /// How many more input frames make `output_frames` due.
    pub fn input_frames_for(&self, output_frames: usize) -> usize {
        let Ratio { up, down } = self.filter.ratio();
        let last_steps = self.ahead_steps() + (output_frames * down) as isize - down as isize;
        if output_frames == 0 || last_steps < 0 { 0 } else { last_steps as usize / up + 1 }
    }

    /// `round(N L / M) + delay` less the output frames so far, from their distance to `N L` alone.
    pub fn tail_frames(&self) -> usize {
        let rounds_down = 2 * self.ahead_steps() > self.filter.ratio().down as isize;
        self.filter.delay_frames() - usize::from(rounds_down)
    }

    /// See [`PolyphaseFilter::delay_frames`].
    pub fn delay_frames(&self) -> usize {
        self.filter.delay_frames()
    }

    /// Forgets the input so far.
    pub fn reset(&mut self) {
        self.line.fill(0.0);
        (self.filled, self.next, self.row) = (self.filter.row_len() - 1, 0, 0);
    }
}
