//! `Uplink`: from samples to the connection's queue, without a Python object between.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::capture::CaptureEncoder;
use crate::uplink::Uplink as Core;

/// What waits to be sent: in order, bounded, the oldest audio dropped first.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Uplink {
    core: Arc<Core>,
    /// Called at the next put, by a sender in Python that found nothing.
    waiting: Mutex<Option<Py<PyAny>>>,
    is_awaited: AtomicBool,
}

impl Uplink {
    /// For the engine.
    pub fn core(&self) -> Arc<Core> {
        Arc::clone(&self.core)
    }

    fn put_audio(&self, py: Python<'_>, (text, duration_us): (String, u64)) -> PyResult<bool> {
        if text.is_empty() {
            return Ok(false);
        }
        let begins_to_drop = self.core.put_audio(text, duration_us);
        self.call_who_waits(py)?;
        Ok(begins_to_drop)
    }

    fn call_who_waits(&self, py: Python<'_>) -> PyResult<()> {
        // ORDERING: SeqCst here and in `call_when_filled`: of "put" and "waits" one side sees the other's.
        if !self.is_awaited.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        waiting.map_or(Ok(()), |waiting| waiting.call0(py).map(drop))
    }
}

#[pymethods]
impl Uplink {
    #[new]
    #[pyo3(signature = (max_audio_ms=2_000))]
    fn new(max_audio_ms: u64) -> Self {
        let core = Arc::new(Core::new(max_audio_ms));
        Self { core, waiting: Mutex::default(), is_awaited: AtomicBool::new(false) }
    }

    #[pyo3(signature = (text, item_id=None, /))]
    fn put_event(&self, py: Python<'_>, text: String, item_id: Option<String>) -> PyResult<bool> {
        let was_taken = self.core.put_event(text, item_id);
        self.call_who_waits(py)?;
        Ok(was_taken)
    }

    #[pyo3(signature = (callback, /))]
    fn call_when_filled(&self, callback: Py<PyAny>) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(callback);
        self.is_awaited.store(true, Ordering::SeqCst);
    }

    fn take<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.core.take().map(|text| PyString::new(py, &text))
    }

    fn clear(&self) {
        self.core.clear();
    }

    #[pyo3(signature = (told_item_ids, /))]
    fn forget_events(&self, told_item_ids: HashSet<String>) {
        self.core.forget_events(&told_item_ids);
    }

    #[getter]
    fn is_empty(&self) -> bool {
        self.core.is_empty()
    }

    #[getter]
    fn taken_ms(&self) -> f64 {
        milliseconds(self.core.taken_us())
    }

    #[getter]
    fn waiting_ms(&self) -> f64 {
        milliseconds(self.core.waiting_us())
    }

    #[getter]
    fn sent_ms(&self) -> f64 {
        milliseconds(self.core.sent_us())
    }

    #[getter]
    fn dropped_ms(&self) -> f64 {
        milliseconds(self.core.dropped_us())
    }
}

/// From samples to an uplink: one microphone's way, open or shut.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Feed {
    encoder: Py<CaptureEncoder>,
    uplink: Py<Uplink>,
    is_open: AtomicBool,
}

#[pymethods]
impl Feed {
    #[new]
    #[pyo3(signature = (encoder, uplink, /))]
    fn new(encoder: Py<CaptureEncoder>, uplink: Py<Uplink>) -> Self {
        Self { encoder, uplink, is_open: AtomicBool::new(false) }
    }

    #[getter]
    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_is_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    #[pyo3(signature = (pcm, /))]
    fn put(&self, pcm: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !self.is_open() {
            return Ok(false);
        }
        self.uplink.get().put_audio(pcm.py(), self.encoder.get().encode_owned(pcm)?)
    }

    fn put_rest(&self, py: Python<'_>) -> PyResult<bool> {
        self.uplink.get().put_audio(py, self.encoder.get().flush_owned()?)
    }
}

/// `Feed.put` for many. Returns what went wrong, by index: the exception, or `None` where dropping begins.
#[pyfunction]
#[pyo3(signature = (feeds, pcm, /))]
pub fn put_many(
    py: Python<'_>,
    feeds: Vec<Bound<'_, Feed>>,
    pcm: Vec<Bound<'_, PyAny>>,
) -> PyResult<Vec<(usize, Option<Py<PyAny>>)>> {
    if feeds.len() != pcm.len() {
        return Err(PyValueError::new_err(format!(
            "pcm: expected as many buffers as sessions, {}, got {}",
            feeds.len(),
            pcm.len()
        )));
    }
    let mut faults = Vec::new();
    for (index, (feed, pcm)) in feeds.iter().zip(&pcm).enumerate() {
        match feed.get().put(pcm) {
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
