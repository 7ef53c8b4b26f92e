//! The resampler against its specification, an ideal sinusoid, a reference in f64, and rubato.

mod signal;

use std::collections::HashMap;
use std::f64::consts::{PI, TAU};

use proptest::prelude::*;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use signal::{amplitude_at, interpolated, noise, rate_pairs, snr_db, speech_48k_stereo, tone};
use voicelane::Error;
use voicelane::audio::filter::{PolyphaseFilter, Ratio};
use voicelane::audio::resample::{MonoResampler, Quality, Resampler};

const QUALITIES: [Quality; 2] = [Quality::LowDelay, Quality::High];

fn mono(source_rate_hz: u32, target_rate_hz: u32, quality: Quality) -> MonoResampler {
    MonoResampler::new(source_rate_hz, target_rate_hz, quality).expect("valid rates")
}

/// What comes out of a stream cut into `chunk_frames`, its tail included.
fn streamed(resampler: &mut Resampler, pcm: &[i16], chunk_frames: usize) -> Vec<i16> {
    let mut output = Vec::new();
    for chunk in pcm.chunks(chunk_frames * resampler.num_channels()) {
        resampler.process_into(chunk, &mut output).expect("whole frames");
    }
    resampler.flush_into(&mut output);
    output
}

#[test]
fn stream_equals_one_shot() {
    let lengths = [0, 1, 2, 3, 99, 100, 101, 1023, 1024, 1025, 3000];
    let pairs = [(48_000, 24_000), (48_000, 16_000), (48_000, 8_000), (44_100, 24_000), (16_000, 24_000)];
    let more = [(22_050, 24_000), (8_000, 48_000), (96_000, 11_025), (24_000, 24_000), (44_101, 47_999)];
    for (source, target) in pairs.into_iter().chain(more) {
        for (quality, num_channels) in [(Quality::LowDelay, 2), (Quality::High, 1)] {
            let mut resampler = Resampler::new(source, target, num_channels, quality).expect("valid");
            for num_frames in lengths {
                let pcm = noise(num_frames * num_channels, num_frames as u64);
                let whole = streamed(&mut resampler, &pcm, usize::MAX / 16);
                for chunk_frames in [1, 7, 160, 480, 441, 1024] {
                    let cut = streamed(&mut resampler, &pcm, chunk_frames);
                    assert_eq!(cut, whole, "{source} -> {target}, {num_frames} frames by {chunk_frames}");
                }
            }
        }
    }
}

#[test]
fn every_pair_yields_what_is_due_and_the_tail() {
    for (source, target) in rate_pairs() {
        for quality in QUALITIES {
            let mut resampler = mono(source, target, quality);
            let (mut output, mut taken) = (Vec::new(), 0u64);
            for num_frames in [1, 1, 2, 17, 480, 441, 3000] {
                resampler.process_into(&vec![0; num_frames], &mut output);
                taken += num_frames as u64;
                let due = (taken * u64::from(target)).div_ceil(u64::from(source));
                assert_eq!(output.len() as u64, due, "{source} -> {target} after {taken}");
            }
            resampler.flush_into(&mut output);
            let rounded = (2 * taken * u64::from(target) + u64::from(source)) / (2 * u64::from(source));
            assert_eq!(
                output.len() as u64,
                rounded + resampler.delay_frames() as u64,
                "{source} -> {target}"
            );
        }
    }
}

#[test]
fn twenty_ms_in_are_twenty_ms_out_at_each_call() {
    let mut resampler = Resampler::new(48_000, 24_000, 2, Quality::LowDelay).expect("valid");
    for _ in 0..10 {
        let mut output = Vec::new();
        resampler.process_into(&[0; 1920], &mut output).expect("whole frames");
        assert_eq!(output.len(), 480);
    }
}

/// The response of a filter, measured from its coefficients.
struct Response {
    prototype: Vec<f64>,
    ratio: Ratio,
}

impl Response {
    fn of(filter: &PolyphaseFilter) -> Self {
        let Ratio { up, down } = filter.ratio();
        let mut prototype = vec![0.0; up * filter.row_len()];
        for row in 0..up {
            for age in 0..filter.row_len() {
                let coefficient = filter.coefficient(row, filter.row_len() - 1 - age);
                prototype[row * down % up + age * up] = f64::from(coefficient);
            }
        }
        Self { prototype, ratio: filter.ratio() }
    }

    /// Gain at a frequency that is a fraction of the lower Nyquist frequency.
    fn gain_db(&self, frequency: f64) -> f64 {
        let step = PI * frequency / self.ratio.up.max(self.ratio.down) as f64;
        let (sin, cos) = step.sin_cos();
        let (mut re, mut im, mut sum_re, mut sum_im) = (1.0, 0.0, 0.0, 0.0);
        for h in &self.prototype {
            sum_re += h * re;
            sum_im += h * im;
            (re, im) = (re * cos - im * sin, re * sin + im * cos);
        }
        20.0 * (sum_re.hypot(sum_im) / self.ratio.up as f64).log10()
    }
}

/// Passband edge and stopband edge as fractions of the lower Nyquist frequency, and the rejection in dB.
fn specified(quality: Quality) -> (f64, f64, f64) {
    match quality {
        Quality::LowDelay => (0.875, 1.1, 80.0),
        Quality::High => (0.92, 1.02, 100.0),
    }
}

#[test]
fn every_filter_keeps_its_specification() {
    let mut measured = HashMap::new();
    for (source, target) in rate_pairs().filter(|(source, target)| source != target) {
        for quality in QUALITIES {
            let ratio = Ratio::of_rates(source, target);
            measured.entry((ratio, quality)).or_insert_with(|| {
                let (pass, stop, rejection_db) = specified(quality);
                let response = Response::of(&PolyphaseFilter::design(ratio, quality));
                for step in 0..=20 {
                    let gain_db = response.gain_db(pass * f64::from(step) / 20.0);
                    assert!(gain_db.abs() < 0.01, "{gain_db} dB in the passband of {ratio:?} {quality:?}");
                }
                // Closely along the first side lobes, which are the highest, then up to the highest image.
                let highest = ratio.up.max(ratio.down) as f64;
                let near = (0..40).map(|step| stop + f64::from(step) * 0.01);
                let far = (0..60).map(|step| stop * (highest / stop).powf(f64::from(step) / 59.0));
                for frequency in near.chain(far).filter(|&frequency| frequency <= highest) {
                    let gain_db = response.gain_db(frequency);
                    assert!(
                        gain_db < -rejection_db - 0.5,
                        "{gain_db} dB at {frequency} of {ratio:?} {quality:?}"
                    );
                }
            });
        }
    }
}

#[test]
fn the_delays_are_as_specified() {
    assert!(mono(48_000, 24_000, Quality::LowDelay).delay_ms() <= 1.4);
    assert!(mono(48_000, 24_000, Quality::High).delay_ms() <= 4.0);
    for rate_hz in signal::RATES_HZ {
        assert_eq!(mono(rate_hz, rate_hz, Quality::High).delay_frames(), 0);
    }
    for (source, target) in rate_pairs() {
        let lower_khz = f64::from(source.min(target)) / 1000.0;
        // Half the filter in ms, rounded up to a whole output frame.
        let rounding_ms = 1000.0 / f64::from(target);
        assert!(mono(source, target, Quality::LowDelay).delay_ms() <= 25.8 / lower_khz + rounding_ms);
        assert!(mono(source, target, Quality::High).delay_ms() <= 65.6 / lower_khz + rounding_ms);
    }
}

/// Every pair: a tone off any bin comes out as the same tone, `delay_frames` later; images and noise count as error.
#[test]
fn a_tone_comes_out_late_by_the_delay_and_clean() {
    for (source, target) in rate_pairs() {
        for quality in QUALITIES {
            let mut resampler = mono(source, target, quality);
            let nyquist_hz = f64::from(source.min(target)) / 2.0;
            for fraction in [0.1 / 2f64.sqrt(), 0.6 / 3f64.sqrt(), 0.9 / 1.07] {
                let frequency_hz = fraction * nyquist_hz;
                let input = tone(frequency_hz / f64::from(source), 20_000.0, (source / 5) as usize);
                let mut output = Vec::new();
                resampler.process_into(&input, &mut output);
                resampler.reset();
                let delay_frames = resampler.delay_frames();
                let settled = 2 * delay_frames..output.len();
                let ideal = settled.clone().map(|n| {
                    20_000.0
                        * (TAU * frequency_hz / f64::from(target) * (n as f64 - delay_frames as f64)).sin()
                });
                let snr_db = snr_db(ideal, &output[settled]);
                // The 16-bit input and output alone cost 90.8 dB.
                let least_db = if quality == Quality::High { 90.0 } else { 79.5 };
                assert!(
                    snr_db > least_db,
                    "{snr_db:.1} dB: {source} -> {target} {quality:?} at {frequency_hz:.0} Hz"
                );
            }
        }
    }
}

/// Every pair downwards: a loud tone above the stopband edge leaves no more than the specified rejection. A softer
/// tone within the band keeps the output from rounding the rest to silence.
#[test]
fn tones_above_the_band_do_not_alias() {
    for (source, target) in rate_pairs().filter(|(source, target)| source > target) {
        for quality in QUALITIES {
            let (_, stop, rejection_db) = specified(quality);
            for fraction in [stop, stop + 0.03, 1.37, 1.93] {
                let frequency_hz = fraction * f64::from(target) / 2.0;
                if frequency_hz >= f64::from(source) / 2.0 {
                    continue;
                }
                let num_frames = (source / 4) as usize;
                let loud = tone(frequency_hz / f64::from(source), 29_000.0, num_frames);
                let soft = tone(0.2718 * f64::from(target) / f64::from(source), 3_000.0, num_frames);
                let input: Vec<i16> = loud.iter().zip(soft).map(|(a, b)| a + b).collect();
                let mut resampler = mono(source, target, quality);
                let mut output = Vec::new();
                resampler.process_into(&input, &mut output);
                let alias =
                    amplitude_at(frequency_hz / f64::from(target), &output[2 * resampler.delay_frames()..]);
                let alias_db = 20.0 * (alias / 29_000.0).log10();
                assert!(
                    alias_db < -rejection_db,
                    "{alias_db:.1} dB: {source} -> {target} {quality:?} at {fraction}"
                );
            }
        }
    }
}

#[test]
fn a_constant_stays_that_constant() {
    for (source, target) in rate_pairs() {
        let mut resampler = mono(source, target, Quality::LowDelay);
        let mut output = Vec::new();
        resampler.process_into(&vec![-12_345; 4000], &mut output);
        let settled = &output[2 * resampler.delay_frames()..];
        assert!(settled.iter().all(|&sample| sample == -12_345), "{source} -> {target}");
    }
}

/// Noise below 0.8 of the lower Nyquist frequency against a sinc of 2 x 600 frames in f64.
#[test]
fn band_limited_noise_matches_a_long_reference() {
    for (source, target) in
        [(48_000, 24_000), (44_100, 24_000), (16_000, 24_000), (22_050, 48_000), (96_000, 11_025)]
    {
        let cutoff = 0.8 * f64::from(target.min(source)) / f64::from(source);
        // 7500 rms after the cut, far from saturation; the 16-bit input and output then cost 85 dB.
        let scale = 7500.0 / (32_768.0 / 3f64.sqrt() * cutoff.sqrt());
        let white: Vec<f64> = noise(8000, 5).iter().map(|&sample| f64::from(sample) * scale).collect();
        let input: Vec<i16> =
            (0..8000).map(|n| interpolated(&white, f64::from(n), cutoff, 600.0).round() as i16).collect();
        let exact: Vec<f64> = input.iter().map(|&sample| f64::from(sample)).collect();
        for (quality, least_db) in [(Quality::LowDelay, 75.0), (Quality::High, 83.5)] {
            let mut resampler = mono(source, target, quality);
            let mut output = Vec::new();
            resampler.process_into(&input, &mut output);
            let step = f64::from(source) / f64::from(target);
            let first = (1000.0 / step) as usize;
            let reference = (first..first + 400).map(|n| {
                let time = (n as f64 - resampler.delay_frames() as f64) * step;
                interpolated(&exact, time, (cutoff * 1.15).min(1.0), 600.0)
            });
            let snr_db = snr_db(reference, &output[first..]);
            assert!(snr_db > least_db, "{snr_db:.1} dB: {source} -> {target} {quality:?}");
        }
    }
}

/// rubato's windowed sinc with another filter of another length, on speech, as a second opinion.
#[test]
fn speech_matches_rubato() {
    let speech: Vec<i16> =
        speech_48k_stereo().chunks_exact(2).map(|frame| frame[0]).skip(60_000).take(48_000).collect();
    let samples: Vec<f64> = speech.iter().map(|&sample| f64::from(sample)).collect();
    for target in [24_000, 16_000, 44_100, 96_000] {
        let parameters = SincInterpolationParameters {
            sinc_len: 512,
            f_cutoff: Some(0.96),
            oversampling_factor: 512,
            interpolation: SincInterpolationType::Cubic,
            window: WindowFunction::BlackmanHarris2,
        };
        let ratio = f64::from(target) / 48_000.0;
        let mut rubato =
            Async::<f64>::new_sinc(ratio, 1.1, &parameters, 1024, 1, FixedAsync::Input).expect("valid");
        let input = SequentialSlice::new(&samples, 1, samples.len()).expect("one channel");
        let theirs = rubato.process_all(&input, samples.len(), None).expect("enough input").take_data();

        let mut resampler = mono(48_000, target, Quality::High);
        let mut ours = Vec::new();
        resampler.process_into(&speech, &mut ours);
        let delay_frames = resampler.delay_frames();
        // How rubato aligns its output is up to it: the best of the offsets of a frame each way, in 1/64 frame.
        let best_db = (-64..=64)
            .map(|offset| {
                let at = |n: usize| interpolated(&theirs, n as f64 + f64::from(offset) / 64.0, 1.0, 24.0);
                snr_db((4000..4400).map(at), &ours[4000 + delay_frames..])
            })
            .fold(0.0, f64::max);
        assert!(best_db > 50.0, "{best_db:.1} dB: 48000 -> {target}");
    }
}

#[test]
fn loud_steps_saturate_and_are_counted() {
    let square: Vec<i16> = (0..4800).map(|n| if n / 50 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let mut resampler = mono(48_000, 24_000, Quality::LowDelay);
    let mut output = Vec::new();
    resampler.process_into(&square, &mut output);
    let saturated = output.iter().filter(|&&sample| sample == i16::MAX || sample == i16::MIN).count() as u64;
    assert!(resampler.clipped_samples() > 100);
    assert!(saturated >= resampler.clipped_samples());
    // Wrapped samples would jump over the whole scale within a half wave.
    let delayed = |n: usize| square[2 * (n - resampler.delay_frames())];
    for (n, sample) in output.iter().enumerate().skip(resampler.delay_frames() + 3).take(2000) {
        if (n - 2..=n + 2).all(|n| delayed(n) == delayed(n - 1)) {
            assert_eq!(sample.signum(), delayed(n).signum(), "frame {n}");
        }
    }
    resampler.reset();
    assert_eq!(resampler.clipped_samples(), 0);
}

#[test]
fn equal_rates_pass_the_exact_mean() {
    for num_channels in 1..=8 {
        let mut pcm = noise(num_channels * 3000, 9);
        pcm.extend(
            std::iter::repeat_n(i16::MIN, num_channels).chain(std::iter::repeat_n(i16::MAX, num_channels)),
        );
        let mut resampler = Resampler::new(24_000, 24_000, num_channels, Quality::High).expect("valid");
        let output = streamed(&mut resampler, &pcm, 77);
        let divisor = num_channels as i64;
        for (frame, &mean) in pcm.chunks_exact(num_channels).zip(&output) {
            let sum: i64 = frame.iter().map(|&sample| i64::from(sample)).sum();
            let (floor, rest) = (sum.div_euclid(divisor), sum.rem_euclid(divisor));
            let rounds_up = 2 * rest > divisor || (2 * rest == divisor && floor % 2 != 0);
            assert_eq!(i64::from(mean), floor + i64::from(rounds_up), "{frame:?}");
        }
        assert_eq!((output.len(), resampler.clipped_samples()), (3002, 0));
    }
}

#[test]
fn channels_are_averaged_before_the_filter() {
    let pcm = noise(6000, 3);
    let mono_pcm: Vec<i16> = pcm.iter().flat_map(|&sample| [sample, sample, sample]).collect();
    let mut three = Resampler::new(44_100, 24_000, 3, Quality::LowDelay).expect("valid");
    let mut one = Resampler::new(44_100, 24_000, 1, Quality::LowDelay).expect("valid");
    assert_eq!(streamed(&mut three, &mono_pcm, 100), streamed(&mut one, &pcm, 100));
    let opposite: Vec<i16> =
        pcm.iter().flat_map(|&sample| [sample.max(-32_767), -sample.max(-32_767)]).collect();
    let mut two = Resampler::new(44_100, 24_000, 2, Quality::LowDelay).expect("valid");
    assert!(streamed(&mut two, &opposite, 100).iter().all(|&sample| sample == 0));
}

#[test]
fn flush_and_reset_make_it_as_new() {
    let pcm = noise(5000, 1);
    let mut resampler = Resampler::new(44_100, 24_000, 2, Quality::LowDelay).expect("valid");
    let first = streamed(&mut resampler, &pcm, 313);
    assert_eq!(streamed(&mut resampler, &pcm, 50), first);
    resampler.process_into(&pcm[..1234], &mut Vec::new()).expect("whole frames");
    resampler.reset();
    assert_eq!(streamed(&mut resampler, &pcm, 50), first);
}

#[test]
fn a_half_frame_is_refused_and_nothing_taken() {
    let mut resampler = Resampler::new(48_000, 24_000, 2, Quality::LowDelay).expect("valid");
    let mut output = Vec::new();
    let refusal = resampler.process_into(&[1, 2, 3], &mut output);
    assert_eq!(refusal, Err(Error::PartialFrame { frame_bytes: 4, actual_bytes: 6 }));
    assert!(output.is_empty());
    let pcm = noise(200, 1);
    let mut fresh = Resampler::new(48_000, 24_000, 2, Quality::LowDelay).expect("valid");
    assert_eq!(streamed(&mut resampler, &pcm, 9), streamed(&mut fresh, &pcm, 9));
}

#[test]
fn arguments_out_of_range_are_refused_by_name() {
    let refusal = |source, target, channels| {
        Resampler::new(source, target, channels, Quality::High).expect_err("out of range").to_string()
    };
    assert_eq!(refusal(3_999, 24_000, 1), "source_rate_hz: expected 4000 to 192000 Hz, got 3999");
    assert_eq!(refusal(24_000, 192_001, 1), "target_rate_hz: expected 4000 to 192000 Hz, got 192001");
    assert_eq!(refusal(24_000, 8_000, 0), "num_channels: expected 1 to 8, got 0");
    assert_eq!(refusal(24_000, 8_000, 9), "num_channels: expected 1 to 8, got 9");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any rates, any cut: the same bits; and what was promised is what came.
    #[test]
    fn any_cut_gives_the_same_bits(
        source in 4_000u32..=192_000,
        target in prop::sample::select(vec![8_000, 16_000, 24_000, 44_100, 48_000]),
        num_channels in 1usize..=8,
        cuts in prop::collection::vec(0usize..700, 1..12),
        seed in any::<u64>(),
    ) {
        // Rates of the real world have a common divisor; without one, a table takes long to build.
        let source = source / 100 * 100;
        let total: usize = cuts.iter().sum();
        let pcm = noise(total * num_channels, seed);
        let mut resampler = Resampler::new(source, target, num_channels, Quality::LowDelay).expect("valid");
        let whole = streamed(&mut resampler, &pcm, usize::MAX / 16);
        let (mut output, mut rest) = (Vec::new(), &pcm[..]);
        for cut in cuts {
            let promised = output.len() + resampler.output_frames_for(cut);
            let (chunk, others) = rest.split_at(cut * num_channels);
            resampler.process_into(chunk, &mut output).expect("whole frames");
            prop_assert_eq!(output.len(), promised);
            rest = others;
        }
        resampler.flush_into(&mut output);
        prop_assert_eq!(output, whole);
    }

    /// `input_frames_for` is the least input that makes so many output frames due.
    #[test]
    fn input_frames_for_is_exact(
        source in prop::sample::select(signal::RATES_HZ.to_vec()),
        target in prop::sample::select(signal::RATES_HZ.to_vec()),
        taken in 0usize..3000,
        wanted in 0usize..3000,
    ) {
        let mut resampler = mono(source, target, Quality::LowDelay);
        resampler.process_into(&vec![0; taken], &mut Vec::new());
        let needed = resampler.input_frames_for(wanted);
        prop_assert!(resampler.output_frames_for(needed) >= wanted);
        prop_assert!(needed == 0 || resampler.output_frames_for(needed - 1) < wanted);
    }
}
