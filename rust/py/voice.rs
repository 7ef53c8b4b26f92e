//! `voicelane._core.VoiceActivity` and `append_audio`: what the simulator hears with.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::argument::{Name, Number};
use super::buffer::keep_small;
use super::error::lock;
use crate::audio::pcm::check_channels;
use crate::audio::voice::{VoiceActivity as Core, Window};
use crate::capture::Encoding;
use crate::wire::append::read_event;

/// Tells voices from other sounds in a stream of encoded audio, in windows of 20 ms.
///
/// How the stream is cut into calls changes nothing. One thread at a time.
///
/// Args:
///     sample_rate_hz: Rate of the input, 4000 to 192000.
///     num_channels: Interleaved channels of the input, 1 to 8; the first one is listened to.
///     encoding: `"pcm16"`, `"g711_ulaw"` or `"g711_alaw"`.
///
/// Raises:
///     ValueError: An argument is outside its range.
///     TypeError: An argument has the wrong type.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct VoiceActivity {
    state: Mutex<State>,
    encoding: Encoding,
    num_channels: usize,
}

#[derive(Debug)]
struct State {
    core: Core,
    samples: Vec<i16>,
    windows: Vec<Window>,
}

#[pymethods]
impl VoiceActivity {
    #[new]
    #[pyo3(signature = (sample_rate_hz, num_channels = Number::of(1), *, encoding = Name::of("pcm16")),
           text_signature = "(sample_rate_hz, num_channels=1, *, encoding='pcm16')")]
    fn new(sample_rate_hz: Number, num_channels: Number, encoding: Name) -> PyResult<Self> {
        let core = Core::new(sample_rate_hz.rate_hz("sample_rate_hz")?)?;
        let num_channels = num_channels.num_channels("num_channels")?;
        check_channels("num_channels", num_channels)?;
        let state = Mutex::new(State { core, samples: Vec::new(), windows: Vec::new() });
        Ok(Self { state, encoding: encoding.encoding()?, num_channels })
    }

    /// Take audio and tell what each window that it completes holds.
    ///
    /// Args:
    ///     audio: Whole frames, encoded.
    ///     threshold: How sure to be, 0 to 1.
    ///
    /// Returns:
    ///     A byte for each window: 0 quiet, 1 a noise, 2 a tone, 3 a voice.
    ///
    /// Raises:
    ///     ValueError: The audio ends with a half frame.
    ///     ConcurrencyError: Another thread is using this object.
    #[pyo3(signature = (audio, threshold, /))]
    fn classify<'py>(&self, py: Python<'py>, audio: &[u8], threshold: f32) -> PyResult<Bound<'py, PyBytes>> {
        let mut guard = lock(&self.state, "VoiceActivity")?;
        let State { core, samples, windows } = &mut *guard;
        let sample_bytes = self.encoding.sample_bytes();
        let frame_bytes = sample_bytes * self.num_channels;
        if !audio.len().is_multiple_of(frame_bytes) {
            return Err(PyValueError::new_err(format!(
                "audio: expected whole frames of {frame_bytes} bytes, got {} bytes",
                audio.len()
            )));
        }
        samples.clear();
        samples.resize(audio.len() / sample_bytes, 0);
        match self.encoding {
            Encoding::Pcm16 => bytemuck::cast_slice_mut(samples).copy_from_slice(audio),
            Encoding::G711(law) => law.decode_into(audio, samples),
        }
        let num_frames = samples.len() / self.num_channels;
        for frame in 1..num_frames {
            samples[frame] = samples[frame * self.num_channels];
        }
        samples.truncate(num_frames);
        windows.clear();
        core.process_into(samples, threshold.clamp(0.0, 1.0), windows);
        keep_small(samples);
        let classes: Vec<u8> = windows.iter().map(|window| *window as u8).collect();
        Ok(PyBytes::new(py, &classes))
    }
}

/// The audio of an `input_audio_buffer.append` as clients write it, decoded.
///
/// Args:
///     text: A client event.
///
/// Returns:
///     The audio; `None` for any other text, for one that only a JSON parser can read, and for
///     base64 that is none.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub fn append_audio<'py>(py: Python<'py>, text: &str) -> Option<Bound<'py, PyBytes>> {
    read_event(text.as_bytes()).map(|audio| PyBytes::new(py, &audio))
}
