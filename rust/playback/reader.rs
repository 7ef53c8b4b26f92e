//! The consumer's end: the frames to be heard, silence where there are none.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rtrb::Consumer;

use super::buffer::PlaybackConfig;
use super::fade::FadeOut;
use super::output::Output;
use super::queue::Receiver;
use super::shared::{Interrupt, Shared};
use super::timeline::Item;
use super::unheard::{Fate, Unheard};
use super::writer::{Mark, MarkKind};

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
    /// What is pulled goes through a filter, and is heard later.
    is_filtered: bool,
    shared: Arc<Shared>,
    marks: Receiver<Mark>,
    samples: Consumer<i16>,
    /// The item at the play head.
    item: Arc<Item>,
    play_head: u64,
    /// Everything before this frame is in the queue.
    written: u64,
    /// The last interrupt that was obeyed.
    interrupt: Interrupt,
    fade: Option<FadeOut>,
    /// Taken from the queue and still in the output filter.
    unheard: Unheard,
    /// The item that the timeline shows.
    shown: Arc<Item>,
    /// The item last heard.
    heard: Arc<Item>,
    /// Ran dry in the middle of an utterance, and counted it.
    starved: bool,
}

impl PlaybackReader {
    pub(super) fn new(
        config: PlaybackConfig,
        shared: Arc<Shared>,
        marks: Receiver<Mark>,
        samples: Consumer<i16>,
        item: Arc<Item>,
        output: Output,
    ) -> Self {
        let source = Source {
            num_channels: config.num_channels,
            is_filtered: output.is_filtered(),
            marks,
            samples,
            play_head: shared.play_head(),
            written: shared.written(),
            interrupt: shared.interrupt(),
            fade: None,
            unheard: Unheard::default(),
            shown: Arc::clone(&item),
            heard: Arc::clone(&item),
            item,
            starved: false,
            shared,
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
    /// Never waits, allocates or frees, as long as the writer lives (it keeps what the reader left until it can
    /// free it) and at most 8 items begin within 10 ms. The time depends on the frames asked for, not on the backlog; after
    /// an interrupt, also on the rings that are dropped: one for 5 s of 24 kHz.
    pub fn read_into(&mut self, samples: &mut [i16]) -> usize {
        let num_channels = self.output_channels();
        assert_eq!(samples.len() % num_channels, 0, "expected whole frames of {num_channels} channels");
        let frames = samples.len() / num_channels;
        let paused = self.source.shared.is_paused();
        // Paused, there is nothing to fade: what was interrupted makes room at once.
        if self.source.obey_interrupt(paused) {
            self.output.reset();
            self.source.settle(0, Fate::Dropped);
        }
        let real = if paused { 0 } else { self.read_on(samples, frames) };
        samples[real * num_channels..].fill(0);
        if real < frames {
            self.source.shared.silent_frames.fetch_add((frames - real) as u64, Relaxed);
        }
        real
    }

    fn read_on(&mut self, samples: &mut [i16], frames: usize) -> usize {
        let source = &mut self.source;
        let real = self.output.read(source, samples);
        source.note_underrun(real < frames);
        source.show_heard();
        if self.output.is_empty() {
            source.shared.set_drained_to(source.play_head);
        }
        real
    }
}

impl Source {
    /// Takes the next frames as they were written (or faded); fewer than asked for where there are no
    /// more. Where they go through a filter, they count as heard when they are `settle`d.
    pub fn pull(&mut self, samples: &mut [i16]) -> usize {
        self.written = self.shared.written();
        debug_assert!(self.written >= self.play_head, "an interrupt ran ahead of what it drops");
        let wanted = samples.len() / self.num_channels;
        let mut done = 0;
        while done < wanted {
            let frames = self.ready_frames().min(wanted - done);
            if frames == 0 {
                break;
            }
            self.copy(&mut samples[done * self.num_channels..][..frames * self.num_channels]);
            if !self.is_filtered {
                self.settle(0, Fate::Heard);
            }
            done += frames;
        }
        self.shared.set_play_head(self.play_head);
        done
    }

    /// Counts what was pulled, but for the last `kept_frames` of it, as heard. What was faded, and what
    /// an interrupt took from the filter (`fate`), was dropped.
    pub fn settle(&mut self, kept_frames: u64, fate: Fate) {
        while let Some((item, frames, settled)) = self.unheard.take(kept_frames) {
            if settled.max(fate) == Fate::Dropped {
                self.shared.dropped_frames.fetch_add(frames, Relaxed);
            } else {
                self.shared.timeline.count(&item, frames);
                self.heard = item;
            }
        }
    }

    /// Whether the utterance was declared complete and has been taken to its end.
    pub fn is_finished(&self) -> bool {
        // The written head is read first: a later `finish` cannot cover frames that it misses.
        let written = self.shared.written();
        self.play_head == written && self.shared.finished_to() == written
    }

    /// Starts the fade, or the drop, that an interrupt asked for since the last read. Returns whether
    /// the frames before it are gone at once.
    fn obey_interrupt(&mut self, without_fade: bool) -> bool {
        let interrupt = self.shared.interrupt();
        if interrupt == self.interrupt {
            return false;
        }
        self.interrupt = interrupt;
        let pending = interrupt.to_frame().saturating_sub(self.play_head);
        let fade_frames = interrupt.fade_frames().min(pending);
        if fade_frames == 0 || without_fade {
            self.fade = None;
            self.drop_to(interrupt.to_frame());
            return true;
        }
        // A fade that already runs ends as it began: a second one would be a step in the gain.
        self.fade.get_or_insert(FadeOut::new(fade_frames));
        false
    }

    /// Frames that can be copied at once: up to the next mark, the end of the fade or the written head.
    fn ready_frames(&mut self) -> usize {
        if self.fade.is_some_and(|fade| fade.remaining_frames() == 0) {
            self.fade = None;
            self.drop_to(self.interrupt.to_frame());
        }
        let end = self.pass_marks().min(self.written);
        let fade_frames = self.fade.map_or(u64::MAX, |fade| fade.remaining_frames());
        usize::try_from(end.saturating_sub(self.play_head).min(fade_frames)).unwrap_or(usize::MAX)
    }

    /// Obeys the marks at the play head. Returns where the next one stands.
    fn pass_marks(&mut self) -> u64 {
        loop {
            match self.marks.peek() {
                None => return u64::MAX,
                Some(mark) if mark.at_frame > self.play_head => return mark.at_frame,
                Some(_) => match self.marks.receive().map(|mark| mark.kind) {
                    Some(MarkKind::Item(item)) => self.item = item,
                    Some(MarkKind::Ring(ring)) => self.samples = ring,
                    None => return u64::MAX,
                },
            }
        }
    }

    /// Copies the next frames, which are ready.
    fn copy(&mut self, out: &mut [i16]) {
        // The written head, or the mark of the next ring, promised them.
        self.samples.pop_entire_slice(out).expect("the frames that were written");
        let frames = (out.len() / self.num_channels) as u64;
        self.play_head += frames;
        let fate = match &mut self.fade {
            Some(fade) => {
                fade.apply(out, self.num_channels);
                Fate::Dropped
            }
            None => Fate::Heard,
        };
        self.unheard.put(&self.item, frames, fate);
    }

    fn drop_to(&mut self, frame: u64) {
        let dropped = frame.saturating_sub(self.play_head);
        while self.play_head < frame {
            let end = self.pass_marks().min(frame);
            let samples = (end - self.play_head) as usize * self.num_channels;
            self.samples.read_chunk(samples).expect("the frames that were written").commit_all();
            self.play_head = end;
        }
        if dropped > 0 {
            self.shared.dropped_frames.fetch_add(dropped, Relaxed);
            self.shared.set_play_head(self.play_head);
        }
    }

    /// Counts an underrun once per gap: the read came up short in the middle of an utterance.
    fn note_underrun(&mut self, short: bool) {
        let utterance_from = self.shared.finished_to().max(self.interrupt.to_frame());
        let in_utterance = self.play_head > utterance_from;
        if short && in_utterance && !self.starved {
            self.shared.underruns.fetch_add(1, Relaxed);
        }
        self.starved = short && in_utterance;
    }

    /// Has the timeline show the item last heard.
    fn show_heard(&mut self) {
        if !Arc::ptr_eq(&self.shown, &self.heard) && self.shared.timeline.show(&self.heard) {
            self.shown = Arc::clone(&self.heard);
        }
    }
}
