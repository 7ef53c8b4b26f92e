//! Which item is at the play head, and how much of it was heard.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sync::{AtomicU64, Mutex, spin_loop};

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

/// What was heard: counted by the consumer, read from any thread. The consumer never waits, and it
/// never frees an item: the producer keeps each until the others have let go of it.
#[derive(Debug)]
pub struct Timeline {
    /// The item last heard stands in slot `turn % 2`. The consumer puts the next one into the other
    /// slot, which nobody looks at but a thread that was held up since the turn before.
    slots: [Mutex<Arc<Item>>; 2],
    turn: AtomicU64,
    heard_frames: AtomicU64,
}

impl Timeline {
    /// Nothing was heard yet; `before` stands in place of an item.
    pub fn new(before: &Arc<Item>) -> Self {
        Self {
            slots: [Mutex::new(Arc::clone(before)), Mutex::new(Arc::clone(before))],
            turn: AtomicU64::new(0),
            heard_frames: AtomicU64::new(0),
        }
    }

    /// Counts frames of `item` as heard. Consumer only.
    pub fn count(&self, item: &Item, frames: u64) {
        // ORDERING: Relaxed: each counter stands for itself, nothing is published through it.
        item.heard_frames.fetch_add(frames, Relaxed);
        self.heard_frames.fetch_add(frames, Relaxed);
    }

    /// Makes `item` the one that `position` tells. Consumer only. False, and to be tried again at the
    /// next read, where another thread is still looking at the slot: rather than wait.
    pub fn show(&self, item: &Arc<Item>) -> bool {
        let turn = self.turn.load(Relaxed) + 1;
        let Ok(mut slot) = self.slots[(turn % 2) as usize].try_lock() else { return false };
        *slot = Arc::clone(item);
        // ORDERING: Release pairs with the Acquire in `playing`. The turn counts on while the slot is
        // locked: who sees the item sees the turn, so that no later look can find an earlier item.
        self.turn.store(turn, Release);
        true
    }

    /// Frames heard so far, over all items.
    pub fn heard_frames(&self) -> u64 {
        self.heard_frames.load(Relaxed)
    }

    /// The item last heard and how much of it.
    pub fn position(&self, sample_rate_hz: u32) -> PlaybackPosition {
        let item = self.playing();
        PlaybackPosition {
            item_id: item.id.as_deref().map(String::from),
            content_index: item.content_index,
            audio_end_ms: item.heard_frames.load(Relaxed) * 1000 / u64::from(sample_rate_hz),
        }
    }

    fn playing(&self) -> Arc<Item> {
        loop {
            // ORDERING: Acquire pairs with the Release in `show`.
            let slot = &self.slots[(self.turn.load(Acquire) % 2) as usize];
            if let Ok(item) = slot.try_lock() {
                return Arc::clone(&item);
            }
            // Another control thread copies a pointer. Spinning, not sleeping: a sleeper would have to
            // be woken, perhaps by the consumer.
            spin_loop();
        }
    }
}
