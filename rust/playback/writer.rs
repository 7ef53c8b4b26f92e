//! The producer's end: samples, base64 or whole server events in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rtrb::Consumer;

use super::buffer::PlaybackConfig;
use super::queue::Sender;
use super::samples::{NextRing, SampleWriter};
use super::shared::Shared;
use super::timeline::Item;
use crate::audio::g711::Law;
use crate::capture::Encoding;
use crate::wire::base64;
use crate::wire::delta::{self, AudioDeltaEvent};
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
    /// Frames that had been written before: where these begin on the axis of `PlaybackStats::written_frames`.
    pub start_frame: u64,
    /// Frames that the buffer took: fewer where it was full.
    pub written_frames: usize,
    /// Bytes at the end that were no whole frame, and were dropped.
    pub trimmed_bytes: usize,
}

impl AudioDelta {
    /// Whether `next` is of the same content part.
    pub fn continues_in(&self, next: &Self) -> bool {
        (&self.response_id, &self.item_id, self.output_index, self.content_index)
            == (&next.response_id, &next.item_id, next.output_index, next.content_index)
    }

    /// Counts the frames of `next` to these.
    pub fn add(&mut self, next: &Self) {
        self.num_frames += next.num_frames;
        self.written_frames += next.written_frames;
        self.trimmed_bytes += next.trimmed_bytes;
    }
}

/// What changes at a frame of the axis.
#[derive(Debug)]
pub(super) struct Mark {
    pub at_frame: u64,
    pub kind: MarkKind,
}

#[derive(Debug)]
pub(super) enum MarkKind {
    /// From here on, the samples are of this item.
    Item(Arc<Item>),
    /// From here on, the samples are in this ring.
    Ring(Consumer<i16>),
}

/// The producer's end of a playback buffer: one thread at a time.
///
/// # Real-time
/// A write never waits. It allocates where the backlog outgrows the memory that is there (twice what there was,
/// up to 256 KiB at a time) and where a new item begins, and it frees at most one ring that was heard.
#[derive(Debug)]
pub struct PlaybackWriter {
    config: PlaybackConfig,
    shared: Arc<Shared>,
    marks: Sender<Mark>,
    samples: SampleWriter,
    first_frame: u64,
    written: u64,
    /// Room for the code words of an event, reused within an utterance.
    codes: Vec<u8>,
    /// The item being written, and those before it that may be in use: the newest last. Kept here so that
    /// the consumer never frees one.
    items: VecDeque<Arc<Item>>,
}

impl PlaybackWriter {
    pub(super) fn new(
        config: PlaybackConfig,
        shared: Arc<Shared>,
        marks: Sender<Mark>,
        samples: SampleWriter,
        nothing: &Arc<Item>,
    ) -> Self {
        let items = VecDeque::from([Arc::clone(nothing)]);
        let first_frame = shared.written();
        Self { config, shared, marks, samples, first_frame, written: first_frame, codes: Vec::new(), items }
    }

    /// Appends interleaved samples of one content part.
    ///
    /// Returns the frames taken: fewer than given where `max_buffered_ms` is reached.
    ///
    /// # Errors
    /// `PartialFrame` where the samples do not end with a whole frame.
    pub fn write(&mut self, samples: &[i16], item_id: Option<&str>, content_index: u32) -> Result<usize> {
        let frames = whole_frames(samples.len() * 2, 2 * self.config.num_channels)?;
        self.append(frames, item_id, content_index, |parts| {
            let mut rest = samples;
            for part in parts {
                let (now, later) = rest.split_at(part.len());
                part.copy_from_slice(now);
                rest = later;
            }
            Ok(())
        })
    }

    /// Appends base64 of s16le samples, decoded straight into the queue, or of G.711 code words.
    ///
    /// # Errors
    /// `InvalidBase64`, and `PartialFrame` where it does not decode to whole frames.
    pub fn write_base64(&mut self, text: &[u8], item_id: Option<&str>, content_index: u32) -> Result<usize> {
        self.decode_and_append(text, item_id, content_index).map(|(_, taken)| taken)
    }

    /// Appends the audio of a raw server event, `None` where it is not a `response.audio.delta`.
    ///
    /// With `response_id`, audio of any other response is dropped: `written_frames` is 0. "" is no response's.
    ///
    /// # Errors
    /// `InvalidEvent` where the text is no JSON object or an audio delta without a text `delta`, and as
    /// `write_base64`.
    pub fn write_event(&mut self, text: &[u8], response_id: Option<&str>) -> Result<Option<AudioDelta>> {
        let Some(event) = delta::find(text)? else { return Ok(None) };
        let start_frame = self.written - self.first_frame;
        let audio = event.delta.as_ref();
        let written = match is_stale(&event, response_id) {
            true => (self.frames_in(audio)?, 0),
            false => self.decode_and_append(audio, event.item_id.as_deref(), event.content_index)?,
        };
        Ok(Some(brought(event, start_frame, written, 0)))
    }

    /// As `write_event`, where audio that ends within a frame loses that: to carry it over would turn all that
    /// follows into noise.
    ///
    /// # Errors
    /// As `write_event`, but for `PartialFrame`.
    pub fn write_event_trimmed(
        &mut self,
        text: &[u8],
        response_id: Option<&str>,
    ) -> Result<Option<AudioDelta>> {
        let frame_bytes = match self.write_event(text, response_id) {
            Err(Error::PartialFrame { frame_bytes, .. }) => frame_bytes,
            other => return other,
        };
        let Some(event) = delta::find(text)? else { return Ok(None) };
        let start_frame = self.written - self.first_frame;
        let mut audio = vec![0; base64::decoded_len(&event.delta)?];
        base64::decode_into(&event.delta, &mut audio)?;
        let trimmed_bytes = audio.len() % frame_bytes;
        audio.truncate(audio.len() - trimmed_bytes);
        let mut whole = String::new();
        base64::encode_into(&audio, &mut whole);
        let written = match is_stale(&event, response_id) {
            true => (audio.len() / frame_bytes, 0),
            false => {
                self.decode_and_append(whole.as_bytes(), event.item_id.as_deref(), event.content_index)?
            }
        };
        Ok(Some(brought(event, start_frame, written, trimmed_bytes)))
    }

    /// The utterance is complete: running dry from here on is no underrun. What a backlog took goes back as
    /// soon as it was heard.
    pub fn finish(&mut self) {
        if let Some(next) = self.samples.shrink() {
            self.link(next);
        }
        self.marks.shrink();
        self.codes = Vec::new();
        self.shared.finish();
    }

    /// Frees one ring that was heard, if there is one: for a time when nothing is written.
    pub fn free_heard(&mut self) {
        self.samples.free_one();
        self.marks.free_one();
    }

    fn decode_and_append(&mut self, text: &[u8], id: Option<&str>, index: u32) -> Result<(usize, usize)> {
        let frames = self.frames_in(text)?;
        if let Encoding::G711(law) = self.config.encoding {
            return Ok((frames, self.append_codes(text, law, frames, id, index)?));
        }
        let taken = self.append(frames, id, index, |parts| {
            let [first, second, third] = parts.map(bytemuck::cast_slice_mut);
            base64::decode_into_parts(text, [first, second, third])
        })?;
        Ok((frames, taken))
    }

    /// Appends the samples of G.711 code words: half as many bytes, so not straight into the queue.
    fn append_codes(
        &mut self,
        text: &[u8],
        law: Law,
        frames: usize,
        item_id: Option<&str>,
        content_index: u32,
    ) -> Result<usize> {
        let mut codes = std::mem::take(&mut self.codes);
        codes.resize(frames * self.config.num_channels, 0);
        let taken = base64::decode_into(text, &mut codes).and_then(|()| {
            self.append(frames, item_id, content_index, |parts| {
                let mut rest = &codes[..];
                for part in parts {
                    let (now, later) = rest.split_at(part.len());
                    law.decode_into(now, part);
                    rest = later;
                }
                Ok(())
            })
        });
        self.codes = codes;
        taken
    }

    /// Frames that the text stands for, if it is base64.
    fn frames_in(&self, text: &[u8]) -> Result<usize> {
        let frame_bytes = self.config.encoding.sample_bytes() * self.config.num_channels;
        // Of a text that is broken, the length means nothing.
        whole_frames(base64::decoded_len(text)?, frame_bytes)
            .or_else(|fault| base64::check(text).and(Err(fault)))
    }

    /// How many of `frames` fit. What an interrupt gave up is still held until the consumer drops it,
    /// so it counts: memory stays bounded even where nobody reads.
    fn room_for(&self, frames: usize) -> usize {
        let held = self.written - self.shared.play_head();
        let room = self.config.max_buffered_frames().saturating_sub(held);
        frames.min(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Appends as many of `frames` as there is room for, written by `fill` into three parts, of which some
    /// may be empty; nothing where it fails. Returns how many.
    fn append(
        &mut self,
        frames: usize,
        item_id: Option<&str>,
        content_index: u32,
        fill: impl FnOnce([&mut [i16]; 3]) -> Result<()>,
    ) -> Result<usize> {
        let taken = self.room_for(frames);
        let num_channels = self.config.num_channels;
        let next = self.samples.append(taken * num_channels, num_channels, fill)?;
        if taken < frames {
            self.shared.overrun_frames.fetch_add((frames - taken) as u64, Relaxed);
        }
        if taken > 0 {
            self.begin_item(item_id, content_index);
        }
        if let Some(next) = next {
            self.link(next);
        }
        self.written += taken as u64;
        self.shared.set_written(self.written);
        Ok(taken)
    }

    fn begin_item(&mut self, id: Option<&str>, content_index: u32) {
        if self.items.back().is_some_and(|item| item.is(id, content_index)) {
            return;
        }
        // Two for one, so that what was kept shrinks again.
        for _ in 0..2 {
            if self.items.len() > 1 && self.items.front_mut().and_then(Arc::get_mut).is_some() {
                self.items.pop_front();
            }
        }
        let item = Item::new(id, content_index);
        self.items.push_back(Arc::clone(&item));
        self.marks.send(Mark { at_frame: self.written, kind: MarkKind::Item(item) });
    }

    fn link(&mut self, next: NextRing) {
        let frames_before = (next.samples_before / self.config.num_channels) as u64;
        self.marks.send(Mark { at_frame: self.written + frames_before, kind: MarkKind::Ring(next.ring) });
    }
}

fn is_stale(event: &AudioDeltaEvent<'_>, response_id: Option<&str>) -> bool {
    // "" is nobody's name.
    response_id.is_some_and(|id| id.is_empty() || event.response_id.as_deref() != Some(id))
}

fn brought(
    event: AudioDeltaEvent<'_>,
    start_frame: u64,
    (num_frames, written_frames): (usize, usize),
    trimmed_bytes: usize,
) -> AudioDelta {
    AudioDelta {
        response_id: event.response_id.map(|id| id.into_owned()),
        item_id: event.item_id.map(|id| id.into_owned()),
        output_index: event.output_index,
        content_index: event.content_index,
        num_frames,
        start_frame,
        written_frames,
        trimmed_bytes,
    }
}

fn whole_frames(actual_bytes: usize, frame_bytes: usize) -> Result<usize> {
    match actual_bytes % frame_bytes {
        0 => Ok(actual_bytes / frame_bytes),
        _ => Err(Error::PartialFrame { frame_bytes, actual_bytes }),
    }
}
