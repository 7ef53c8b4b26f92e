//! Microphone audio to what goes to the service: downmix, resample, (G.711), base64, event text.

use crate::audio::g711::Law;
use crate::audio::resample::{Quality, Resampler};
use crate::wire::{append, base64};
use crate::{Error, Result};

/// What the buffers keep room for between calls, so that a long clip does not stay in memory: 80 ms at 24 kHz.
const KEPT_FRAMES: usize = 1920;

/// The encoding of the audio that the service receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// Signed 16-bit little-endian samples.
    #[default]
    Pcm16,
    /// G.711 at 8 kHz.
    G711(Law),
}

impl Encoding {
    /// Bytes of one sample.
    pub const fn sample_bytes(self) -> usize {
        match self {
            Self::Pcm16 => 2,
            Self::G711(_) => 1,
        }
    }

    /// The rate that the service expects unless told otherwise.
    pub const fn default_rate_hz(self) -> u32 {
        match self {
            Self::Pcm16 => 24_000,
            Self::G711(_) => 8_000,
        }
    }
}

/// What a [`CaptureEncoder`] takes and makes; the default is 48 kHz stereo to 24 kHz PCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureFormat {
    /// Rate of the microphone.
    pub source_rate_hz: u32,
    /// Interleaved channels of the microphone.
    pub num_channels: usize,
    /// Rate on the wire; `None` for that of the encoding.
    pub target_rate_hz: Option<u32>,
    /// Encoding on the wire.
    pub encoding: Encoding,
    /// Filter of the resampler.
    pub quality: Quality,
    /// Hand audio out in multiples of this duration, 1 to 1000 ms; `None` for as it comes.
    pub chunk_ms: Option<u32>,
}

impl Default for CaptureFormat {
    fn default() -> Self {
        Self {
            source_rate_hz: 48_000,
            num_channels: 2,
            target_rate_hz: None,
            encoding: Encoding::default(),
            quality: Quality::default(),
            chunk_ms: None,
        }
    }
}

/// Encodes a stream of microphone audio as base64 or as whole `input_audio_buffer.append` events.
///
/// # Real-time
/// After the first, a call with up to 80 ms at 24 kHz allocates nothing but room in the caller's `text`; takes no
/// lock.
///
/// ```
/// use voicelane::capture::{CaptureEncoder, CaptureFormat};
///
/// let mut encoder = CaptureEncoder::new(CaptureFormat::default())?;
/// let mut text = String::new();
/// encoder.encode_event_into(&[0; 1920], &mut text)?; // 20 ms of 48 kHz stereo
/// assert!(text.starts_with(r#"{"type":"input_audio_buffer.append","audio":"AAAA"#));
/// # Ok::<(), voicelane::Error>(())
/// ```
#[derive(Debug)]
pub struct CaptureEncoder {
    resampler: Resampler,
    law: Option<Law>,
    /// Output is handed out in multiples of this many frames.
    chunk_frames: usize,
    target_rate_hz: u32,
    /// Resampled frames that were not handed out yet.
    pending: Vec<i16>,
    /// The same in G.711, while a call lasts.
    codes: Vec<u8>,
}

impl CaptureEncoder {
    /// An encoder at rest.
    ///
    /// # Errors
    /// A rate, channel count or `chunk_ms` outside its range; G.711 at another rate than 8 kHz; a `chunk_ms` that is
    /// no whole number of frames at the target rate.
    pub fn new(format: CaptureFormat) -> Result<Self> {
        let CaptureFormat { source_rate_hz, num_channels, target_rate_hz, encoding, quality, chunk_ms } =
            format;
        let target_rate_hz = target_rate_hz.unwrap_or(encoding.default_rate_hz());
        let law = match encoding {
            Encoding::Pcm16 => None,
            Encoding::G711(law) => Some(law),
        };
        if law.is_some() && target_rate_hz != encoding.default_rate_hz() {
            return Err(Error::argument("target_rate_hz", "8000 Hz with G.711", target_rate_hz));
        }
        let resampler = Resampler::new(source_rate_hz, target_rate_hz, num_channels, quality)?;
        let chunk_frames = chunk_ms.map_or(Ok(1), |chunk_ms| chunk_frames(chunk_ms, target_rate_hz))?;
        Ok(Self { resampler, law, chunk_frames, target_rate_hz, pending: Vec::new(), codes: Vec::new() })
    }

    /// Takes interleaved frames and appends the base64 of what is due to `text`: nothing, where nothing is.
    ///
    /// # Errors
    /// A half frame at the end; then nothing was taken.
    pub fn encode_into(&mut self, pcm: &[i16], text: &mut String) -> Result<()> {
        self.resampler.process_into(pcm, &mut self.pending)?;
        self.hand_out(self.due_frames(), |audio| base64::encode_into(audio, text));
        Ok(())
    }

    /// Takes interleaved frames and appends one event with what is due to `text`: none, where nothing is. Returns
    /// the frames in it.
    ///
    /// # Errors
    /// A half frame at the end; then nothing was taken.
    pub fn encode_event_into(&mut self, pcm: &[i16], text: &mut String) -> Result<usize> {
        self.resampler.process_into(pcm, &mut self.pending)?;
        let frames = self.due_frames();
        self.hand_out(frames, |audio| append::write_event(audio, text));
        Ok(frames)
    }

    /// Appends the base64 of all that is left, the tail of the resampler included, and starts anew.
    pub fn flush_into(&mut self, text: &mut String) {
        self.resampler.flush_into(&mut self.pending);
        self.hand_out(self.pending.len(), |audio| base64::encode_into(audio, text));
    }

    /// Appends one event with all that is left, the tail of the resampler included, and starts anew. Returns the
    /// frames in it.
    pub fn flush_event_into(&mut self, text: &mut String) -> usize {
        self.resampler.flush_into(&mut self.pending);
        let frames = self.pending.len();
        self.hand_out(frames, |audio| append::write_event(audio, text));
        frames
    }

    /// Forgets the input so far and the count of clipped samples.
    pub fn reset(&mut self) {
        self.resampler.reset();
        self.pending.clear();
    }

    /// How late the audio is through the resampler's filter, in milliseconds; waiting for a whole chunk is not in it.
    pub fn delay_ms(&self) -> f64 {
        self.resampler.delay_ms()
    }

    /// Frames per second on the wire.
    pub fn target_rate_hz(&self) -> u32 {
        self.target_rate_hz
    }

    /// The number of interleaved channels of the input.
    pub fn num_channels(&self) -> usize {
        self.resampler.num_channels()
    }

    /// Samples that were saturated since construction or [`reset`](Self::reset).
    pub fn clipped_samples(&self) -> u64 {
        self.resampler.clipped_samples()
    }

    fn due_frames(&self) -> usize {
        self.pending.len() - self.pending.len() % self.chunk_frames
    }

    /// Gives the first `frames` pending frames to `write` in the encoding of the wire, unless there are none.
    fn hand_out(&mut self, frames: usize, write: impl FnOnce(&[u8])) {
        if frames == 0 {
            return;
        }
        let pcm = &self.pending[..frames];
        match self.law {
            None => write(bytemuck::cast_slice(pcm)),
            Some(law) => {
                self.codes.clear();
                law.encode_into(pcm, &mut self.codes);
                write(&self.codes);
            }
        }
        self.pending.drain(..frames);
        self.pending.shrink_to(KEPT_FRAMES);
        self.codes.shrink_to(KEPT_FRAMES);
    }
}

fn chunk_frames(chunk_ms: u32, rate_hz: u32) -> Result<usize> {
    if !(1..=1000).contains(&chunk_ms) {
        return Err(Error::argument("chunk_ms", "1 to 1000 ms", chunk_ms));
    }
    let frames_by_1000 = chunk_ms * rate_hz;
    if !frames_by_1000.is_multiple_of(1000) {
        return Err(Error::argument(
            "chunk_ms",
            format!("a whole number of frames at {rate_hz} Hz"),
            chunk_ms,
        ));
    }
    Ok((frames_by_1000 / 1000) as usize)
}
