//! Playback against the simplest models there are, over any sequence of steps.

mod playback_support;

use playback_support::{buffer, mono, read};
use proptest::prelude::*;
use voicelane::playback::PlaybackConfig;

#[derive(Debug, Clone)]
enum Step {
    Write(usize, bool),
    Read(usize),
    Interrupt,
    Pause(bool),
    Finish,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..900_usize, any::<bool>()).prop_map(|(frames, other)| Step::Write(frames, other)),
        4 => (0..900_usize).prop_map(Step::Read),
        1 => Just(Step::Interrupt),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Finish),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Against the simplest buffer there is: a deque of (sample, item).
    #[test]
    fn behaves_as_a_simple_queue(steps in steps()) {
        let (mut writer, mut reader, control) = mono();
        let mut model = std::collections::VecDeque::new();
        let (mut last, mut paused, mut value) = (None, false, 0_i16);
        for step in steps {
            match step {
                Step::Write(frames, other) => {
                    let item = if other { "other" } else { "one" };
                    let samples: Vec<i16> = (0..frames).map(|_| { value = value.wrapping_add(1); value }).collect();
                    prop_assert_eq!(writer.write(&samples, Some(item), 0), Ok(frames));
                    model.extend(samples.into_iter().map(|sample| (sample, item)));
                }
                Step::Read(frames) => {
                    let (real, samples) = read(&mut reader, frames);
                    let expected = if paused { 0 } else { frames.min(model.len()) };
                    prop_assert_eq!(real, expected);
                    for sample in &samples[..real] {
                        let (model_sample, item) = model.pop_front().expect("counted");
                        prop_assert_eq!(*sample, model_sample);
                        last = Some(item);
                    }
                    prop_assert!(samples[real..].iter().all(|&sample| sample == 0));
                }
                Step::Interrupt => { control.interrupt(0); model.clear(); }
                Step::Finish => writer.finish(),
                Step::Pause(on) => { if on { control.pause() } else { control.resume() }; paused = on; }
            }
            prop_assert_eq!(control.stats().buffered_frames, model.len() as u64);
            prop_assert_eq!(control.position().item_id, last.map(String::from));
            prop_assert_eq!(control.is_idle(), model.is_empty());
        }
        control.resume();
        read(&mut reader, model.len());
        let stats = control.stats();
        prop_assert_eq!(stats.written_frames, stats.played_frames + stats.dropped_frames);
    }

    /// Whatever the rates, the fades and the moments: no frame is claimed as heard before it was handed
    /// out, and each was heard or dropped in the end.
    #[test]
    fn claims_no_more_than_was_handed_out(
        steps in steps(),
        rates in (0..5_usize, 0..5_usize),
        channels in (1..3_usize, 1..3_usize),
        fade_ms in 0..30_u32,
    ) {
        const RATES_HZ: [u32; 5] = [8_000, 22_050, 24_000, 44_100, 48_000];
        let config = PlaybackConfig {
            sample_rate_hz: RATES_HZ[rates.0], output_rate_hz: RATES_HZ[rates.1],
            num_channels: channels.0, output_channels: channels.1, ..Default::default()
        };
        let (mut writer, mut reader, control) = buffer(config);
        let (mut handed_out, mut last_heard) = (0, 0);
        for step in steps {
            match step {
                Step::Write(frames, other) => {
                    let item = if other { "other" } else { "one" };
                    let taken = writer.write(&vec![9; frames * channels.0], Some(item), 0);
                    prop_assert_eq!(taken, Ok(frames));
                }
                Step::Read(frames) => handed_out += read(&mut reader, frames).0 as u64,
                Step::Interrupt => drop(control.interrupt(fade_ms)),
                Step::Pause(true) => control.pause(),
                Step::Pause(false) => control.resume(),
                Step::Finish => writer.finish(),
            }
            let heard = control.stats().played_frames;
            prop_assert!(heard >= last_heard, "the position never goes back");
            prop_assert!(heard * u64::from(config.output_rate_hz) <= handed_out * u64::from(config.sample_rate_hz));
            last_heard = heard;
        }
        control.resume();
        writer.finish();
        while read(&mut reader, 480).0 > 0 {}
        prop_assert!(control.is_finished());
        let stats = control.stats();
        prop_assert_eq!(stats.written_frames, stats.played_frames + stats.dropped_frames);
        prop_assert_eq!(stats.buffered_frames, 0);
    }
}
