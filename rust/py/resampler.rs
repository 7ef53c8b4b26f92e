//! `voicelane.Resampler`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::argument::{Name, Number};
use super::buffer::{detached_if, is_long, keep_small, read_pcm};
use super::error::lock;
use crate::audio::resample::Resampler as Core;

/// Converts a stream of 16-bit PCM to mono at another sample rate.
///
/// Every call returns all output that is due, so 20 ms in are 20 ms out; the bits of the output do not depend on
/// how the input is cut into calls. One thread at a time.
///
/// Args:
///     source_rate_hz: Rate of the input, 4000 to 192000.
///     target_rate_hz: Rate of the output, 4000 to 192000.
///     num_channels: Interleaved channels of the input, 1 to 8; the output is their mean.
///     quality: `"low_delay"` (1.1 ms at 24 kHz, flat to 0.875 of the lower Nyquist frequency) or `"high"`
///         (2.75 ms, flat to 0.92 of it).
///
/// Raises:
///     ValueError: An argument is outside its range.
///     TypeError: An argument has the wrong type.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Resampler {
    state: Mutex<State>,
    /// How late the output is, in milliseconds.
    #[pyo3(get)]
    delay_ms: f64,
    /// As of the last finished call, to be read at any time.
    clipped_samples: AtomicU64,
}

#[derive(Debug)]
struct State {
    core: Core,
    input: Vec<i16>,
    output: Vec<i16>,
}

impl Resampler {
    fn state(&self) -> PyResult<MutexGuard<'_, State>> {
        lock(&self.state, "Resampler")
    }

    /// The output of a call as `bytes`.
    fn finish<'py>(&self, py: Python<'py>, state: &mut State) -> Bound<'py, PyBytes> {
        // ORDERING: Relaxed, a counter that orders nothing else.
        self.clipped_samples.store(state.core.clipped_samples(), Ordering::Relaxed);
        let bytes = PyBytes::new(py, bytemuck::cast_slice(&state.output));
        keep_small(&mut state.output);
        keep_small(&mut state.input);
        bytes
    }
}

#[pymethods]
impl Resampler {
    #[new]
    #[pyo3(signature = (source_rate_hz, target_rate_hz, *, num_channels = Number::of(1), quality = Name::of("low_delay")),
           text_signature = "(source_rate_hz, target_rate_hz, *, num_channels=1, quality='low_delay')")]
    fn new(
        source_rate_hz: Number,
        target_rate_hz: Number,
        num_channels: Number,
        quality: Name,
    ) -> PyResult<Self> {
        let core = Core::new(
            source_rate_hz.rate_hz("source_rate_hz")?,
            target_rate_hz.rate_hz("target_rate_hz")?,
            num_channels.num_channels("num_channels")?,
            quality.quality()?,
        )?;
        let delay_ms = core.delay_ms();
        let state = Mutex::new(State { core, input: Vec::new(), output: Vec::new() });
        Ok(Self { state, delay_ms, clipped_samples: AtomicU64::new(0) })
    }

    /// Take interleaved frames and return every output frame that is due.
    ///
    /// Args:
    ///     pcm: int16 samples as bytes or any C-contiguous buffer, any number of frames, also none.
    ///
    /// Returns:
    ///     Mono int16 samples, little-endian.
    ///
    /// Raises:
    ///     ValueError: The input ends with a half frame, has the wrong shape or is not contiguous.
    ///     TypeError: The input is no buffer of int16 samples or bytes.
    ///     ConcurrencyError: Another thread is using this object.
    #[pyo3(signature = (pcm, /))]
    fn process<'py>(&self, pcm: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let mut guard = self.state()?;
        let State { core, input, output } = &mut *guard;
        let samples = read_pcm(pcm, core.num_channels(), input)?;
        detached_if(pcm.py(), is_long(samples), || core.process_into(samples, output))?;
        Ok(self.finish(pcm.py(), &mut guard))
    }

    /// Return the filter's tail and start anew.
    ///
    /// In all `round(frames * target_rate_hz / source_rate_hz)` frames and the delay's worth came out.
    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut guard = self.state()?;
        let State { core, output, .. } = &mut *guard;
        core.flush_into(output);
        Ok(self.finish(py, &mut guard))
    }

    /// Forget the input so far and the count of clipped samples.
    fn reset(&self) -> PyResult<()> {
        self.state()?.core.reset();
        self.clipped_samples.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Output samples that were saturated since construction or `reset`.
    #[getter]
    fn clipped_samples(&self) -> u64 {
        self.clipped_samples.load(Ordering::Relaxed)
    }
}
