//! What the capture path allocates, counted: nothing per call but the result, little per encoder.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use voicelane::audio::g711::Law;
use voicelane::audio::resample::{Quality, Resampler};
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};

thread_local! {
    static COUNTED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The system's allocator, counting the calls and the bytes of the thread.
struct Counting;

fn count(bytes: usize) {
    COUNTED.with(|counted| {
        let (calls, sum) = counted.get();
        counted.set((calls + 1, sum + bytes));
    });
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller's.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and their bytes while `work` runs.
fn counted<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let before = COUNTED.get();
    let result = work();
    let after = COUNTED.get();
    (after.0 - before.0, after.1 - before.1, result)
}

/// Source rate, channels and chunk of 20 ms of every conversion that matters.
fn formats() -> Vec<CaptureFormat> {
    let default = CaptureFormat::default();
    let mut formats = Vec::new();
    for quality in [Quality::LowDelay, Quality::High] {
        for chunk_ms in [None, Some(20), Some(40)] {
            for encoding in [Encoding::Pcm16, Encoding::G711(Law::Ulaw), Encoding::G711(Law::Alaw)] {
                for (source_rate_hz, num_channels) in
                    [(48_000, 2), (48_000, 1), (44_100, 2), (16_000, 1), (24_000, 1)]
                {
                    formats.push(CaptureFormat {
                        source_rate_hz,
                        num_channels,
                        encoding,
                        quality,
                        chunk_ms,
                        ..default
                    });
                }
            }
        }
    }
    formats
}

#[test]
fn a_call_allocates_nothing_but_the_result() {
    for format in formats() {
        let mut encoder = CaptureEncoder::new(format).expect("valid");
        let pcm = vec![1000; format.source_rate_hz as usize / 50 * format.num_channels];
        let mut text = String::with_capacity(16 * 1024);
        for _ in 0..3 {
            encoder.encode_event_into(&pcm, &mut text).expect("whole frames");
        }
        let (allocations, _, ()) = counted(|| {
            for _ in 0..2000 {
                text.clear();
                encoder.encode_event_into(&pcm, &mut text).expect("whole frames");
            }
        });
        assert_eq!(allocations, 0, "{format:?}");
    }
}

#[test]
fn a_call_of_the_resampler_allocates_nothing_but_the_result() {
    for (source, target) in [(48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (24_000, 24_000)] {
        let mut resampler = Resampler::new(source, target, 2, Quality::High).expect("valid");
        let pcm = vec![1000; source as usize / 25];
        let mut output = Vec::with_capacity(2000);
        let (allocations, _, ()) = counted(|| {
            for _ in 0..2000 {
                output.clear();
                resampler.process_into(&pcm, &mut output).expect("whole frames");
            }
            resampler.flush_into(&mut output);
        });
        assert_eq!(allocations, 0, "{source} -> {target}");
    }
}

#[test]
fn a_further_encoder_takes_at_most_16_kib() {
    for format in formats() {
        let _first = CaptureEncoder::new(format).expect("valid");
        let pcm = vec![1000; format.source_rate_hz as usize / 50 * format.num_channels];
        let mut text = String::with_capacity(16 * 1024);
        let (_, bytes, _encoder) = counted(|| {
            let mut encoder = CaptureEncoder::new(format).expect("valid");
            encoder.encode_into(&pcm, &mut text).expect("whole frames");
            encoder
        });
        let own_bytes = bytes + size_of::<CaptureEncoder>();
        assert!(own_bytes <= 16 * 1024, "{own_bytes} bytes: {format:?}");
    }
}

#[test]
fn the_counter_counts() {
    let (allocations, bytes, _) = counted(|| vec![0u8; 1000]);
    assert_eq!((allocations, bytes), (1, 1000));
}
