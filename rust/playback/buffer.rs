//! The buffer's three ends and the state that they share.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::output::Output;
use super::queue::queue;
use super::reader::PlaybackReader;
use super::timeline::{Item, PlaybackPosition, Timeline};
use super::writer::PlaybackWriter;
use crate::audio::pcm::check_channels;
use crate::audio::resample::check_rate;
use crate::{Error, Result};

/// What a buffer is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackConfig {
    /// Frames per second of what is written.
    pub sample_rate_hz: u32,
    /// Channels of what is written.
    pub num_channels: usize,
    /// Frames per second of what is read.
    pub output_rate_hz: u32,
    /// Channels of what is read: one, as many as are written, or any number where one is written.
    pub output_channels: usize,
    /// How much may wait to be heard.
    pub max_buffered_ms: u64,
}

impl Default for PlaybackConfig {
    fn default() -> Self {
        Self {
            sample_rate_hz: 24_000,
            num_channels: 1,
            output_rate_hz: 24_000,
            output_channels: 1,
            max_buffered_ms: 600_000,
        }
    }
}

impl PlaybackConfig {
    fn check(&self) -> Result<()> {
        check_rate("sample_rate_hz", self.sample_rate_hz)?;
        check_rate("output_rate_hz", self.output_rate_hz)?;
        check_channels("num_channels", self.num_channels)?;
        check_channels("output_channels", self.output_channels)?;
        if self.num_channels > 1 && ![1, self.num_channels].contains(&self.output_channels) {
            let expected = format!("1 or {} (num_channels)", self.num_channels);
            return Err(Error::argument("output_channels", expected, self.output_channels));
        }
        if self.max_buffered_ms == 0 {
            return Err(Error::argument("max_buffered_ms", "at least 1", 0));
        }
        Ok(())
    }

    pub(super) fn max_buffered_frames(&self) -> u64 {
        self.max_buffered_ms.saturating_mul(u64::from(self.sample_rate_hz)).div_ceil(1000)
    }
}

/// A stretch of samples of one item, at `start_frame` of the axis.
#[derive(Debug)]
pub(super) struct Span {
    pub start_frame: u64,
    pub samples: Vec<i16>,
    pub item: Arc<Item>,
}

/// What the three ends share: positions on the axis of written frames, and counters.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Frames written so far. Stored by the producer, with Release after the span was queued.
    pub written: AtomicU64,
    /// The play head: frames heard, faded or dropped so far. Stored by the consumer.
    pub play_head: AtomicU64,
    /// Everything before this frame is dropped at the consumer's next read.
    pub interrupted_to: AtomicU64,
    /// How long that drop may fade.
    pub fade_frames: AtomicU64,
    /// The utterance is complete up to this frame.
    pub finished_to: AtomicU64,
    /// No output until resumed.
    pub paused: AtomicBool,
    /// Everything before this frame was handed out, the tail of the output filter included.
    pub drained_to: AtomicU64,
    pub timeline: Timeline,
    pub underruns: AtomicU64,
    pub silent_frames: AtomicU64,
    pub dropped_frames: AtomicU64,
    pub overrun_frames: AtomicU64,
}

impl Shared {
    pub fn buffered_frames(&self) -> u64 {
        // ORDERING: Acquire pairs with the producer's Release; the heads may move meanwhile, so the
        // written one is read last and cannot be behind the others.
        let consumed = self.play_head.load(Acquire).max(self.interrupted_to.load(Acquire));
        self.written.load(Acquire).saturating_sub(consumed)
    }
}

/// Counters since the buffer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaybackStats {
    /// Frames taken from the producer.
    pub written_frames: u64,
    /// Frames heard.
    pub played_frames: u64,
    /// Frames still to be heard.
    pub buffered_frames: u64,
    /// Frames faded out or dropped by `interrupt` and `clear`.
    pub dropped_frames: u64,
    /// Frames of silence handed out (output frames).
    pub silent_frames: u64,
    /// Times the consumer ran dry in the middle of an utterance.
    pub underruns: u64,
    /// Frames refused because `max_buffered_ms` was reached.
    pub overrun_frames: u64,
}

/// Makes playback buffers.
#[derive(Debug)]
pub struct PlaybackBuffer;

impl PlaybackBuffer {
    /// The producer's, the consumer's and the control end of a new, empty buffer.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that is out of range.
    pub fn with_config(config: PlaybackConfig) -> Result<(PlaybackWriter, PlaybackReader, PlaybackControl)> {
        config.check()?;
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = queue();
        let output = Output::new(&config)?;
        let writer = PlaybackWriter::new(config, Arc::clone(&shared), sender);
        let reader = PlaybackReader::new(config, Arc::clone(&shared), receiver, output);
        Ok((writer, reader, PlaybackControl { config, shared }))
    }
}

/// What any thread may do at any time. No method waits.
#[derive(Debug, Clone)]
pub struct PlaybackControl {
    config: PlaybackConfig,
    shared: Arc<Shared>,
}

impl PlaybackControl {
    /// Drops everything written so far at the consumer's next read, after a fade of at most `fade_ms`
    /// of it. What is written after this call is kept.
    ///
    /// Returns what was heard up to now.
    pub fn interrupt(&self, fade_ms: u32) -> PlaybackPosition {
        let position = self.position();
        let fade_frames = u64::from(fade_ms) * u64::from(self.config.sample_rate_hz) / 1000;
        // ORDERING: the fade is published by the Release of the position that goes with it.
        self.shared.fade_frames.store(fade_frames, Relaxed);
        self.shared.interrupted_to.fetch_max(self.shared.written.load(Acquire), Release);
        position
    }

    /// Drops everything written so far at the consumer's next read.
    pub fn clear(&self) {
        self.interrupt(0);
    }

    /// Silence from the next read on; what is buffered stays.
    pub fn pause(&self) {
        self.shared.paused.store(true, Relaxed);
    }

    /// Goes on where `pause` stopped.
    pub fn resume(&self) {
        self.shared.paused.store(false, Relaxed);
    }

    /// Which item was last heard, and how much of it.
    pub fn position(&self) -> PlaybackPosition {
        self.shared.timeline.position(self.config.sample_rate_hz)
    }

    /// Milliseconds that wait to be heard.
    pub fn buffered_ms(&self) -> f64 {
        self.frames_to_ms(self.shared.buffered_frames())
    }

    /// Milliseconds heard since the buffer was made.
    pub fn played_ms(&self) -> f64 {
        self.frames_to_ms(self.shared.timeline.heard_frames())
    }

    /// Whether nothing is left to be heard.
    pub fn is_idle(&self) -> bool {
        let shared = &self.shared;
        let drained_to = shared.drained_to.load(Acquire).max(shared.interrupted_to.load(Acquire));
        shared.buffered_frames() == 0 && shared.finished_to.load(Acquire) <= drained_to
    }

    /// The counters.
    pub fn stats(&self) -> PlaybackStats {
        let shared = &self.shared;
        PlaybackStats {
            written_frames: shared.written.load(Relaxed),
            played_frames: shared.timeline.heard_frames(),
            buffered_frames: shared.buffered_frames(),
            dropped_frames: shared.dropped_frames.load(Relaxed),
            silent_frames: shared.silent_frames.load(Relaxed),
            underruns: shared.underruns.load(Relaxed),
            overrun_frames: shared.overrun_frames.load(Relaxed),
        }
    }

    fn frames_to_ms(&self, frames: u64) -> f64 {
        frames as f64 * 1000.0 / f64::from(self.config.sample_rate_hz)
    }
}
