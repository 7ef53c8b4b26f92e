//! What playback costs the allocator: the consumer nothing, the producer nothing but for a growing backlog.
#![allow(clippy::print_stdout, reason = "the figures, with --nocapture")]

mod allocator;
mod playback_support;

use allocator::{counted, live_bytes};
use playback_support::{Ends, buffer, mono};
use voicelane::playback::{PlaybackConfig, PlaybackWriter};

/// Calls of the allocator in `work`.
fn calls_in(work: impl FnOnce()) -> usize {
    let (counts, ()) = counted(work);
    counts.allocations + counts.frees
}

fn live_bytes_of(make: impl FnOnce() -> Ends) -> (isize, Ends) {
    let before = live_bytes();
    let ends = make();
    (live_bytes() - before, ends)
}

/// 100 ms of 24 kHz.
fn base64_text() -> String {
    "AQAB".repeat(1_600)
}

#[test]
fn an_idle_buffer_takes_at_most_4_kib() {
    let (bytes, ends) = live_bytes_of(mono);
    let on_the_stack = size_of_val(&ends);
    println!("an idle buffer: {bytes} bytes on the heap, {on_the_stack} in its three ends");
    assert!(bytes + on_the_stack as isize <= 4096);
    let _first = buffer(PlaybackConfig { output_rate_hz: 48_000, ..Default::default() }); // the filter's table is shared
    let config = PlaybackConfig { output_rate_hz: 48_000, output_channels: 2, ..Default::default() };
    let (bytes, _ends) = live_bytes_of(|| buffer(config));
    println!("with 24 -> 48 kHz stereo: {bytes} bytes, the filter's line and a block of each rate");
    assert!(bytes <= 12 * 1024);
}

/// The service's deltas come as fast as they are heard.
#[test]
fn a_conversation_in_step_allocates_nothing() {
    let (mut writer, mut reader, control) = mono();
    let text = base64_text();
    let mut samples = [0; 480];
    let mut turn = |writer: &mut PlaybackWriter| {
        assert_eq!(writer.write_base64(text.as_bytes(), Some("item"), 0), Ok(2_400));
        (0..5).for_each(|_| assert_eq!(reader.read_into(&mut samples), 480));
    };
    (0..3).for_each(|_| turn(&mut writer));
    assert_eq!(calls_in(|| (0..2_000).for_each(|_| turn(&mut writer))), 0);
    assert_eq!(control.played_ms(), 200_300.0);
}

#[test]
fn the_consumer_never_allocates_or_frees() {
    const RATES_HZ: [u32; 4] = [8_000, 24_000, 44_100, 48_000];
    for (source, output) in RATES_HZ.iter().flat_map(|a| RATES_HZ.iter().map(move |b| (*a, *b))) {
        for (num_channels, output_channels) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let config = PlaybackConfig {
                sample_rate_hz: source,
                output_rate_hz: output,
                num_channels,
                output_channels,
                ..Default::default()
            };
            let (mut writer, mut reader, control) = buffer(config);
            let mut samples = vec![0; 1_300 * output_channels];
            let mut read = |frames| {
                let samples = &mut samples[..frames * output_channels];
                let calls = calls_in(|| _ = reader.read_into(samples));
                assert_eq!(calls, 0, "{config:?}");
            };
            for turn in 0..20 {
                let pcm = vec![1_000; (turn * 997 + 1) * num_channels];
                writer.write(&pcm, Some(&format!("item {turn}")), 0).expect("written");
                writer.write(&pcm, Some("another"), turn as u32).expect("written");
                (0..turn * 5).for_each(|n| read(n * 13));
                if turn % 3 == 1 {
                    control.interrupt(20 * (turn as u32 % 2));
                }
                if turn % 4 == 3 {
                    writer.finish();
                }
                (0..20).for_each(|n| read(n * 50));
            }
        }
    }
}

#[test]
fn a_backlog_goes_back_once_it_was_heard() {
    let text = base64_text();
    let (idle_bytes, (mut writer, mut reader, control)) = live_bytes_of(mono);
    let base = live_bytes() - idle_bytes;
    let held = || live_bytes() - base;
    let calls = calls_in(|| while writer.write_base64(text.as_bytes(), Some("item"), 0) == Ok(2_400) {});
    writer.finish();
    let bytes = held();
    println!("ten minutes: {bytes} bytes, {calls} calls of the allocator for 6000 writes");
    assert!(bytes < 600 * 24_000 * 2 + (512 << 10));
    let mut samples = [0; 480];
    (0..15_000).for_each(|_| _ = reader.read_into(&mut samples));
    (0..60).for_each(|_| writer.free_heard());
    println!("half of it heard: {} bytes", held());
    assert!(held() < bytes / 2 + (512 << 10), "memory follows the hearing");
    control.interrupt(0);
    assert_eq!(reader.read_into(&mut samples), 0);
    (0..70).for_each(|_| writer.free_heard());
    println!("the rest dropped: {} bytes; idle at first: {idle_bytes}", held());
    assert!(held() <= idle_bytes + 1024);
}

#[test]
fn tiny_writes_and_many_items_cost_what_they_carry() {
    let (idle_bytes, (mut writer, mut reader, _control)) = live_bytes_of(mono);
    let base = live_bytes() - idle_bytes;
    for _ in 0..48_000 {
        writer.write(&[1], Some("item"), 0).expect("written");
    }
    let bytes = live_bytes() - base;
    assert!(bytes < 48_000 * 4 + 8_192, "{bytes} bytes for 96,000 bytes of samples");
    for round in 0..100 {
        for item in 0..500 {
            writer.write(&[1; 10], Some(&format!("{round} {item}")), 0).expect("written");
        }
        let mut samples = [0; 10];
        (0..5_000).for_each(|_| _ = reader.read_into(&mut samples));
    }
    (0..5_000).for_each(|_| _ = reader.read_into(&mut [0; 10]));
    writer.finish();
    (0..2_000).for_each(|n| {
        drop(writer.write(&[1], Some(&n.to_string()), 0).map(|_| reader.read_into(&mut [0; 1])))
    });
    writer.finish();
    reader.read_into(&mut [0; 1]);
    (0..9).for_each(|_| writer.free_heard());
    let bytes = live_bytes() - base;
    println!("after 52,000 items: {bytes} bytes");
    assert!(bytes < 64 << 10);
}
