//! Producer, consumer, interrupter and observer on their own threads, as fast as they can: what the model in
//! `loom_playback.rs` leaves out, the rings, under ThreadSanitizer; and the hot calls under RealtimeSanitizer.
//!
//! `make sanitize`. Without a sanitizer it is one more test. `race` and `allocation` as the argument plant what the
//! sanitizers must find.
#![cfg(not(loom))]
#![cfg_attr(rtsan, feature(sanitize))]
#![allow(clippy::print_stdout, reason = "a program of its own, without the test harness")]

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use voicelane::capture::Encoding;
use voicelane::playback::{PlaybackBuffer, PlaybackConfig, PlaybackControl, PlaybackReader, PlaybackWriter};

const FRAMES: u64 = 1_000_000;
const ITEM_FRAMES: u64 = 10_000;
const INTERRUPT_FRAMES: u64 = 7_001;
/// A frame carries its place on the axis, 15 bits in each channel.
const CONFIG: PlaybackConfig = PlaybackConfig {
    encoding: Encoding::Pcm16,
    sample_rate_hz: 24_000,
    num_channels: 2,
    output_rate_hz: 24_000,
    output_channels: 2,
    max_buffered_ms: 2_000,
};

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("race") => plant_a_race(),
        Some("allocation") => plant_an_allocation(),
        _ => {
            let heard_frames = all_at_once();
            in_step();
            println!(
                "{FRAMES} frames written, {heard_frames} heard, the rest interrupted; in step: 1000 turns"
            );
        }
    }
}

/// What the ends tell each other besides the buffer.
#[derive(Default)]
struct Progress {
    /// Frames whose write has begun, and has ended.
    begun: AtomicU64,
    done: AtomicU64,
    /// Every frame before this one was interrupted; and none from this one on.
    stale_to: AtomicU64,
    kept_from: AtomicU64,
    heard_all: AtomicBool,
    /// Threads that are under way.
    running: AtomicU64,
}

impl Progress {
    fn begin(&self) {
        self.running.fetch_add(1, Release);
    }

    fn wait_for(&self, threads: u64) {
        while self.running.load(Acquire) < threads {
            thread::yield_now();
        }
    }
}

fn all_at_once() -> u64 {
    let (writer, reader, control) = PlaybackBuffer::with_config(CONFIG).expect("a valid configuration");
    let progress = Arc::new(Progress::default());
    let shared = || (control.clone(), Arc::clone(&progress));
    let (interrupter, observer) = (shared(), shared());
    let producing = Arc::clone(&progress);
    let threads = [
        thread::spawn(move || interrupt(&interrupter.0, &interrupter.1)),
        thread::spawn(move || observe(&observer.0, &observer.1)),
    ];
    progress.wait_for(2);
    let producer = thread::spawn(move || produce(writer, &producing));
    let heard_frames = consume(reader, &control, &progress);
    progress.heard_all.store(true, Release);
    drop(producer.join().expect("the producer failed"));
    threads.into_iter().for_each(|thread| thread.join().expect("a thread failed"));
    let stats = control.stats();
    assert_eq!(stats.written_frames, FRAMES);
    assert_eq!(stats.played_frames, heard_frames);
    assert_eq!(stats.played_frames + stats.dropped_frames, FRAMES);
    heard_frames
}

/// Gives the writer back: while it lives, it is the one who frees.
fn produce(mut writer: PlaybackWriter, progress: &Progress) -> PlaybackWriter {
    let mut chunk = Vec::new();
    let (mut written, mut turn) = (0, 0);
    while written < FRAMES {
        turn += 1;
        let end = (written + turn % 7 * 240 + 1).min(FRAMES).min((written / ITEM_FRAMES + 1) * ITEM_FRAMES);
        chunk.clear();
        chunk.extend((written..end).flat_map(|frame| [(frame & 0x7fff) as i16, (frame >> 15) as i16]));
        progress.begun.store(end, Release);
        let item = (written / ITEM_FRAMES).to_string();
        let taken = writer.write(&chunk, Some(&item), 0).expect("whole frames") as u64;
        written += taken;
        progress.done.store(written, Release);
        if turn % 50 == 0 {
            writer.finish();
        }
        if taken == 0 {
            thread::yield_now(); // full
        }
    }
    writer.finish();
    writer
}

fn interrupt(control: &PlaybackControl, progress: &Progress) {
    progress.begin();
    let mut next = INTERRUPT_FRAMES;
    while !progress.heard_all.load(Acquire) {
        let stale_to = progress.done.load(Acquire);
        if stale_to >= next {
            next = stale_to + INTERRUPT_FRAMES;
            control.clear();
            progress.kept_from.fetch_max(progress.begun.load(Acquire), Release);
            progress.stale_to.store(stale_to, Release);
        }
        thread::yield_now();
    }
}

fn observe(control: &PlaybackControl, progress: &Progress) {
    progress.begin();
    let mut last = (0, 0);
    while !progress.heard_all.load(Acquire) {
        let position = control.position();
        let item: u64 = position.item_id.map_or(0, |id| id.parse().expect("a number"));
        assert!(last <= (item, position.audio_end_ms), "the position went back");
        last = (item, position.audio_end_ms);
        let _ = (control.stats(), control.is_idle(), control.buffered_ms());
        thread::yield_now();
    }
}

fn consume(mut reader: PlaybackReader, control: &PlaybackControl, progress: &Progress) -> u64 {
    let mut samples = [0; 2 * 480];
    let (mut next, mut heard_frames) = (0, 0);
    loop {
        let complete = progress.done.load(Acquire) == FRAMES && control.is_finished();
        let stale_to = progress.stale_to.load(Acquire);
        let real = hear(&mut reader, &mut samples);
        for frame in samples.as_chunks::<2>().0[..real].iter() {
            let frame = frame[0] as u64 | (frame[1] as u64) << 15;
            assert!(frame >= stale_to, "frame {frame} was interrupted");
            assert!(frame >= next, "frame {frame} was heard again");
            if frame > next {
                // The interrupter notes what it may have dropped after it did so: wait for the note.
                while frame > progress.kept_from.load(Acquire) {
                    thread::yield_now();
                }
            }
            next = frame + 1;
        }
        heard_frames += real as u64;
        if complete && real == 0 {
            return heard_frames;
        }
    }
}

/// The consumer's hot call: never waits, allocates or frees.
#[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
fn hear(reader: &mut PlaybackReader, samples: &mut [i16]) -> usize {
    reader.read_into(samples)
}

/// The producer's hot calls, while the backlog does not grow.
#[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
fn say(writer: &mut PlaybackWriter, text: &[u8], item_id: &str) -> usize {
    writer.write_base64(text, Some(item_id), 0).expect("base64 of whole frames")
}

/// What the service says as fast as it is heard, with an interrupt now and then, through the output filter.
fn in_step() {
    let config = PlaybackConfig { output_rate_hz: 48_000, output_channels: 2, ..PlaybackConfig::default() };
    let (mut writer, mut reader, control) = PlaybackBuffer::with_config(config).expect("valid");
    let text = "AQAB".repeat(1_600); // 100 ms
    let mut samples = [0; 2 * 4_800];
    for _ in 0..4 {
        writer.write_base64(text.as_bytes(), Some("item"), 0).expect("the ring grows to what a turn needs");
    }
    control.clear();
    hear(&mut reader, &mut samples);
    (0..8).for_each(|_| writer.free_heard());
    for number in 0..1_000 {
        say(&mut writer, text.as_bytes(), "item");
        if number % 10 == 9 {
            control.interrupt(20 * (number % 20 / 10));
        }
        hear(&mut reader, &mut samples);
    }
    assert!(control.stats().dropped_frames > 0);
}

/// Two threads write one word without a word of order between them.
fn plant_a_race() {
    struct Unordered(std::cell::UnsafeCell<u64>);
    // SAFETY: none: this is the fault that ThreadSanitizer must find. Run under it alone.
    unsafe impl Sync for Unordered {}
    static WORD: Unordered = Unordered(std::cell::UnsafeCell::new(0));
    // SAFETY: as above.
    let write = || (0..1_000).for_each(|n| unsafe { WORD.0.get().write_volatile(n) });
    let other = thread::spawn(write);
    write();
    other.join().expect("ends");
}

/// The consumer's call allocates.
fn plant_an_allocation() {
    #[cfg_attr(rtsan, sanitize(realtime = "nonblocking"))]
    fn hear_and_keep(reader: &mut PlaybackReader, samples: &mut [i16]) -> Vec<i16> {
        reader.read_into(samples);
        samples.to_vec()
    }
    let (_writer, mut reader, _control) = PlaybackBuffer::with_config(CONFIG).expect("valid");
    let kept = hear_and_keep(&mut reader, &mut [0; 960]);
    println!("kept {} samples, and nobody minded", kept.len());
}
