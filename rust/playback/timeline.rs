//! Which item is at the play head, and how much of it was heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

/// One content part of one conversation item, as it is being played.
#[derive(Debug)]
pub struct Item {
    /// The service's id, where the producer gave one.
    pub id: Option<Box<str>>,
    /// The content part within the item.
    pub content_index: u32,
    /// Frames of it that were heard. Written by the consumer alone.
    heard_frames: AtomicU64,
}

impl Item {
    /// An item of which nothing was heard yet.
    pub fn new(id: Option<&str>, content_index: u32) -> Arc<Self> {
        Arc::new(Self { id: id.map(Box::from), content_index, heard_frames: AtomicU64::new(0) })
    }

    /// Whether it is the named content part.
    pub fn is(&self, id: Option<&str>, content_index: u32) -> bool {
        self.id.as_deref() == id && self.content_index == content_index
    }
}

/// Where the play head stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PlaybackPosition {
    /// The item last heard, `None` before the first one or where the producer named none.
    pub item_id: Option<String>,
    /// Its content part.
    pub content_index: u32,
    /// Milliseconds of it that were heard, rounded down: silence, faded and dropped frames do not count.
    pub audio_end_ms: u64,
}

/// The play head: moved by the consumer, read from any thread, no lock in between.
#[derive(Debug, Default)]
pub struct Timeline {
    playing: ArcSwapOption<Item>,
    heard_frames: AtomicU64,
}

impl Timeline {
    /// Counts frames of `item` as heard. Consumer only.
    pub fn advance(&self, item: &Arc<Item>, frames: u64) {
        let is_playing = self.playing.load().as_ref().is_some_and(|playing| Arc::ptr_eq(playing, item));
        if !is_playing {
            self.playing.store(Some(Arc::clone(item)));
        }
        // ORDERING: Relaxed throughout: each counter stands for itself, nothing is published through it.
        item.heard_frames.fetch_add(frames, Relaxed);
        self.heard_frames.fetch_add(frames, Relaxed);
    }

    /// Frames heard so far, over all items.
    pub fn heard_frames(&self) -> u64 {
        self.heard_frames.load(Relaxed)
    }

    /// The item last heard and how much of it.
    pub fn position(&self, sample_rate_hz: u32) -> PlaybackPosition {
        self.playing.load().as_ref().map_or_else(PlaybackPosition::default, |item| PlaybackPosition {
            item_id: item.id.as_deref().map(String::from),
            content_index: item.content_index,
            audio_end_ms: item.heard_frames.load(Relaxed) * 1000 / u64::from(sample_rate_hz),
        })
    }
}
