//! The producer's end: samples, base64 or whole server events in.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::buffer::{PlaybackConfig, Shared, Span};
use super::queue::Sender;
use super::timeline::Item;
use crate::wire::{base64, delta};
use crate::{Error, Result};

/// What one `response.audio.delta` event brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioDelta {
    /// The response it belongs to.
    pub response_id: Option<String>,
    /// The item it belongs to.
    pub item_id: Option<String>,
    /// The item's place in the response.
    pub output_index: u32,
    /// The content part within the item.
    pub content_index: u32,
    /// Frames that the event carried.
    pub num_frames: usize,
    /// Frames that the buffer took: fewer where it was full.
    pub written_frames: usize,
}

/// The producer's end of a playback buffer: one thread at a time.
#[derive(Debug)]
pub struct PlaybackWriter {
    config: PlaybackConfig,
    shared: Arc<Shared>,
    spans: Sender<Span>,
    item: Arc<Item>,
}

impl PlaybackWriter {
    pub(super) fn new(config: PlaybackConfig, shared: Arc<Shared>, spans: Sender<Span>) -> Self {
        Self { config, shared, spans, item: Item::new(None, 0) }
    }

    /// Appends interleaved samples of one content part. Allocates one span.
    ///
    /// Returns the frames taken: fewer than given where `max_buffered_ms` is reached.
    ///
    /// # Errors
    /// `PartialFrame` where the samples do not end with a whole frame.
    pub fn write(&mut self, samples: &[i16], item_id: Option<&str>, content_index: u32) -> Result<usize> {
        let frames = self.whole_frames(samples.len() * 2)?;
        let taken = self.room_for(frames);
        self.append(samples[..taken * self.config.num_channels].to_vec(), item_id, content_index);
        Ok(taken)
    }

    /// Appends base64 of s16le samples, decoded straight into the span.
    ///
    /// # Errors
    /// `InvalidBase64`, and `PartialFrame` where it does not decode to whole frames.
    pub fn write_base64(&mut self, text: &[u8], item_id: Option<&str>, content_index: u32) -> Result<usize> {
        self.decode_and_append(text, item_id, content_index).map(|(_, taken)| taken)
    }

    /// Appends the audio of a raw server event, `None` where it is not a `response.audio.delta`.
    ///
    /// With `response_id`, audio of any other response is dropped: `written_frames` is 0.
    ///
    /// # Errors
    /// `InvalidEvent` where the text is no JSON object or an audio delta without a text `delta`, and as
    /// `write_base64`.
    pub fn write_event(&mut self, text: &[u8], response_id: Option<&str>) -> Result<Option<AudioDelta>> {
        let Some(event) = delta::find(text)? else { return Ok(None) };
        let item_id = event.item_id.as_deref();
        let audio = event.delta.as_bytes();
        let is_stale = response_id.is_some() && response_id != event.response_id.as_deref();
        let (num_frames, written_frames) = match is_stale {
            true => (self.whole_frames(base64::decoded_len(audio)?)?, 0),
            false => self.decode_and_append(audio, item_id, event.content_index)?,
        };
        Ok(Some(AudioDelta {
            response_id: event.response_id.map(|id| id.into_owned()),
            item_id: event.item_id.map(|id| id.into_owned()),
            output_index: event.output_index,
            content_index: event.content_index,
            num_frames,
            written_frames,
        }))
    }

    /// The utterance is complete: running dry from here on is no underrun.
    pub fn finish(&mut self) {
        self.shared.finished_to.store(self.shared.written.load(Relaxed), Release);
    }

    fn decode_and_append(&mut self, text: &[u8], id: Option<&str>, index: u32) -> Result<(usize, usize)> {
        let num_bytes = base64::decoded_len(text)?;
        let mut samples = vec![0_i16; num_bytes.div_ceil(2)];
        base64::decode_into(text, &mut bytemuck::cast_slice_mut(&mut samples)[..num_bytes])?;
        let frames = self.whole_frames(num_bytes)?;
        let taken = self.room_for(frames);
        samples.truncate(taken * self.config.num_channels);
        self.append(samples, id, index);
        Ok((frames, taken))
    }

    fn whole_frames(&self, actual_bytes: usize) -> Result<usize> {
        let frame_bytes = 2 * self.config.num_channels;
        match actual_bytes % frame_bytes {
            0 => Ok(actual_bytes / frame_bytes),
            _ => Err(Error::PartialFrame { frame_bytes, actual_bytes }),
        }
    }

    /// How many of `frames` fit. What an interrupt gave up is still held until the consumer drops it,
    /// so it counts: memory stays bounded even where nobody reads.
    fn room_for(&self, frames: usize) -> usize {
        let held = self.shared.written.load(Relaxed) - self.shared.play_head.load(Acquire);
        let room = self.config.max_buffered_frames().saturating_sub(held);
        let taken = frames.min(usize::try_from(room).unwrap_or(usize::MAX));
        self.shared.overrun_frames.fetch_add((frames - taken) as u64, Relaxed);
        taken
    }

    fn append(&mut self, samples: Vec<i16>, item_id: Option<&str>, content_index: u32) {
        if samples.is_empty() {
            return;
        }
        if !self.item.is(item_id, content_index) {
            self.item = Item::new(item_id, content_index);
        }
        let frames = (samples.len() / self.config.num_channels) as u64;
        let start_frame = self.shared.written.load(Relaxed);
        self.spans.send(Span { start_frame, samples, item: Arc::clone(&self.item) });
        // ORDERING: Release: whoever sees the new head can also find the span.
        self.shared.written.store(start_frame + frames, Release);
    }
}
