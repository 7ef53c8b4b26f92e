//! What a consumer hears, and what it is told of it.

mod playback_support;

use playback_support::{buffer, mono, read};
use voicelane::Error;
use voicelane::playback::{PlaybackBuffer, PlaybackConfig, PlaybackPosition};

fn ramp(frames: usize) -> Vec<i16> {
    (0..frames).map(|n| (n % 30_000) as i16 + 1).collect()
}

fn at(item_id: &str, content_index: u32, audio_end_ms: u64) -> PlaybackPosition {
    PlaybackPosition { item_id: Some(item_id.to_owned()), content_index, audio_end_ms }
}

#[test]
fn plays_in_order_whatever_the_cut() {
    let (mut writer, mut reader, control) = mono();
    let written = ramp(10_007);
    written.chunks(613).for_each(|chunk| assert_eq!(writer.write(chunk, None, 0), Ok(chunk.len())));
    let mut heard: Vec<i16> = Vec::new();
    for frames in [0, 1, 480, 479, 5_000, 3_000, 1_047] {
        heard.extend(read(&mut reader, frames).1);
    }
    assert_eq!(heard, written);
    assert!(control.is_idle());
    assert_eq!(read(&mut reader, 480), (0, vec![0; 480]));
}

#[test]
fn fills_a_short_read_with_silence_and_plays_every_remainder() {
    let (mut writer, mut reader, control) = mono();
    writer.write(&ramp(500), None, 0).expect("written");
    let (real, samples) = read(&mut reader, 480);
    assert_eq!((real, &samples[..]), (480, &ramp(500)[..480]));
    let (real, samples) = read(&mut reader, 480);
    assert_eq!((real, &samples[..20]), (20, &ramp(500)[480..]));
    assert!(samples[20..].iter().all(|&sample| sample == 0));
    assert_eq!(control.stats().silent_frames, 460);
}

#[test]
fn counts_an_underrun_once_per_gap_and_none_after_the_end() {
    let (mut writer, mut reader, control) = mono();
    read(&mut reader, 480);
    assert_eq!(control.stats().underruns, 0, "nothing was said yet");
    writer.write(&ramp(480), None, 0).expect("written");
    (0..3).for_each(|_| drop(read(&mut reader, 480)));
    assert_eq!(control.stats().underruns, 1, "one gap in mid-utterance");
    writer.write(&ramp(480), None, 0).expect("written");
    writer.finish();
    (0..3).for_each(|_| drop(read(&mut reader, 480)));
    assert_eq!(control.stats().underruns, 1, "the utterance was complete");
    writer.write(&ramp(480), None, 0).expect("written");
    control.interrupt(0);
    (0..3).for_each(|_| drop(read(&mut reader, 480)));
    assert_eq!(control.stats().underruns, 1, "it was cut off");
}

#[test]
fn an_interrupt_drops_what_was_before_and_nothing_after_a_hundred_times() {
    let (mut writer, mut reader, control) = mono();
    for _ in 0..100 {
        writer.write(&vec![7; 24_000], Some("stale"), 0).expect("written");
        assert_eq!(read(&mut reader, 480).1, vec![7; 480]);
        control.interrupt(0);
        assert_eq!(control.buffered_ms(), 0.0);
        writer.write(&[5; 480], Some("fresh"), 0).expect("written");
        assert_eq!(read(&mut reader, 480).1, vec![5; 480]);
    }
    assert_eq!(control.stats().dropped_frames, 100 * (24_000 - 480));
}

#[test]
fn a_fade_ends_in_silence_without_a_step_and_does_not_count_as_heard() {
    let (mut writer, mut reader, control) = mono();
    writer.write(&vec![20_000; 24_000], Some("item"), 0).expect("written");
    read(&mut reader, 2_400);
    assert_eq!(control.interrupt(20), at("item", 0, 100));
    writer.write(&[1; 480], Some("next"), 0).expect("written");
    let (real, samples) = read(&mut reader, 960);
    assert_eq!(real, 960);
    let largest_step = samples.windows(2).map(|pair| (pair[0] - pair[1]).abs()).max();
    assert!(largest_step < Some(70), "a click of {largest_step:?}");
    assert_eq!(samples[480..], [1; 480]);
    assert_eq!(control.position(), at("next", 0, 20));
    assert_eq!(control.played_ms(), 120.0);
}

#[test]
fn a_second_interrupt_does_not_restart_the_fade() {
    let (mut writer, mut reader, control) = mono();
    writer.write(&vec![20_000; 24_000], None, 0).expect("written");
    read(&mut reader, 480);
    control.interrupt(20);
    let mut samples = read(&mut reader, 240).1;
    control.interrupt(20);
    samples.extend(read(&mut reader, 480).1);
    assert!(samples.windows(2).all(|pair| pair[0] >= pair[1]), "the level never rises again");
    assert_eq!(samples[479..], vec![0; 241]);
}

#[test]
fn the_timeline_counts_what_was_heard_of_each_item() {
    let (mut writer, mut reader, control) = mono();
    assert_eq!(control.position(), PlaybackPosition::default());
    writer.write(&ramp(4_800), Some("a"), 0).expect("written");
    writer.write(&ramp(4_800), Some("a"), 1).expect("written");
    writer.write(&ramp(4_800), Some("b"), 0).expect("written");
    assert_eq!(control.position(), PlaybackPosition::default(), "nothing was heard yet");
    read(&mut reader, 2_400);
    assert_eq!(control.position(), at("a", 0, 100));
    control.pause();
    read(&mut reader, 2_400);
    assert_eq!(control.position(), at("a", 0, 100), "a pause is not heard");
    control.resume();
    read(&mut reader, 4_800);
    assert_eq!(control.position(), at("a", 1, 100));
    read(&mut reader, 24_000);
    assert_eq!(control.position(), at("b", 0, 200));
}

#[test]
fn a_full_buffer_takes_fewer_and_says_so() {
    let (mut writer, mut reader, control) =
        buffer(PlaybackConfig { max_buffered_ms: 100, num_channels: 2, ..PlaybackConfig::default() });
    assert_eq!(writer.write(&[3; 2 * 3_000], None, 0), Ok(2_400));
    assert_eq!(writer.write(&[3; 2], None, 0), Ok(0));
    assert_eq!(control.stats().overrun_frames, 601);
    read(&mut reader, 1_000);
    assert_eq!(writer.write(&[3; 2 * 3_000], None, 0), Ok(1_000));
    control.interrupt(0);
    assert_eq!(writer.write(&[3; 2], None, 0), Ok(0), "held until the consumer drops it");
    read(&mut reader, 1);
    assert_eq!(writer.write(&[3; 2], None, 0), Ok(1));
}

#[test]
fn refuses_by_name_and_stays_as_it_was() {
    let (mut writer, mut reader, control) = buffer(PlaybackConfig { num_channels: 2, ..Default::default() });
    assert_eq!(writer.write(&[1; 3], None, 0), Err(Error::PartialFrame { frame_bytes: 4, actual_bytes: 6 }));
    for text in ["AAA", "AA=A", "A\u{e9}AA", "====", "AAAA\n"] {
        assert!(
            matches!(writer.write_base64(text.as_bytes(), None, 0), Err(Error::InvalidBase64 { .. })),
            "{text}"
        );
    }
    assert!(matches!(writer.write_base64(b"AAAA", None, 0), Err(Error::PartialFrame { .. })));
    assert!(matches!(writer.write_event(b"[]", None), Err(Error::InvalidEvent { .. })));
    assert_eq!(control.stats().written_frames, 0);
    assert_eq!(read(&mut reader, 4).0, 0);
    for config in [
        PlaybackConfig { sample_rate_hz: 0, ..Default::default() },
        PlaybackConfig { output_rate_hz: 400_000, ..Default::default() },
        PlaybackConfig { num_channels: 0, ..Default::default() },
        PlaybackConfig { num_channels: 2, output_channels: 3, ..Default::default() },
        PlaybackConfig { max_buffered_ms: 0, ..Default::default() },
    ] {
        assert!(matches!(PlaybackBuffer::with_config(config), Err(Error::InvalidArgument { .. })));
    }
}

#[test]
fn an_event_of_another_response_is_dropped() {
    let (mut writer, mut reader, control) = mono();
    let text = br#"{"type":"response.audio.delta","response_id":"old","item_id":"i","delta":"AQACAA=="}"#;
    let stale = writer.write_event(text, Some("new")).expect("valid").expect("an audio delta");
    assert_eq!((stale.num_frames, stale.written_frames), (2, 0));
    let fresh = writer.write_event(text, Some("old")).expect("valid").expect("an audio delta");
    assert_eq!((fresh.num_frames, fresh.written_frames), (2, 2));
    assert_eq!(read(&mut reader, 2), (2, vec![1, 2]));
    assert_eq!(control.position().item_id.as_deref(), Some("i"));
}

#[test]
fn spreads_and_downmixes_channels() {
    let (mut writer, mut reader, _) = buffer(PlaybackConfig { output_channels: 3, ..Default::default() });
    writer.write(&[5, -7], None, 0).expect("written");
    assert_eq!(read(&mut reader, 3), (2, vec![5, 5, 5, -7, -7, -7, 0, 0, 0]));
    let (mut writer, mut reader, _) = buffer(PlaybackConfig { num_channels: 2, ..Default::default() });
    writer.write(&[5, 7, 100, -100], None, 0).expect("written");
    assert_eq!(read(&mut reader, 2), (2, vec![6, 0]));
}

#[test]
fn converts_the_rate_on_the_way_out_to_the_last_sample() {
    let config =
        PlaybackConfig { num_channels: 2, output_channels: 2, output_rate_hz: 48_000, ..Default::default() };
    let (mut writer, mut reader, control) = buffer(config);
    let frames = 24_000;
    let tone =
        |n: usize, rate: f64| (8_000.0 * (std::f64::consts::TAU * 440.0 * n as f64 / rate).sin()) as i16;
    let written: Vec<i16> = (0..frames).flat_map(|n| [tone(n, 24_000.0), -tone(n, 24_000.0)]).collect();
    writer.write(&written, Some("i"), 0).expect("written");
    let mut heard: Vec<i16> = Vec::new();
    for _ in 0..49 {
        let (real, samples) = read(&mut reader, 960);
        assert_eq!(real, 960, "no hold-back: 20 ms are there when 20 ms are asked for");
        heard.extend(samples);
    }
    assert_eq!(control.position(), at("i", 0, 978), "the last 1.1 ms are still in the filter");
    writer.finish();
    assert!(!control.is_idle());
    let mut real_frames = heard.len() / 2;
    while !control.is_idle() {
        let (real, samples) = read(&mut reader, 960);
        heard.extend(&samples[..real * 2]);
        real_frames += real;
    }
    let delay = real_frames - 2 * frames;
    assert!((1..=70).contains(&delay), "the filter's tail of {delay} frames was played");
    let error = (2_000..heard.len() / 2 - 2_000)
        .map(|n| {
            (i32::from(heard[2 * n]) - i32::from(tone(n - delay, 48_000.0)))
                .abs()
                .max((i32::from(heard[2 * n + 1]) + i32::from(tone(n - delay, 48_000.0))).abs())
        })
        .max();
    assert!(error <= Some(4), "off by {error:?}");
    assert_eq!(control.position(), at("i", 0, 1_000));
    assert_eq!(control.stats().underruns, 0);
}

#[test]
fn an_interrupt_leaves_nothing_in_the_output_filter() {
    let config = PlaybackConfig { output_rate_hz: 48_000, ..Default::default() };
    let (mut writer, mut reader, control) = buffer(config);
    writer.write(&vec![20_000; 24_000], None, 0).expect("written");
    read(&mut reader, 960);
    control.interrupt(0);
    assert!(control.is_idle());
    assert_eq!(read(&mut reader, 960), (0, vec![0; 960]));
    writer.write(&[0; 480], None, 0).expect("written");
    assert_eq!(read(&mut reader, 960), (960, vec![0; 960]));
}

#[test]
fn what_the_output_filter_holds_counts_for_its_item_once_it_is_heard() {
    let (mut writer, mut reader, control) =
        buffer(PlaybackConfig { output_rate_hz: 48_000, ..Default::default() });
    writer.write(&[100; 2_400], Some("a"), 0).expect("written");
    writer.write(&[100; 2_400], Some("b"), 0).expect("written");
    read(&mut reader, 4_800);
    assert_eq!(control.position(), at("a", 0, 98), "its end is still in the filter");
    read(&mut reader, 48);
    assert_eq!(control.position(), at("a", 0, 99));
    read(&mut reader, 48);
    assert_eq!(control.position(), at("b", 0, 0));
    control.interrupt(0);
    read(&mut reader, 48);
    let stats = control.stats();
    assert_eq!(stats.played_frames + stats.dropped_frames, 4_800, "the filter's content was dropped");
    assert_eq!(control.position(), at("b", 0, 0));
}

#[test]
fn a_cut_at_the_same_place_ends_a_fade() {
    let (mut writer, mut reader, control) = mono();
    writer.write(&vec![20_000; 24_000], None, 0).expect("written");
    read(&mut reader, 480);
    control.interrupt(20);
    control.clear();
    assert_eq!(read(&mut reader, 480), (0, vec![0; 480]));
    assert!(control.is_finished());
}

#[test]
fn an_interrupt_while_paused_makes_room_at_once_and_nothing_of_it_is_heard_later() {
    let (mut writer, mut reader, control) =
        buffer(PlaybackConfig { max_buffered_ms: 1_000, ..Default::default() });
    writer.write(&[9; 24_000], None, 0).expect("written");
    read(&mut reader, 480);
    control.pause();
    control.interrupt(20);
    assert_eq!(read(&mut reader, 480), (0, vec![0; 480]));
    assert_eq!(writer.write(&[5; 24_000], None, 0), Ok(24_000));
    control.resume();
    assert_eq!(read(&mut reader, 480), (480, vec![5; 480]));
}

#[test]
fn an_utterance_is_not_over_while_its_end_is_in_the_filter() {
    let (mut writer, mut reader, control) =
        buffer(PlaybackConfig { output_rate_hz: 48_000, ..Default::default() });
    writer.write(&ramp(480), None, 0).expect("written");
    assert_eq!(read(&mut reader, 960).0, 960);
    writer.finish();
    assert!(!control.is_idle() && !control.is_finished());
    assert_eq!(read(&mut reader, 960).0, 52);
    assert!(control.is_idle() && control.is_finished());
}

#[test]
fn finished_means_complete_and_heard_or_cut_off() {
    let (mut writer, mut reader, control) = mono();
    assert!(control.is_finished(), "nothing was begun");
    writer.write(&ramp(480), None, 0).expect("written");
    read(&mut reader, 960);
    assert!(control.is_idle() && !control.is_finished(), "it ran dry");
    writer.finish();
    assert!(control.is_finished());
    writer.write(&ramp(480), None, 0).expect("written");
    writer.finish();
    assert!(!control.is_finished(), "it was not heard");
    control.interrupt(0);
    assert!(control.is_finished());
}

#[test]
fn holds_ten_minutes_and_gives_them_back_in_order() {
    let (mut writer, mut reader, control) = mono();
    let frames = 600 * 24_000;
    let sample = |n: usize| (n.wrapping_mul(2_654_435_761) >> 8) as i16;
    let mut written = 0;
    for chunk in [2_400, 480, 24_000, 1, 999_983].into_iter().cycle() {
        let samples: Vec<i16> = (written..written + chunk).map(sample).collect();
        let taken = writer.write(&samples, Some("i"), 0).expect("whole frames");
        written += taken;
        if taken < chunk {
            break;
        }
    }
    assert_eq!(written, frames);
    assert_eq!(control.buffered_ms(), 600_000.0);
    let mut samples = vec![0; 480];
    for start in (0..frames).step_by(480) {
        assert_eq!(reader.read_into(&mut samples), 480);
        assert!(samples.iter().zip(start..).all(|(heard, n)| *heard == sample(n)), "from frame {start}");
    }
    assert_eq!(control.position(), at("i", 0, 600_000));
}

#[test]
fn hands_over_between_threads_without_loss() {
    let (mut writer, mut reader, control) = mono();
    let written = ramp(480_000);
    let expected = written.clone();
    let producer = std::thread::spawn(move || {
        for chunk in written.chunks(333) {
            assert_eq!(writer.write(chunk, Some("i"), 0), Ok(chunk.len()));
        }
        writer.finish();
    });
    let mut heard: Vec<i16> = Vec::new();
    while heard.len() < expected.len() {
        let (real, samples) = read(&mut reader, 480);
        heard.extend(&samples[..real]);
    }
    producer.join().expect("the producer ends");
    assert!(heard == expected);
    assert_eq!(control.position(), at("i", 0, 20_000));
    assert_eq!(control.stats().buffered_frames, 0);
}
