//! The capture path: whole conversions of 20 ms of speech, and each kernel by instruction set.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use voicelane::audio::filter::Ratio;
use voicelane::audio::g711::Law;
use voicelane::audio::kernels::{Branch, Isa, Rows};
use voicelane::audio::resample::Quality;
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};
use voicelane::wire::base64;

#[path = "../tests/signal/mod.rs"]
mod signal;

const ULAW: Encoding = Encoding::G711(Law::Ulaw);

fn conversions(c: &mut Criterion) {
    let default = CaptureFormat::default();
    let mono = CaptureFormat { num_channels: 1, ..default };
    let formats = [
        ("48k stereo -> 24k", default),
        ("48k mono -> 16k", CaptureFormat { target_rate_hz: Some(16_000), ..mono }),
        ("48k stereo -> 8k u-law", CaptureFormat { encoding: ULAW, ..default }),
        ("44.1k mono -> 24k", CaptureFormat { source_rate_hz: 44_100, ..mono }),
        ("16k mono -> 24k", CaptureFormat { source_rate_hz: 16_000, ..mono }),
    ];
    let speech = signal::speech_48k_stereo();
    for quality in [Quality::LowDelay, Quality::High] {
        let mut group = c.benchmark_group(format!("20 ms to base64, {quality:?}"));
        for (name, format) in formats {
            let mut encoder = CaptureEncoder::new(CaptureFormat { quality, ..format }).expect("valid");
            let num_samples = format.source_rate_hz as usize / 50 * format.num_channels;
            let pcm = &speech[96_000..][..num_samples];
            let mut text = String::new();
            group.throughput(Throughput::Bytes(2 * num_samples as u64));
            group.bench_function(name, |b| {
                b.iter(|| {
                    text.clear();
                    encoder.encode_into(black_box(pcm), &mut text).expect("whole frames");
                });
            });
        }
    }
}

fn kernels(c: &mut Criterion) {
    let pcm = signal::noise(1920, 1);
    let frames: Vec<f32> = pcm.iter().map(|&sample| f32::from(sample)).collect();
    let (mut mono, mut line, mut out, mut codes) =
        (vec![0.0; 960], vec![0.0; 2400], vec![0.0; 480], vec![0; 480]);
    let table = vec![0.01; 80 * 96];
    let rows = Rows { coefficients: &table, row_len: 96, ratio: Ratio { up: 80, down: 147 } };
    for isa in Isa::available() {
        let mut group = c.benchmark_group(format!("{isa:?}"));
        group.bench_function("downmix 960 stereo frames", |b| {
            b.iter(|| isa.downmix(black_box(&pcm), 2, &mut mono))
        });
        group.bench_function("deinterleave 960 stereo frames into 2", |b| {
            b.iter(|| isa.deinterleave(black_box(&pcm), 2, 103, 2, &mut line));
        });
        group.bench_function("deinterleave 960 mono frames into 3", |b| {
            b.iter(|| isa.deinterleave(black_box(&pcm[..960]), 1, 103, 3, &mut line));
        });
        group.bench_function("deinterleave 960 stereo frames into 6", |b| {
            b.iter(|| isa.deinterleave(black_box(&pcm), 2, 311, 6, &mut line));
        });
        group.bench_function("correlate 480 frames with 52 taps", |b| {
            let branch = Branch { taps: &table[..52], stream: &frames };
            b.iter(|| isa.correlate(black_box(&[branch]), &mut out));
        });
        group.bench_function("convolve 480 rows of 96", |b| {
            b.iter(|| isa.convolve_rows(black_box(rows), 0, black_box(&frames), &mut out));
        });
        group.bench_function("quantise 480 frames", |b| {
            b.iter(|| isa.quantise(black_box(&frames[..480]), &mut codes));
        });
    }
    let mut text = String::new();
    c.bench_function("base64 of 960 bytes", |b| {
        b.iter(|| {
            text.clear();
            base64::encode_into(black_box(bytemuck::cast_slice(&pcm[..480])), &mut text);
        });
    });
    let _first = CaptureEncoder::new(CaptureFormat::default());
    c.bench_function("a further encoder", |b| {
        b.iter(|| CaptureEncoder::new(black_box(CaptureFormat::default())))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    targets = conversions, kernels
}
criterion_main!(benches);
