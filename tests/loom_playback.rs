//! Every order in which producer, interrupter, observer and consumer of a playback buffer can meet.
//!
//! `make loom`. loom steps through the protocol's own words: positions, interrupt, counters, the hand-over of the item
//! at the play head, with all that weak memory permits. It does not see into rtrb, whose rings it takes for
//! atomic; so that a missing ordering shows even so, the producer notes each frame in a relaxed word
//! before it writes it, and whoever hears the frame must find the note. The rings themselves run under
//! ThreadSanitizer in `stress_playback.rs`.
#![cfg(loom)]

use std::sync::Arc;

use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::thread;
use voicelane::playback::{PlaybackBuffer, PlaybackConfig, PlaybackControl, PlaybackReader, PlaybackWriter};

/// Four frames are a millisecond, so that positions tell them apart.
const RATE_HZ: u32 = 4_000;
const CHUNK_FRAMES: usize = 4;

fn buffer() -> (PlaybackWriter, PlaybackReader, PlaybackControl) {
    let config =
        PlaybackConfig { sample_rate_hz: RATE_HZ, output_rate_hz: RATE_HZ, ..PlaybackConfig::default() };
    PlaybackBuffer::with_config(config).expect("a valid configuration")
}

/// Writes chunk `index` (from 1), as item `index`; each of its samples is `index`.
fn write(writer: &mut PlaybackWriter, index: u64) {
    let samples = [index as i16; CHUNK_FRAMES];
    assert_eq!(writer.write(&samples, Some(&index.to_string()), 0), Ok(CHUNK_FRAMES));
}

/// The chunks heard in one read of one chunk.
fn read(reader: &mut PlaybackReader) -> Option<u64> {
    let mut samples = [0; CHUNK_FRAMES];
    let real = reader.read_into(&mut samples);
    assert!(samples[real..].iter().all(|sample| *sample == 0));
    assert!(samples[..real].iter().all(|sample| *sample == samples[0]), "a chunk is written as one");
    (real > 0).then_some(samples[0] as u64)
}

/// The item at the play head, and how much of it was heard.
fn position(control: &PlaybackControl) -> (u64, u64) {
    let position = control.position();
    (position.item_id.map_or(0, |id| id.parse().expect("an index")), position.audio_end_ms)
}

fn chunks(frames: u64) -> u64 {
    frames / CHUNK_FRAMES as u64
}

#[test]
fn an_interrupt_drops_all_before_it_and_nothing_after() {
    const CHUNKS: u64 = 2;
    loom::model(|| {
        let (mut writer, mut reader, control) = buffer();
        let words = || Arc::new(AtomicU64::new(0));
        let (begun, done, stale_to) = (words(), words(), words());
        let producer = thread::spawn({
            let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
            move || {
                for index in 1..=CHUNKS {
                    begun.store(index, Relaxed);
                    write(&mut writer, index);
                    done.store(index, Release);
                }
            }
        });
        let interrupter = thread::spawn({
            let (control, stale_to) = (control.clone(), Arc::clone(&stale_to));
            let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
            move || {
                let stale = done.load(Acquire);
                control.clear();
                stale_to.store(stale, Release);
                begun.load(Acquire)
            }
        });
        let mut heard = Vec::new();
        let mut hear = |reader: &mut PlaybackReader| {
            let stale_to = stale_to.load(Acquire);
            let Some(chunk) = read(reader) else { return false };
            assert!(chunk > stale_to, "chunk {chunk} was written before the interrupt");
            assert!(begun.load(Relaxed) >= chunk, "chunk {chunk} was heard before it was written");
            heard.push(chunk);
            true
        };
        (0..2).for_each(|_| _ = hear(&mut reader));
        producer.join().expect("the producer ends");
        let lost_at_most_to = interrupter.join().expect("the interrupter ends");
        while hear(&mut reader) {}
        assert!(heard.is_sorted_by(|a, b| a < b), "{heard:?}");
        assert!((lost_at_most_to + 1..=CHUNKS).all(|chunk| heard.contains(&chunk)), "{heard:?}");
        let stats = control.stats();
        assert_eq!(chunks(stats.played_frames), heard.len() as u64);
        assert_eq!(stats.played_frames + stats.dropped_frames, stats.written_frames);
        assert_eq!(position(&control).0, heard.last().copied().unwrap_or(0));
    });
}

#[test]
fn of_two_interrupts_none_mixes_with_the_other() {
    loom::model(|| {
        let (mut writer, mut reader, control) = buffer();
        write(&mut writer, 1);
        write(&mut writer, 2);
        let fading = thread::spawn({
            let control = control.clone();
            move || drop(control.interrupt(1))
        });
        let cutting = thread::spawn({
            let control = control.clone();
            move || control.clear()
        });
        let mut samples = [0; CHUNK_FRAMES];
        reader.read_into(&mut samples);
        fading.join().expect("ends");
        cutting.join().expect("ends");
        assert_eq!(read(&mut reader), None, "the cut holds, whichever came last");
        assert!(control.is_finished());
        write(&mut writer, 3);
        assert_eq!(read(&mut reader), Some(3), "and what follows is heard whole");
        let stats = control.stats();
        assert_eq!(stats.played_frames + stats.dropped_frames, stats.written_frames);
    });
}

#[test]
fn the_position_never_goes_back() {
    loom::model(|| {
        let (mut writer, mut reader, control) = buffer();
        (1..=3).for_each(|index| write(&mut writer, index));
        let observers: Vec<_> = (0..2)
            .map(|_| {
                let control = control.clone();
                thread::spawn(move || {
                    let first = position(&control);
                    let second = position(&control);
                    assert!(first <= second, "{first:?}, then {second:?}");
                    second
                })
            })
            .collect();
        (1..=3).for_each(|index| assert_eq!(read(&mut reader), Some(index)));
        for observer in observers {
            assert!(observer.join().expect("ends") <= (3, 1));
        }
        // Where an observer was in the way, the item shows from the next read on.
        assert_eq!(read(&mut reader), None);
        assert_eq!(position(&control), (3, 1));
    });
}

#[test]
fn finished_is_said_only_when_all_was_heard() {
    loom::model(|| {
        let (mut writer, mut reader, control) = buffer();
        let done = Arc::new(AtomicU64::new(0));
        let producer = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                for index in 1..=2 {
                    write(&mut writer, index);
                    done.store(index, Release);
                    writer.finish();
                }
            }
        });
        let observer = thread::spawn({
            let control = control.clone();
            let done = Arc::clone(&done);
            move || {
                let written_ms = done.load(Acquire) as f64;
                if control.is_finished() {
                    assert!(control.played_ms() >= written_ms, "finished, with frames unheard");
                }
            }
        });
        (0..2).for_each(|_| _ = read(&mut reader));
        producer.join().expect("ends");
        observer.join().expect("ends");
        (0..3).for_each(|_| _ = read(&mut reader));
        assert!(control.is_finished() && control.is_idle());
    });
}
