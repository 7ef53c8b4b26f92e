//! The capture encoder: what goes over the wire is the resampler's output, and nothing else.

mod signal;

use proptest::prelude::*;
use signal::{noise, speech_48k_stereo};
use voicelane::Error;
use voicelane::audio::g711::Law;
use voicelane::audio::resample::{Quality, Resampler};
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};
use voicelane::wire::base64;

fn encoder(format: CaptureFormat) -> CaptureEncoder {
    CaptureEncoder::new(format).expect("a valid format")
}

fn encoded(encoder: &mut CaptureEncoder, pcm: &[i16]) -> String {
    let mut text = String::new();
    encoder.encode_into(pcm, &mut text).expect("whole frames");
    text
}

fn event(encoder: &mut CaptureEncoder, pcm: &[i16]) -> String {
    let mut text = String::new();
    encoder.encode_event_into(pcm, &mut text).expect("whole frames");
    text
}

fn try_decode(text: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; base64::decoded_len(text.as_bytes())?];
    base64::decode_into(text.as_bytes(), &mut bytes)?;
    Ok(bytes)
}

fn decoded(text: &str) -> Vec<u8> {
    try_decode(text).expect("base64")
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
}

#[test]
fn the_text_is_the_resampled_audio() {
    let speech = speech_48k_stereo();
    let mut encoder = encoder(CaptureFormat::default());
    let mut resampler = Resampler::new(48_000, 24_000, 2, Quality::LowDelay).expect("valid");
    for chunk in speech.chunks(1920).take(200) {
        let mut expected = Vec::new();
        resampler.process_into(chunk, &mut expected).expect("whole frames");
        assert_eq!(samples(&decoded(&encoded(&mut encoder, chunk))), expected);
    }
    let mut tail = Vec::new();
    resampler.flush_into(&mut tail);
    let mut text = String::new();
    encoder.flush_into(&mut text);
    assert_eq!(samples(&decoded(&text)), tail);
    assert_eq!(encoder.delay_ms(), resampler.delay_ms());
}

#[test]
fn g711_is_eight_kilohertz_of_code_words() {
    let speech = &speech_48k_stereo()[96_000..192_000];
    for law in [Law::Ulaw, Law::Alaw] {
        let mut encoder =
            encoder(CaptureFormat { encoding: Encoding::G711(law), ..CaptureFormat::default() });
        let mut resampler = Resampler::new(48_000, 8_000, 2, Quality::LowDelay).expect("valid");
        let (mut pcm, mut codes) = (Vec::new(), Vec::new());
        resampler.process_into(speech, &mut pcm).expect("whole frames");
        law.encode_into(&pcm, &mut codes);
        assert_eq!(decoded(&encoded(&mut encoder, speech)), codes);
        assert_eq!(codes.len(), 8_000);
    }
}

#[test]
fn the_event_is_json_with_that_text() {
    let pcm = noise(1920, 4);
    let text = encoded(&mut encoder(CaptureFormat::default()), &pcm);
    let event_text = event(&mut encoder(CaptureFormat::default()), &pcm);
    assert_eq!(event_text, format!(r#"{{"type":"input_audio_buffer.append","audio":"{text}"}}"#));
    let value: serde_json::Value = serde_json::from_str(&event_text).expect("JSON");
    assert_eq!(value, serde_json::json!({"type": "input_audio_buffer.append", "audio": text}));
}

#[test]
fn nothing_due_is_no_event() {
    let mut whole = encoder(CaptureFormat { chunk_ms: Some(20), ..CaptureFormat::default() });
    assert_eq!(event(&mut whole, &[]), "");
    assert_eq!(event(&mut whole, &[0; 1916]), "");
    assert_ne!(event(&mut whole, &[0; 2]), "");
}

#[test]
fn text_is_appended_to_what_stands_there() {
    let mut text = "before ".to_owned();
    encoder(CaptureFormat::default()).encode_into(&[0; 12], &mut text).expect("whole frames");
    assert_eq!(text, "before AAAAAAAA");
}

#[test]
fn chunks_are_of_exactly_that_duration() {
    let pcm = noise(48_000, 2);
    let mut plain = encoder(CaptureFormat::default());
    let mut expected = samples(&decoded(&encoded(&mut plain, &pcm)));
    let mut tail = String::new();
    plain.flush_into(&mut tail);
    expected.extend(samples(&decoded(&tail)));
    for (chunk_ms, chunk_frames) in [(1, 24), (20, 480), (100, 2400), (1000, 24_000)] {
        for call_frames in [1, 441, 960, 5000] {
            let mut encoder = encoder(CaptureFormat { chunk_ms: Some(chunk_ms), ..CaptureFormat::default() });
            let mut sent = Vec::new();
            for call in pcm.chunks(2 * call_frames) {
                let frames = samples(&decoded(&encoded(&mut encoder, call)));
                assert!(frames.len().is_multiple_of(chunk_frames));
                sent.extend(frames);
                let due = expected.len().min((sent.len() / chunk_frames + 1) * chunk_frames);
                assert!(sent.len() <= due, "no more than a chunk waits");
            }
            assert_eq!(sent.len(), 12_000 / chunk_frames * chunk_frames);
            let mut rest = String::new();
            encoder.flush_into(&mut rest);
            sent.extend(samples(&decoded(&rest)));
            assert!(sent == expected, "{chunk_ms} ms by {call_frames} frames");
        }
    }
}

#[test]
fn flush_and_reset_start_anew() {
    let pcm = noise(5000, 8);
    let mut encoder = encoder(CaptureFormat { chunk_ms: Some(20), ..CaptureFormat::default() });
    let round = |encoder: &mut CaptureEncoder| {
        let mut text = event(encoder, &pcm);
        encoder.flush_event_into(&mut text);
        text
    };
    let first = round(&mut encoder);
    assert_eq!(round(&mut encoder), first);
    event(&mut encoder, &pcm[..1000]);
    encoder.reset();
    assert_eq!(round(&mut encoder), first);
}

#[test]
fn clipping_is_counted() {
    let square: Vec<i16> = (0..9600).map(|n| if n / 100 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let mut encoder = encoder(CaptureFormat::default());
    encoded(&mut encoder, &square);
    assert!(encoder.clipped_samples() > 100);
    encoder.reset();
    assert_eq!(encoder.clipped_samples(), 0);
}

#[test]
fn bad_formats_are_refused_by_name() {
    let refusal = |format| CaptureEncoder::new(format).expect_err("a bad format").to_string();
    let default = CaptureFormat::default();
    let ulaw = Encoding::G711(Law::Ulaw);
    let text = refusal(CaptureFormat { encoding: ulaw, target_rate_hz: Some(24_000), ..default });
    assert_eq!(text, "target_rate_hz: expected 8000 Hz with G.711, got 24000");
    let text = refusal(CaptureFormat { chunk_ms: Some(0), ..default });
    assert_eq!(text, "chunk_ms: expected 1 to 1000 ms, got 0");
    let text = refusal(CaptureFormat { chunk_ms: Some(20), target_rate_hz: Some(11_025), ..default });
    assert_eq!(text, "chunk_ms: expected a whole number of frames at 11025 Hz, got 20");
    let text = refusal(CaptureFormat { num_channels: 9, ..default });
    assert_eq!(text, "num_channels: expected 1 to 8, got 9");
    let explicit = CaptureFormat { encoding: ulaw, target_rate_hz: Some(8_000), ..default };
    assert!(CaptureEncoder::new(explicit).is_ok());
}

#[test]
fn a_half_frame_is_refused_and_nothing_taken() {
    let mut tried = encoder(CaptureFormat::default());
    let mut text = String::new();
    let refusal = tried.encode_into(&[1], &mut text);
    assert_eq!(refusal, Err(Error::PartialFrame { frame_bytes: 4, actual_bytes: 2 }));
    assert_eq!(text, "");
    let pcm = noise(500, 6);
    assert_eq!(encoded(&mut tried, &pcm), encoded(&mut encoder(CaptureFormat::default()), &pcm));
}

#[test]
fn base64_says_what_is_wrong_with_a_text() {
    let fault = |text: &str| try_decode(text).expect_err("no base64").to_string();
    let expected = "base64: expected standard base64 with padding, got ";
    assert_eq!(fault("AA_A"), format!("{expected}'_' at character 2"));
    assert_eq!(fault("AAAAA"), format!("{expected}5 characters, no multiple of 4"));
    assert_eq!(fault("AB=="), format!("{expected}bits left over before the padding"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Base64 there and back, and lengths as foretold.
    #[test]
    fn base64_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text = String::new();
        base64::encode_into(&bytes, &mut text);
        prop_assert_eq!(text.len(), base64::encoded_len(bytes.len()));
        prop_assert_eq!(decoded(&text), bytes);
    }

    /// However the stream is cut, the same audio goes over the wire.
    #[test]
    fn any_cut_sends_the_same_audio(
        cuts in prop::collection::vec(0usize..3000, 1..8),
        chunk_ms in prop::option::of(1u32..60),
        law in prop::option::of(prop::sample::select(vec![Law::Ulaw, Law::Alaw])),
    ) {
        let encoding = law.map_or(Encoding::Pcm16, Encoding::G711);
        let format = CaptureFormat { encoding, chunk_ms, ..CaptureFormat::default() };
        let pcm = noise(2 * cuts.iter().sum::<usize>(), 11);
        let mut whole = encoder(format);
        let mut expected = decoded(&encoded(&mut whole, &pcm));
        let mut text = String::new();
        whole.flush_into(&mut text);
        expected.extend(decoded(&text));

        let mut cut_up = encoder(format);
        let (mut sent, mut rest) = (Vec::new(), &pcm[..]);
        for cut in cuts {
            let (call, others) = rest.split_at(2 * cut);
            sent.extend(decoded(&encoded(&mut cut_up, call)));
            rest = others;
        }
        text.clear();
        cut_up.flush_into(&mut text);
        sent.extend(decoded(&text));
        prop_assert_eq!(sent, expected);
    }
}
