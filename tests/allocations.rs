//! What the capture path allocates, counted: nothing per call but the result, little per encoder.

mod allocator;

use allocator::counted;
use voicelane::audio::g711::Law;
use voicelane::audio::resample::{Quality, Resampler};
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};

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
        let (counts, ()) = counted(|| {
            for _ in 0..2000 {
                text.clear();
                encoder.encode_event_into(&pcm, &mut text).expect("whole frames");
            }
        });
        assert_eq!(counts.allocations, 0, "{format:?}");
    }
}

#[test]
fn a_call_of_the_resampler_allocates_nothing_but_the_result() {
    for (source, target) in [(48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (24_000, 24_000)] {
        let mut resampler = Resampler::new(source, target, 2, Quality::High).expect("valid");
        let pcm = vec![1000; source as usize / 25];
        let mut output = Vec::with_capacity(2000);
        let (counts, ()) = counted(|| {
            for _ in 0..2000 {
                output.clear();
                resampler.process_into(&pcm, &mut output).expect("whole frames");
            }
            resampler.flush_into(&mut output);
        });
        assert_eq!(counts.allocations, 0, "{source} -> {target}");
    }
}

#[test]
fn a_further_encoder_takes_at_most_16_kib() {
    for format in formats() {
        let _first = CaptureEncoder::new(format).expect("valid");
        let pcm = vec![1000; format.source_rate_hz as usize / 50 * format.num_channels];
        let mut text = String::with_capacity(16 * 1024);
        let (counts, _encoder) = counted(|| {
            let mut encoder = CaptureEncoder::new(format).expect("valid");
            encoder.encode_into(&pcm, &mut text).expect("whole frames");
            encoder
        });
        let own_bytes = counts.allocated_bytes + size_of::<CaptureEncoder>();
        assert!(own_bytes <= 16 * 1024, "{own_bytes} bytes: {format:?}");
    }
}

#[test]
fn the_counter_counts() {
    let (counts, bytes) = counted(|| vec![0u8; 1000]);
    assert_eq!((counts.allocations, counts.allocated_bytes, counts.frees), (1, 1000, 0));
    let (counts, ()) = counted(|| drop(bytes));
    assert_eq!((counts.allocations, counts.freed_bytes, counts.frees), (0, 1000, 1));
}
