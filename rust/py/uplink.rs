//! `Uplink`: from samples to the connection's queue, without a Python object between.

use std::collections::HashSet;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::capture::CaptureEncoder;
use crate::engine::Uplink as Core;

/// What waits to be sent: in order, bounded, the oldest audio dropped first.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Uplink(Arc<Core>);

impl Uplink {
    /// For the engine.
    pub fn core(&self) -> Arc<Core> {
        Arc::clone(&self.0)
    }

    /// As `put_pcm`.
    fn put(&self, encoder: &CaptureEncoder, pcm: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (text, duration_us) = encoder.encode_owned(pcm)?;
        Ok(!text.is_empty() && self.0.put_audio(text, duration_us))
    }
}

#[pymethods]
impl Uplink {
    #[new]
    #[pyo3(signature = (max_audio_ms=2_000))]
    fn new(max_audio_ms: u64) -> Self {
        Self(Arc::new(Core::new(max_audio_ms)))
    }

    #[pyo3(signature = (encoder, pcm, /))]
    fn put_pcm(&self, encoder: &CaptureEncoder, pcm: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.put(encoder, pcm)
    }

    #[pyo3(signature = (encoder, /))]
    fn put_rest(&self, encoder: &CaptureEncoder) -> PyResult<bool> {
        let (text, duration_us) = encoder.flush_owned()?;
        Ok(!text.is_empty() && self.0.put_audio(text, duration_us))
    }

    #[pyo3(signature = (text, item_id=None, /))]
    fn put_event(&self, text: String, item_id: Option<String>) -> bool {
        self.0.put_event(text, item_id)
    }

    fn take<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.take().map(|text| PyString::new(py, &text))
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn clear(&self) {
        self.0.clear();
    }

    #[pyo3(signature = (told_item_ids, /))]
    fn forget_events(&self, told_item_ids: HashSet<String>) {
        self.0.forget_events(&told_item_ids);
    }

    #[getter]
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[getter]
    fn taken_ms(&self) -> f64 {
        milliseconds(self.0.taken_us())
    }

    #[getter]
    fn waiting_ms(&self) -> f64 {
        milliseconds(self.0.waiting_us())
    }

    #[getter]
    fn sent_ms(&self) -> f64 {
        milliseconds(self.0.sent_us())
    }

    #[getter]
    fn dropped_ms(&self) -> f64 {
        milliseconds(self.0.dropped_us())
    }
}

/// `put_pcm` for many. Returns what went wrong, by index: the exception, or `None` where dropping begins.
#[pyfunction]
#[pyo3(signature = (uplinks, encoders, pcm, /))]
pub fn put_many(
    py: Python<'_>,
    uplinks: Vec<Bound<'_, Uplink>>,
    encoders: Vec<Bound<'_, CaptureEncoder>>,
    pcm: Vec<Bound<'_, PyAny>>,
) -> PyResult<Vec<(usize, Option<Py<PyAny>>)>> {
    if uplinks.len() != encoders.len() || uplinks.len() != pcm.len() {
        let lengths = (uplinks.len(), encoders.len(), pcm.len());
        return Err(PyValueError::new_err(format!("expected three lists of one length, got {lengths:?}")));
    }
    let mut faults = Vec::new();
    for (index, ((uplink, encoder), pcm)) in uplinks.iter().zip(&encoders).zip(&pcm).enumerate() {
        match uplink.get().put(encoder.get(), pcm) {
            Ok(false) => {}
            Ok(true) => faults.push((index, None)),
            Err(error) => faults.push((index, Some(error.into_value(py).into_any()))),
        }
    }
    Ok(faults)
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}
