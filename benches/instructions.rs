//! One hot path, a given number of times, to be counted by `benches/check_instructions.py`.
//! `level` prints the instruction set that its kernels take.
#![allow(clippy::print_stdout, reason = "a program")]

use voicelane::audio::g711::Law;
use voicelane::audio::kernels::Isa;
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};
use voicelane::playback::{PlaybackBuffer, PlaybackConfig};
use voicelane::wire::base64;

#[path = "../tests/signal/mod.rs"]
mod signal;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        return; // run by `cargo bench` or `cargo test --benches`
    };
    if name == "level" {
        println!("{:?}", Isa::best());
        return;
    }
    let Some(calls) = arguments.next().and_then(|calls| calls.parse::<usize>().ok()) else {
        return; // cargo's own `--bench`
    };
    match name.as_str() {
        "playback-100ms" => play(calls),
        conversion => encode(conversion, calls),
    }
}

/// 100 ms as an event in, 5 x 20 ms out.
fn play(calls: usize) {
    let (mut writer, mut reader, _control) =
        PlaybackBuffer::with_config(PlaybackConfig::default()).expect("valid");
    let speech = signal::speech_48k_stereo();
    let mut audio = String::new();
    base64::encode_into(bytemuck::cast_slice(&speech[96_000..][..2_400]), &mut audio);
    let event = format!(
        r#"{{"type":"response.audio.delta","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":"{audio}"}}"#
    );
    let mut frame = [0; 480];
    for _ in 0..calls {
        writer.write_event(event.as_bytes(), None).expect("an audio delta");
        for _ in 0..5 {
            reader.read_into(&mut frame);
        }
    }
}

fn encode(conversion: &str, calls: usize) {
    let mono = CaptureFormat { num_channels: 1, ..CaptureFormat::default() };
    let format = match conversion {
        "48k-stereo-24k" => CaptureFormat::default(),
        "48k-mono-16k" => CaptureFormat { target_rate_hz: Some(16_000), ..mono },
        "48k-stereo-8k-ulaw" => {
            CaptureFormat { encoding: Encoding::G711(Law::Ulaw), ..CaptureFormat::default() }
        }
        "44.1k-mono-24k" => CaptureFormat { source_rate_hz: 44_100, ..mono },
        "16k-mono-24k" => CaptureFormat { source_rate_hz: 16_000, ..mono },
        other => panic!("no conversion called {other}"),
    };
    let mut encoder = CaptureEncoder::new(format).expect("valid");
    let speech = signal::speech_48k_stereo();
    let pcm = &speech[96_000..][..format.source_rate_hz as usize / 50 * format.num_channels];
    let mut text = String::new();
    for _ in 0..calls {
        text.clear();
        encoder.encode_into(pcm, &mut text).expect("whole frames");
    }
}
