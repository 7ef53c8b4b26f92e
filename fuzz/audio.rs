//! What the fuzzer checks of audio: it is taken whole or refused, how it is cut into calls changes nothing, and what
//! was taken is what comes out.
#![allow(dead_code, reason = "each target takes its part")]

use voicelane::audio::g711::Law;
use voicelane::audio::resample::{Quality, Resampler};
use voicelane::capture::{CaptureEncoder, CaptureFormat, Encoding};
use voicelane::playback::{PlaybackBuffer, PlaybackConfig, PlaybackReader, PlaybackWriter};
use voicelane::wire::base64;

const RATES_HZ: [u32; 8] = [4_000, 8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 192_000];

/// Microphone audio: the first bytes choose the format and the cut, the rest is samples.
pub fn capture(data: &[u8]) {
    let Some((&[rate, target, channels, kind, cut], bytes)) = data.split_first_chunk() else { return };
    let format = CaptureFormat {
        source_rate_hz: rate_hz(rate),
        num_channels: usize::from(channels % 9),
        target_rate_hz: (target & 0x80 != 0).then(|| rate_hz(target)),
        encoding: [Encoding::Pcm16, Encoding::G711(Law::Alaw), Encoding::G711(Law::Ulaw)]
            [usize::from(kind % 3)],
        quality: if kind & 0x80 == 0 { Quality::LowDelay } else { Quality::High },
        chunk_ms: (kind & 0x40 != 0).then_some(u32::from(kind & 0x3F)),
    };
    let (Ok(mut encoder), pcm) = (CaptureEncoder::new(format), samples(bytes)) else { return };
    let (cut, is_whole) = (usize::from(cut) % (pcm.len() + 1), pcm.len().is_multiple_of(format.num_channels));
    let cut = cut - cut % format.num_channels;

    let mut at_once = [String::new(), String::new()];
    assert_eq!(encoder.encode_into(&pcm, &mut at_once[0]).is_ok(), is_whole);
    encoder.flush_into(&mut at_once[1]);
    let mut in_parts = [String::new(), String::new(), String::new()];
    encoder.encode_into(&pcm[..cut], &mut in_parts[0]).expect("whole frames");
    assert_eq!(encoder.encode_into(&pcm[cut..], &mut in_parts[1]).is_ok(), is_whole);
    encoder.flush_into(&mut in_parts[2]);
    if is_whole {
        assert_eq!(all_decoded(&at_once), all_decoded(&in_parts));
    }
    resample(format, &pcm, is_whole);
}

fn resample(format: CaptureFormat, pcm: &[i16], is_whole: bool) {
    let CaptureFormat { source_rate_hz, num_channels, quality, .. } = format;
    let mut resampler =
        Resampler::new(source_rate_hz, 24_000, num_channels, quality).expect("as the encoder's");
    let (mut output, due) = (Vec::new(), resampler.output_frames_for(pcm.len() / num_channels));
    assert_eq!(resampler.process_into(pcm, &mut output).is_ok(), is_whole);
    assert_eq!(output.len(), if is_whole { due } else { 0 });
}

/// Playback: each step is a byte that says what, one that says how much, and that many bytes of audio or text.
pub fn playback(data: &[u8]) {
    let Some((&[first, channels, limit_ms], mut steps)) = data.split_first_chunk() else { return };
    let config = PlaybackConfig {
        sample_rate_hz: rate_hz(first),
        output_rate_hz: rate_hz(first),
        num_channels: usize::from(channels % 9),
        output_channels: usize::from(channels % 9),
        max_buffered_ms: u64::from(limit_ms),
        ..PlaybackConfig::default()
    };
    let Ok((writer, reader, control)) = PlaybackBuffer::with_config(config) else { return };
    let mut ends = Ends { writer, reader, num_channels: config.num_channels, expected: Vec::new() };
    while let Some((&[step, num_bytes], rest)) = steps.split_first_chunk() {
        let (bytes, later) = rest.split_at(usize::from(num_bytes).min(rest.len()));
        steps = later;
        match step % 5 {
            0 => ends.write(bytes),
            1 => ends.write_base64(bytes),
            2 => ends.read(usize::from(num_bytes)),
            3 => {
                control.interrupt(0);
                ends.expected.clear();
            }
            _ => ends.writer.finish(),
        }
    }
    ends.read(ends.expected.len() / config.num_channels + 1);
    let stats = control.stats();
    assert_eq!(
        (stats.written_frames, stats.buffered_frames),
        (stats.played_frames + stats.dropped_frames, 0)
    );
}

/// Both ends of a buffer, and what is to come out of it.
struct Ends {
    writer: PlaybackWriter,
    reader: PlaybackReader,
    num_channels: usize,
    expected: Vec<i16>,
}

impl Ends {
    fn write(&mut self, bytes: &[u8]) {
        let pcm = samples(bytes);
        let taken = self.writer.write(&pcm, None, 0);
        assert_eq!(taken.is_ok(), pcm.len().is_multiple_of(self.num_channels));
        self.expect(&pcm, taken.unwrap_or(0));
    }

    /// The bytes as they are, which are hardly ever base64, and then encoded.
    fn write_base64(&mut self, bytes: &[u8]) {
        if let Ok(taken) = self.writer.write_base64(bytes, Some("item"), 1) {
            self.expect(&samples(&decoded(std::str::from_utf8(bytes).expect("base64"))), taken);
        }
        let mut text = String::new();
        base64::encode_into(bytes, &mut text);
        assert_eq!(decoded(&text), bytes);
        let taken = self.writer.write_base64(text.as_bytes(), None, 0);
        assert_eq!(taken.is_ok(), bytes.len().is_multiple_of(2 * self.num_channels));
        self.expect(&samples(bytes), taken.unwrap_or(0));
    }

    fn expect(&mut self, pcm: &[i16], taken_frames: usize) {
        self.expected.extend_from_slice(&pcm[..taken_frames * self.num_channels]);
    }

    fn read(&mut self, num_frames: usize) {
        let mut pcm = vec![1; num_frames * self.num_channels];
        let real = self.reader.read_into(&mut pcm) * self.num_channels;
        assert_eq!(real, pcm.len().min(self.expected.len()));
        assert!(
            pcm[..real].iter().eq(self.expected.drain(..real).as_ref()),
            "other samples than were written"
        );
        assert!(pcm[real..].iter().all(|&sample| sample == 0), "silence where there is nothing");
    }
}

fn rate_hz(byte: u8) -> u32 {
    RATES_HZ[usize::from(byte) % RATES_HZ.len()]
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = vec![0; base64::decoded_len(text.as_bytes()).expect("base64")];
    base64::decode_into(text.as_bytes(), &mut bytes).expect("base64");
    bytes
}

fn all_decoded(texts: &[String]) -> Vec<u8> {
    texts.iter().flat_map(|text| decoded(text)).collect()
}
