//! What a buffer is made for, and its control end.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::output::Output;
use super::queue::queue;
use super::reader::PlaybackReader;
use super::samples::samples;
use super::shared::Shared;
use super::timeline::{Item, PlaybackPosition};
use super::writer::PlaybackWriter;
use crate::audio::pcm::check_channels;
use crate::audio::resample::check_rate;
use crate::capture::Encoding;
use crate::{Error, Result};

/// What a buffer is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackConfig {
    /// Frames per second of what is written.
    pub sample_rate_hz: u32,
    /// Channels of what is written.
    pub num_channels: usize,
    /// How base64 and events carry it.
    pub encoding: Encoding,
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
            encoding: Encoding::Pcm16,
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

/// Counters since the buffer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaybackStats {
    /// Frames taken from the producer.
    pub written_frames: u64,
    /// Frames heard.
    pub played_frames: u64,
    /// Frames still to be heard; what is interrupted and may still fade before them is none.
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
        Self::starting_at(0, config)
    }

    /// As `with_config`, with an axis that begins at `first_frame`: as after days of audio.
    fn starting_at(
        first_frame: u64,
        config: PlaybackConfig,
    ) -> Result<(PlaybackWriter, PlaybackReader, PlaybackControl)> {
        config.check()?;
        let nothing = Item::new(None, 0);
        let shared = Arc::new(Shared::new(first_frame, &nothing));
        let (sender, receiver) = queue();
        let (sample_writer, sample_reader) = samples();
        let output = Output::new(&config)?;
        let writer = PlaybackWriter::new(config, Arc::clone(&shared), sender, sample_writer, &nothing);
        let reader =
            PlaybackReader::new(config, Arc::clone(&shared), receiver, sample_reader, nothing, output);
        Ok((writer, reader, PlaybackControl { config, first_frame, shared }))
    }
}

/// What any thread may do at any time. No method waits.
#[derive(Debug, Clone)]
pub struct PlaybackControl {
    config: PlaybackConfig,
    first_frame: u64,
    shared: Arc<Shared>,
}

impl PlaybackControl {
    /// Drops everything written so far at the consumer's next read, after a fade of at most `fade_ms`
    /// of it (and of 2^20 frames). What is written after this call is kept.
    ///
    /// Returns what was heard up to now.
    pub fn interrupt(&self, fade_ms: u32) -> PlaybackPosition {
        // Before the mark: what follows the interrupt may be heard at once.
        let position = self.position();
        self.shared.interrupt_now(u64::from(fade_ms) * u64::from(self.config.sample_rate_hz) / 1000);
        position
    }

    /// Drops everything written so far at the consumer's next read.
    pub fn clear(&self) {
        self.shared.interrupt_now(0);
    }

    /// Silence from the next read on; what is buffered stays.
    pub fn pause(&self) {
        self.shared.set_paused(true);
    }

    /// Goes on where `pause` stopped.
    pub fn resume(&self) {
        self.shared.set_paused(false);
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

    /// Whether nothing is left to be heard for now.
    pub fn is_idle(&self) -> bool {
        let drained_to = self.shared.drained_to();
        self.shared.buffered_frames() == 0 && self.shared.finished_to() <= drained_to
    }

    /// Whether all that was written has been handed out to the end of a complete utterance, or was cut off
    /// (then at once, also while it fades): as `is_idle`, but not where the buffer merely ran dry.
    pub fn is_finished(&self) -> bool {
        let shared = &self.shared;
        let complete_to = shared.finished_to().max(shared.interrupt().to_frame());
        shared.drained_to() >= complete_to && complete_to == shared.written()
    }

    /// The counters.
    pub fn stats(&self) -> PlaybackStats {
        let shared = &self.shared;
        PlaybackStats {
            written_frames: shared.written() - self.first_frame,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A month of 48 kHz and more, and every place where a narrower counter would wrap.
    const AXIS_STARTS: [u64; 5] =
        [0, (1 << 31) - 700, (1 << 32) - 700, 48_000 * 86_400 * 31, (1 << 44) - 9_000];

    fn heard(reader: &mut PlaybackReader, frames: usize) -> Vec<i16> {
        let mut samples = vec![0; frames * reader.output_channels()];
        let real = reader.read_into(&mut samples);
        samples.truncate(real * reader.output_channels());
        samples
    }

    fn session(first_frame: u64, output_rate_hz: u32) -> (Vec<i16>, Vec<PlaybackPosition>, PlaybackStats) {
        let config = PlaybackConfig { output_rate_hz, ..PlaybackConfig::default() };
        let (mut writer, mut reader, control) =
            PlaybackBuffer::starting_at(first_frame, config).expect("a valid configuration");
        let (mut samples, mut positions) = (Vec::new(), Vec::new());
        for turn in 0..3_i16 {
            for item in ["a", "b"] {
                let chunk: Vec<i16> = (0..600).map(|n| 100 * turn + n % 90).collect();
                assert_eq!(writer.write(&chunk, Some(item), 0), Ok(600));
            }
            samples.extend(heard(&mut reader, 700));
            positions.push(control.position());
            control.interrupt(if turn == 1 { 10 } else { 0 });
            writer.write(&[7; 480], Some("c"), 2).expect("written");
            samples.extend(heard(&mut reader, 960));
            positions.push(control.position());
            writer.finish();
            samples.extend(heard(&mut reader, 2_000));
            positions.push(control.position());
            assert!(control.is_idle() && control.is_finished());
        }
        let stats = control.stats();
        assert_eq!(stats.buffered_frames, 0);
        assert_eq!(stats.written_frames, stats.played_frames + stats.dropped_frames);
        (samples, positions, stats)
    }

    #[test]
    fn nothing_changes_after_days() {
        for output_rate_hz in [24_000, 48_000, 16_000] {
            let first = session(0, output_rate_hz);
            assert_eq!(
                first.1[2],
                PlaybackPosition { item_id: Some("c".into()), content_index: 2, audio_end_ms: 20 }
            );
            for first_frame in AXIS_STARTS {
                assert!(session(first_frame, output_rate_hz) == first, "from frame {first_frame}");
            }
        }
    }
}
