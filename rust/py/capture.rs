//! `voicelane.CaptureEncoder`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::argument::{Name, Number};
use super::buffer::{KEPT_BYTES, detached_if, is_long, keep_small, read_pcm};
use super::error::lock;
use crate::capture::{CaptureEncoder as Core, CaptureFormat};

/// Encodes a stream of microphone audio for the service: downmix, resample, (G.711), base64, event text.
///
/// Every call returns all audio that is due; the text does not depend on how the input is cut into calls, apart
/// from where it is cut itself. One thread at a time.
///
/// Args:
///     source_rate_hz: Rate of the input, 4000 to 192000.
///     num_channels: Interleaved channels of the input, 1 to 8; what is sent is their mean.
///     target_rate_hz: Rate on the wire; `None` is 24000 for `"pcm16"` and 8000, the only one, for G.711.
///     encoding: `"pcm16"`, `"g711_ulaw"` or `"g711_alaw"`.
///     quality: `"low_delay"` or `"high"`, as of `Resampler`.
///     chunk_ms: Hand audio out in multiples of this duration, 1 to 1000; `None` for as it comes.
///
/// Raises:
///     ValueError: An argument is outside its range, or does not go with another.
///     TypeError: An argument has the wrong type.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct CaptureEncoder {
    state: Mutex<State>,
    /// How late the audio is through the resampler's filter, in milliseconds; waiting for a whole chunk is not in it.
    #[pyo3(get)]
    delay_ms: f64,
    /// As of the last finished call, to be read at any time.
    clipped_samples: AtomicU64,
}

#[derive(Debug)]
struct State {
    core: Core,
    input: Vec<i16>,
    text: String,
}

impl State {
    fn duration_us(&self, frames: usize) -> u64 {
        frames as u64 * 1_000_000 / u64::from(self.core.target_rate_hz())
    }
}

impl CaptureEncoder {
    fn state(&self) -> PyResult<MutexGuard<'_, State>> {
        lock(&self.state, "CaptureEncoder")
    }

    /// The event that appends what is due, "" where nothing is, and its duration in microseconds.
    pub fn encode_owned(&self, pcm: &Bound<'_, PyAny>) -> PyResult<(String, u64)> {
        let mut guard = self.state()?;
        let State { core, input, .. } = &mut *guard;
        let samples = read_pcm(pcm, core.num_channels(), input)?;
        let mut text = String::new();
        let frames = detached_if(pcm.py(), is_long(samples), || core.encode_event_into(samples, &mut text))?;
        self.settle(&mut guard);
        Ok((text, guard.duration_us(frames)))
    }

    /// The event that appends all that is left, and its duration in microseconds.
    pub fn flush_owned(&self) -> PyResult<(String, u64)> {
        let mut guard = self.state()?;
        let mut text = String::new();
        let frames = guard.core.flush_event_into(&mut text);
        self.settle(&mut guard);
        Ok((text, guard.duration_us(frames)))
    }

    /// What every call ends with.
    fn settle(&self, state: &mut State) {
        // ORDERING: Relaxed, a counter that orders nothing else.
        self.clipped_samples.store(state.core.clipped_samples(), Ordering::Relaxed);
        keep_small(&mut state.input);
    }

    /// Runs `encode` on the samples of `pcm` and returns the text it wrote.
    fn encode_with<'py>(
        &self,
        pcm: &Bound<'py, PyAny>,
        encode: impl FnOnce(&mut Core, &[i16], &mut String) -> crate::Result<()> + Send,
    ) -> PyResult<Bound<'py, PyString>> {
        let mut guard = self.state()?;
        let State { core, input, text } = &mut *guard;
        let samples = read_pcm(pcm, core.num_channels(), input)?;
        detached_if(pcm.py(), is_long(samples), || encode(core, samples, text))?;
        Ok(self.finish(pcm.py(), &mut guard))
    }

    /// The text of a call as `str`.
    fn finish<'py>(&self, py: Python<'py>, state: &mut State) -> Bound<'py, PyString> {
        self.settle(state);
        let text = PyString::new(py, &state.text);
        state.text.clear();
        state.text.shrink_to(KEPT_BYTES);
        text
    }
}

#[pymethods]
impl CaptureEncoder {
    #[new]
    #[pyo3(signature = (source_rate_hz = Number::of(48_000), num_channels = Number::of(2), *, target_rate_hz = None,
                        encoding = Name::of("pcm16"), quality = Name::of("low_delay"), chunk_ms = None),
           text_signature = "(source_rate_hz=48000, num_channels=2, *, target_rate_hz=None, encoding='pcm16', \
                             quality='low_delay', chunk_ms=None)")]
    fn new(
        source_rate_hz: Number,
        num_channels: Number,
        target_rate_hz: Option<Number>,
        encoding: Name,
        quality: Name,
        chunk_ms: Option<Number>,
    ) -> PyResult<Self> {
        let core = Core::new(CaptureFormat {
            source_rate_hz: source_rate_hz.rate_hz("source_rate_hz")?,
            num_channels: num_channels.num_channels("num_channels")?,
            target_rate_hz: target_rate_hz.map(|rate| rate.rate_hz("target_rate_hz")).transpose()?,
            encoding: encoding.encoding()?,
            quality: quality.quality()?,
            chunk_ms: chunk_ms.map(|duration| duration.named("chunk_ms", "1 to 1000 ms")).transpose()?,
        })?;
        let delay_ms = core.delay_ms();
        let state = Mutex::new(State { core, input: Vec::new(), text: String::new() });
        Ok(Self { state, delay_ms, clipped_samples: AtomicU64::new(0) })
    }

    /// Take interleaved frames and return the base64 of the audio that is due.
    ///
    /// Args:
    ///     pcm: int16 samples as bytes or any C-contiguous buffer, any number of frames, also none.
    ///
    /// Returns:
    ///     Base64 text; empty where nothing is due.
    ///
    /// Raises:
    ///     ValueError: The input ends with a half frame, has the wrong shape or is not contiguous.
    ///     TypeError: The input is no buffer of int16 samples or bytes.
    ///     ConcurrencyError: Another thread is using this object.
    #[pyo3(signature = (pcm, /))]
    fn encode<'py>(&self, pcm: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        self.encode_with(pcm, Core::encode_into)
    }

    /// Take interleaved frames and return the event that appends the audio that is due.
    ///
    /// Args:
    ///     pcm: int16 samples as bytes or any C-contiguous buffer, any number of frames, also none.
    ///
    /// Returns:
    ///     `{"type":"input_audio_buffer.append","audio":"..."}`, or `None` where nothing is due.
    ///
    /// Raises:
    ///     ValueError: The input ends with a half frame, has the wrong shape or is not contiguous.
    ///     TypeError: The input is no buffer of int16 samples or bytes.
    ///     ConcurrencyError: Another thread is using this object.
    #[pyo3(signature = (pcm, /))]
    fn encode_event<'py>(&self, pcm: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyString>>> {
        let encode =
            |core: &mut Core, pcm: &[i16], text: &mut String| core.encode_event_into(pcm, text).map(drop);
        self.encode_with(pcm, encode).map(unless_empty)
    }

    /// Return the base64 of all that is left, the tail of the resampler included, and start anew.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let mut guard = self.state()?;
        let State { core, text, .. } = &mut *guard;
        core.flush_into(text);
        Ok(self.finish(py, &mut guard))
    }

    /// Return the event with all that is left, the tail of the resampler included, and start anew.
    fn flush_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        let mut guard = self.state()?;
        let State { core, text, .. } = &mut *guard;
        core.flush_event_into(text);
        Ok(unless_empty(self.finish(py, &mut guard)))
    }

    /// Forget the input so far and the count of clipped samples.
    fn reset(&self) -> PyResult<()> {
        self.state()?.core.reset();
        self.clipped_samples.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Samples that were saturated since construction or `reset`.
    #[getter]
    fn clipped_samples(&self) -> u64 {
        self.clipped_samples.load(Ordering::Relaxed)
    }
}

fn unless_empty(text: Bound<'_, PyString>) -> Option<Bound<'_, PyString>> {
    (!text.is_empty().unwrap_or(true)).then_some(text)
}
