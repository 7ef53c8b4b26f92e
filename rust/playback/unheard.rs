//! What was taken from the queue and has not left the output filter: not heard yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::timeline::Item;

/// Changes of item within the filter's delay that need no allocation.
const CAPACITY: usize = 8;

/// What becomes of frames once they are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// They count for their item.
    Heard,
    /// They were faded or dropped.
    Dropped,
}

/// Stretches of frames, the oldest first.
#[derive(Debug)]
pub struct Unheard {
    stretches: VecDeque<(Arc<Item>, u64, Fate)>,
    frames: u64,
}

impl Default for Unheard {
    fn default() -> Self {
        Self { stretches: VecDeque::with_capacity(CAPACITY), frames: 0 }
    }
}

impl Unheard {
    /// Adds frames at the end.
    pub fn put(&mut self, item: &Arc<Item>, frames: u64, fate: Fate) {
        self.frames += frames;
        match self.stretches.back_mut() {
            Some((last, count, as_last)) if Arc::ptr_eq(last, item) && *as_last == fate => *count += frames,
            _ => self.stretches.push_back((Arc::clone(item), frames, fate)),
        }
    }

    /// Takes the oldest frames of one kind; `None` where only `kept_frames` are left.
    pub fn take(&mut self, kept_frames: u64) -> Option<(Arc<Item>, u64, Fate)> {
        let excess = self.frames.checked_sub(kept_frames).filter(|excess| *excess > 0)?;
        let (item, count, fate) = self.stretches.front_mut()?;
        let taken = (Arc::clone(item), excess.min(*count), *fate);
        *count -= taken.1;
        self.frames -= taken.1;
        if *count == 0 {
            self.stretches.pop_front();
        }
        Some(taken)
    }
}
