//! What the three ends share: positions on the axis of written frames, and counters.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::timeline::{Item, Timeline};
use crate::sync::{AtomicBool, AtomicU64};

/// An interrupt in one word, so that where it ends and how it fades are always seen together.
///
/// The frame up to which everything is dropped takes the upper 44 bits: 23 years of 24 kHz. The lower 20
/// hold the fade, as what it lacks to the longest: of two interrupts at the same frame `max` is the one
/// with the shorter fade, and of any others the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interrupt(u64);

const FADE_BITS: u32 = 20;
const LONGEST_FADE_FRAMES: u64 = (1 << FADE_BITS) - 1;

impl Interrupt {
    /// Drops all before `to_frame`, after at most `fade_frames` of it.
    pub fn new(to_frame: u64, fade_frames: u64) -> Self {
        Self(to_frame << FADE_BITS | (LONGEST_FADE_FRAMES - fade_frames.min(LONGEST_FADE_FRAMES)))
    }

    /// Everything before this frame is dropped.
    pub fn to_frame(self) -> u64 {
        self.0 >> FADE_BITS
    }

    /// How much of it may fade.
    pub fn fade_frames(self) -> u64 {
        LONGEST_FADE_FRAMES - (self.0 & LONGEST_FADE_FRAMES)
    }
}

/// What the three ends share.
#[derive(Debug)]
pub struct Shared {
    /// Frames written so far: the producer's head.
    written: AtomicU64,
    /// Frames that left the queue so far, heard or dropped: the consumer's head.
    play_head: AtomicU64,
    /// The last interrupt.
    interrupt: AtomicU64,
    /// The utterance is complete up to this frame.
    finished_to: AtomicU64,
    /// Everything before this frame was handed out, the tail of the output filter included.
    drained_to: AtomicU64,
    /// No output until resumed.
    paused: AtomicBool,
    /// What was heard.
    pub timeline: Timeline,
    /// Counters stand for themselves: Relaxed throughout.
    pub underruns: AtomicU64,
    /// Output frames of silence.
    pub silent_frames: AtomicU64,
    /// Frames faded or dropped.
    pub dropped_frames: AtomicU64,
    /// Frames refused.
    pub overrun_frames: AtomicU64,
}

impl Shared {
    /// An empty buffer whose axis begins at `first_frame`; `before` stands in place of an item.
    pub fn new(first_frame: u64, before: &Arc<Item>) -> Self {
        Self {
            written: AtomicU64::new(first_frame),
            play_head: AtomicU64::new(first_frame),
            interrupt: AtomicU64::new(Interrupt::new(first_frame, 0).0),
            finished_to: AtomicU64::new(first_frame),
            drained_to: AtomicU64::new(first_frame),
            paused: AtomicBool::new(false),
            timeline: Timeline::new(before),
            underruns: AtomicU64::new(0),
            silent_frames: AtomicU64::new(0),
            dropped_frames: AtomicU64::new(0),
            overrun_frames: AtomicU64::new(0),
        }
    }

    /// Frames written so far.
    pub fn written(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `set_written`: who knows the head finds the frames
        // and the marks before it.
        self.written.load(Acquire)
    }

    /// Moves the producer's head, after what is before it was put into the queue.
    pub fn set_written(&self, frame: u64) {
        // ORDERING: Release pairs with the Acquire in `written`.
        self.written.store(frame, Release);
    }

    /// Frames that left the queue.
    pub fn play_head(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `set_play_head`: who knows the head also finds what
        // was counted before it moved.
        self.play_head.load(Acquire)
    }

    /// Moves the consumer's head.
    pub fn set_play_head(&self, frame: u64) {
        // ORDERING: Release pairs with the Acquire in `play_head`.
        self.play_head.store(frame, Release);
    }

    /// The last interrupt.
    pub fn interrupt(&self) -> Interrupt {
        // ORDERING: Acquire pairs with the Release in `interrupt_now`, and so with the producer's head
        // that the interrupter saw: the consumer finds all that it is to drop.
        Interrupt(self.interrupt.load(Acquire))
    }

    /// Drops everything written so far at the consumer's next read.
    pub fn interrupt_now(&self, fade_frames: u64) {
        let interrupt = Interrupt::new(self.written(), fade_frames);
        // ORDERING: Release pairs with the Acquire in `interrupt`. Where threads race, the later head
        // wins; every one of these is a read-modify-write, so none hides what another one released.
        self.interrupt.fetch_max(interrupt.0, Release);
    }

    /// Where the utterance is complete.
    pub fn finished_to(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `finish`: it never seems ahead of `written`.
        self.finished_to.load(Acquire)
    }

    /// Declares everything written so far a complete utterance. Producer only.
    pub fn finish(&self) {
        // ORDERING: Relaxed: the producer reads its own head. Release pairs with `finished_to`.
        self.finished_to.store(self.written.load(Relaxed), Release);
    }

    /// Everything before `frame` was handed out. Consumer only.
    pub fn set_drained_to(&self, frame: u64) {
        // ORDERING: Release pairs with the Acquire in `drained_to`, as for the play head.
        self.drained_to.store(frame, Release);
    }

    /// Everything before this frame was handed out, or will not be.
    pub fn drained_to(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `set_drained_to`.
        self.drained_to.load(Acquire).max(self.interrupt().to_frame())
    }

    /// No output, or output again.
    pub fn set_paused(&self, paused: bool) {
        // ORDERING: Relaxed: nothing is published with it.
        self.paused.store(paused, Relaxed);
    }

    /// Whether there is to be no output.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Relaxed)
    }

    /// Frames that wait to be heard.
    pub fn buffered_frames(&self) -> u64 {
        // The written head is read last: the others are never ahead of it.
        let consumed = self.play_head().max(self.interrupt().to_frame());
        self.written().saturating_sub(consumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_interrupts_the_later_counts_and_at_one_place_the_shorter_fade() {
        assert!(Interrupt::new(11, 480) > Interrupt::new(10, 0));
        assert!(Interrupt::new(10, 0) > Interrupt::new(10, 480));
        for (to_frame, fade_frames) in [(0, 0), ((1 << 44) - 1, LONGEST_FADE_FRAMES), (1 << 43, 7)] {
            let interrupt = Interrupt::new(to_frame, fade_frames);
            assert_eq!((interrupt.to_frame(), interrupt.fade_frames()), (to_frame, fade_frames));
        }
        assert_eq!(Interrupt::new(5, u64::MAX).fade_frames(), LONGEST_FADE_FRAMES);
    }
}
