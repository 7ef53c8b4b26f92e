//! Every kernel on every instruction set of this machine against the portable loops, and against itself elsewhere in
//! a vector.

mod signal;

use signal::noise;
use voicelane::audio::filter::Ratio;
use voicelane::audio::kernels::{Branch, Isa, ROW_GROUP, Rows};

fn frames(len: usize, seed: u64) -> Vec<f32> {
    noise(len, seed).into_iter().map(f32::from).collect()
}

fn taps(len: usize, seed: u64) -> Vec<f32> {
    noise(len, seed).into_iter().map(|sample| f32::from(sample) / 131_072.0).collect()
}

/// The sum of the products in f64, and the error that `f32` may make of it: a rounding for each product and sum.
fn exact(taps: &[f32], frames: &[f32]) -> (f64, f64) {
    let products = || taps.iter().zip(frames).map(|(&tap, &frame)| f64::from(tap) * f64::from(frame));
    let bound = products().map(f64::abs).sum::<f64>() * (taps.len() + 1) as f64 * f64::from(f32::EPSILON);
    (products().sum(), bound)
}

#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn the_best_has_vectors() {
    assert_ne!(Isa::best(), Isa::PORTABLE);
    assert_eq!(Isa::available().last(), Some(&Isa::best()));
}

#[test]
fn correlate_sums_every_branch() {
    for isa in Isa::available() {
        for num_taps in [0, 1, 2, 15, 16, 17, 31, 33, 52, 64, 65, 132, 300] {
            let (first, second) = (taps(num_taps, 1), taps(num_taps / 3, 2));
            for len in (0..70).chain([96, 97, 159, 160, 320, 479, 480]) {
                let (a, b) = (frames(len + num_taps, 3), frames(len + num_taps, 4));
                let branches = [Branch { taps: &first, stream: &a }, Branch { taps: &second, stream: &b }];
                let mut output = vec![f32::NAN; len];
                isa.correlate(&branches, &mut output);
                for (j, &sum) in output.iter().enumerate() {
                    let ((x, x_bound), (y, y_bound)) = (exact(&first, &a[j..]), exact(&second, &b[j..]));
                    let error = (f64::from(sum) - x - y).abs();
                    let bound = 2.0 * (x_bound + y_bound);
                    assert!(error <= bound, "{isa:?}: {error} at {j} of {len}, {num_taps} taps");
                }
            }
        }
    }
}

/// However many outputs one call computes, and wherever they stand, each has the same bits.
#[test]
fn correlate_does_not_depend_on_the_place() {
    let (taps, stream) = (taps(52, 1), frames(600, 2));
    for isa in Isa::available() {
        let mut whole = vec![0.0; 480];
        isa.correlate(&[Branch { taps: &taps, stream: &stream }], &mut whole);
        for (begin, len) in (0..200).flat_map(|begin| [(begin, 1), (begin, 5), (begin, 33), (begin, 250)]) {
            let mut part = vec![0.0; len];
            isa.correlate(&[Branch { taps: &taps, stream: &stream[begin..] }], &mut part);
            assert_eq!(part, whole[begin..begin + len], "{isa:?}: {len} from {begin}");
        }
    }
}

#[test]
fn convolve_rows_walks_the_rows_and_the_input() {
    for (up, down) in [(80, 147), (160, 147), (13, 3), (1, 17), (320, 441)] {
        let row_len = 6 * ROW_GROUP;
        let (table, input) = (taps(up * row_len, 1), frames(400 * down / up + row_len + 2, 2));
        let rows = Rows { coefficients: &table, row_len, ratio: Ratio { up, down } };
        for isa in Isa::available() {
            for (first_row, len) in [(0, 400), (up / 2, 399), (up - 1, 1), (0, 2), (up / 3, 7)] {
                let mut output = vec![f32::NAN; len];
                isa.convolve_rows(rows, first_row, &input, &mut output);
                let start = first_row * down / up;
                for (n, &sum) in (first_row..).zip(&output) {
                    let (expected, bound) = exact(
                        &table[n % up * row_len..][..row_len],
                        &input[n * down / up - start..][..row_len],
                    );
                    assert!((f64::from(sum) - expected).abs() <= bound, "{isa:?}: row {n} of {up}/{down}");
                }
                let mut one_by_one = vec![0.0; len];
                for (n, output) in (first_row..).zip(&mut one_by_one) {
                    let window = &input[n * down / up - start..];
                    isa.convolve_rows(rows, n % up, window, std::slice::from_mut(output));
                }
                assert_eq!(one_by_one, output, "{isa:?}: the bits do not depend on the place");
            }
        }
    }
}

#[test]
fn downmix_is_the_same_everywhere() {
    for num_channels in 1..=8 {
        for len in (0..40).chain([960, 961]) {
            let mut pcm = noise(len * num_channels, 7);
            if let Some(frame) = pcm.first_chunk_mut::<2>() {
                *frame = [i16::MIN; 2];
            }
            let expected: Vec<f32> = pcm
                .chunks_exact(num_channels)
                .map(|frame| {
                    frame.iter().map(|&sample| i32::from(sample)).sum::<i32>() as f32 / num_channels as f32
                })
                .collect();
            for isa in Isa::available() {
                let mut mono = vec![f32::NAN; len];
                isa.downmix(&pcm, num_channels, &mut mono);
                assert_eq!(mono, expected, "{isa:?}: {num_channels} channels");
            }
        }
    }
}

#[test]
fn deinterleave_gives_the_streams_their_frames_in_turn() {
    for isa in Isa::available() {
        for (num_channels, num_streams) in
            (1..=3).flat_map(|channels| (1..=12).map(move |streams| (channels, streams)))
        {
            let stream_len = 1200 / num_streams + 2;
            for (at, len) in [(0, 960), (103, 960), (7, 0), (5, 1), (11, 2), (12, 13), (1, 1100), (2, 481)] {
                let pcm = noise(len * num_channels, 3);
                let mut mono = vec![0.0; len];
                isa.downmix(&pcm, num_channels, &mut mono);
                let mut line = vec![-1.0; num_streams * stream_len];
                let mut expected = line.clone();
                isa.deinterleave(&pcm, num_channels, at, num_streams, &mut line);
                for (i, &frame) in (at..).zip(&mono) {
                    expected[i % num_streams * stream_len + i / num_streams] = frame;
                }
                assert_eq!(
                    line, expected,
                    "{isa:?}: {len} frames of {num_channels} from {at} to {num_streams}"
                );
            }
        }
    }
}

#[test]
fn interleave_fills_every_place_of_one_row() {
    for isa in Isa::available() {
        for up in 1..=12 {
            for len in [1, 2, 3, 100, 101, 480] {
                let mut output = vec![-1.0; len];
                let mut expected = output.clone();
                for first in 0..up.min(len) {
                    let row = frames((len - first).div_ceil(up), first as u64);
                    isa.interleave(&row, first, up, &mut output);
                    for (k, &frame) in row.iter().enumerate() {
                        expected[first + k * up] = frame;
                    }
                }
                assert_eq!(output, expected, "{isa:?}: {up} rows, {len} frames");
            }
        }
    }
}

#[test]
fn quantise_rounds_ties_to_even_and_counts_what_it_saturates() {
    let cases = [
        (0.0, 0, 0),
        (0.5, 0, 0),
        (1.5, 2, 0),
        (-0.5, 0, 0),
        (-1.5, -2, 0),
        (2.499_999, 2, 0),
        (32_767.0, 32_767, 0),
        (32_767.49, 32_767, 0),
        (32_767.5, 32_767, 1),
        (99_999.0, 32_767, 1),
        (-32_768.0, -32_768, 0),
        (-32_768.5, -32_768, 0),
        (-32_768.51, -32_768, 1),
        (-1e6, -32_768, 1),
    ];
    for isa in Isa::available() {
        for repeats in [1, 3, 40] {
            let samples: Vec<f32> = cases.iter().map(|case| case.0).collect::<Vec<_>>().repeat(repeats);
            let expected: Vec<i16> = cases.iter().map(|case| case.1).collect::<Vec<_>>().repeat(repeats);
            let mut pcm = vec![0; samples.len()];
            let clipped = isa.quantise(&samples, &mut pcm);
            assert_eq!(pcm, expected, "{isa:?}");
            assert_eq!(clipped, repeats as u32 * cases.iter().map(|case| case.2).sum::<u32>(), "{isa:?}");
        }
    }
}

#[test]
#[should_panic(expected = "the stream holds every window")]
fn a_stream_that_is_too_short_is_refused() {
    let frames = frames(20, 1);
    Isa::best().correlate(&[Branch { taps: &frames[..11], stream: &frames[..19] }], &mut [0.0; 10]);
}
