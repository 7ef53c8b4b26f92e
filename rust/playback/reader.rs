//! The consumer's end: the frames to be heard, silence where there are none.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::buffer::{PlaybackConfig, Shared, Span};
use super::fade::FadeOut;
use super::output::Output;
use super::queue::Receiver;

/// The consumer's end of a playback buffer: one thread at a time.
#[derive(Debug)]
pub struct PlaybackReader {
    output: Output,
    source: Source,
}

/// The written frames in order, with interrupts and fades applied.
#[derive(Debug)]
pub(super) struct Source {
    num_channels: usize,
    shared: Arc<Shared>,
    spans: Receiver<Span>,
    /// The span at the play head.
    current: Option<Span>,
    play_head: u64,
    /// The last interrupt that was obeyed.
    interrupted_to: u64,
    fade: Option<FadeOut>,
    /// Ran dry in the middle of an utterance, and counted it.
    starved: bool,
}

impl PlaybackReader {
    pub(super) fn new(
        config: PlaybackConfig,
        shared: Arc<Shared>,
        spans: Receiver<Span>,
        output: Output,
    ) -> Self {
        let source = Source {
            num_channels: config.num_channels,
            shared,
            spans,
            current: None,
            play_head: 0,
            interrupted_to: 0,
            fade: None,
            starved: false,
        };
        Self { output, source }
    }

    /// Channels of a frame handed out.
    pub fn output_channels(&self) -> usize {
        self.output.num_channels()
    }

    /// Fills `samples` (whole output frames, interleaved) and returns how many of the frames are real;
    /// the rest is silence at the end.
    ///
    /// # Panics
    /// If `samples` does not end with a whole frame.
    ///
    /// # Real-time
    /// Never waits; frees spans that were heard to their end.
    pub fn read_into(&mut self, samples: &mut [i16]) -> usize {
        let num_channels = self.output_channels();
        assert_eq!(samples.len() % num_channels, 0, "expected whole frames of {num_channels} channels");
        let frames = samples.len() / num_channels;
        let shared = Arc::clone(&self.source.shared);
        let real = if shared.paused.load(Relaxed) {
            0
        } else {
            if self.source.obey_interrupt() {
                self.output.reset();
            }
            let real = self.output.read(&mut self.source, samples);
            self.source.note_underrun(real < frames);
            if !self.output.holds_tail(&self.source) {
                shared.drained_to.store(self.source.play_head, Release);
            }
            real
        };
        samples[real * num_channels..].fill(0);
        shared.silent_frames.fetch_add((frames - real) as u64, Relaxed);
        real
    }
}

impl Source {
    /// Channels of a written frame.
    pub fn num_channels(&self) -> usize {
        self.num_channels
    }

    /// Hands out the next frames as they were written (or faded); fewer than asked for where there are
    /// no more.
    pub fn pull(&mut self, samples: &mut [i16]) -> usize {
        let wanted = samples.len() / self.num_channels;
        let mut done = 0;
        while done < wanted && self.seek_span() {
            let n = self.copy(&mut samples[done * self.num_channels..]);
            done += n;
        }
        // ORDERING: Release pairs with the producer's Acquire: the frames behind the head are freed.
        self.shared.play_head.store(self.play_head, Release);
        done
    }

    /// Whether the utterance was declared complete and has been handed out to its end.
    pub fn is_finished(&self) -> bool {
        // ORDERING: the written head is read first: a later `finish` cannot cover frames it misses.
        let written = self.shared.written.load(Acquire);
        self.play_head == written && self.shared.finished_to.load(Acquire) == written
    }

    /// Starts the fade, or the drop, that an interrupt asked for since the last read. Returns whether
    /// the frames before it are gone at once.
    fn obey_interrupt(&mut self) -> bool {
        let interrupted_to = self.shared.interrupted_to.load(Acquire);
        if interrupted_to == self.interrupted_to {
            return false;
        }
        self.interrupted_to = interrupted_to;
        let pending = interrupted_to.saturating_sub(self.play_head);
        let fade_frames = self.shared.fade_frames.load(Relaxed).min(pending);
        match (self.fade, fade_frames) {
            // A fade that already runs ends as it began: a second one would be a step in the gain.
            (Some(_), 1..) => false,
            (None, 1..) => {
                self.fade = Some(FadeOut::new(fade_frames));
                false
            }
            (_, 0) => {
                self.fade = None;
                self.drop_to(interrupted_to);
                true
            }
        }
    }

    /// Makes `current` the span at the play head, skipping what was dropped.
    fn seek_span(&mut self) -> bool {
        if self.fade.is_some_and(|fade| fade.remaining_frames() == 0) {
            self.fade = None;
            self.drop_to(self.interrupted_to);
        }
        loop {
            if let Some(span) = &self.current {
                if self.play_head < self.span_end(span) {
                    return true;
                }
                self.current = None;
            }
            self.current = self.spans.receive();
            if self.current.is_none() {
                return false;
            }
        }
    }

    /// Copies from the current span, as far as it, the fade and the request go. Returns the frames.
    fn copy(&mut self, samples: &mut [i16]) -> usize {
        let Some(span) = &self.current else { return 0 };
        let offset = (self.play_head - span.start_frame) as usize * self.num_channels;
        let available = &span.samples[offset..];
        let mut n = available.len().min(samples.len());
        if let Some(fade) = &self.fade {
            n = n.min(fade.remaining_frames() as usize * self.num_channels);
        }
        let out = &mut samples[..n];
        out.copy_from_slice(&available[..n]);
        let frames = n / self.num_channels;
        self.play_head += frames as u64;
        match &mut self.fade {
            Some(fade) => {
                fade.apply(out, self.num_channels);
                self.shared.dropped_frames.fetch_add(frames as u64, Relaxed);
            }
            None => self.shared.timeline.advance(&span.item, frames as u64),
        }
        frames
    }

    fn drop_to(&mut self, frame: u64) {
        if self.play_head < frame {
            self.shared.dropped_frames.fetch_add(frame - self.play_head, Relaxed);
            self.play_head = frame;
        }
    }

    fn span_end(&self, span: &Span) -> u64 {
        span.start_frame + (span.samples.len() / self.num_channels) as u64
    }

    /// Counts an underrun once per gap: the read came up short in the middle of an utterance.
    fn note_underrun(&mut self, short: bool) {
        let utterance_from = self.shared.finished_to.load(Acquire).max(self.interrupted_to);
        let in_utterance = self.play_head > utterance_from;
        if short && in_utterance && !self.starved {
            self.shared.underruns.fetch_add(1, Relaxed);
        }
        self.starved = short && in_utterance;
    }
}
