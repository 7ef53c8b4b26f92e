//! One conversion, a given number of times, to be counted by `benches/count_instructions.sh`.

use voicelane::audio::g711::Law;
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};

#[path = "../tests/signal/mod.rs"]
mod signal;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(calls)) =
        (arguments.next(), arguments.next().and_then(|calls| calls.parse::<usize>().ok()))
    else {
        return; // run by `cargo bench` or `cargo test --benches`, without a conversion
    };
    let mono = CaptureFormat { num_channels: 1, ..CaptureFormat::default() };
    let format = match name.as_str() {
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
