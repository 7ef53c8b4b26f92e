//! Audio in and out of Python objects: which buffers are taken, and how their samples get across.
//!
//! `bytes` cannot change, so its samples are borrowed. Any other exporter may write to its memory while we read
//! (another thread, a finaliser), which a Rust slice must never see: those are copied.

use pyo3::buffer::{PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PyString};

use crate::Error;

const EXPECTED: &str = "bytes or a C-contiguous buffer of native int16 samples or of bytes";

/// What a scratch buffer keeps between calls, so that a long clip does not stay in memory.
pub const KEPT_BYTES: usize = 8 * 1024;

/// Gives back what a long clip took.
pub fn keep_small(scratch: &mut Vec<i16>) {
    scratch.clear();
    scratch.shrink_to(KEPT_BYTES / 2);
}

/// Whether work on the samples takes long: 0.3 to 3 ms, at 0.5 to 6 ns for each.
pub fn is_long(samples: &[i16]) -> bool {
    samples.len() >= 500_000
}

/// Does `work`, and lets other threads run meanwhile if it takes long. Short work is not worth it: to be let in again
/// may take the switch interval of 5 ms.
pub fn detached_if<T: Send>(py: Python<'_>, is_long: bool, work: impl FnOnce() -> T + Send) -> T {
    if is_long { py.detach(work) } else { work() }
}

/// The samples of `pcm`: whole interleaved frames of `num_channels`, in `scratch` unless they could be borrowed.
pub fn read_pcm<'a>(
    pcm: &'a Bound<'_, PyAny>,
    num_channels: usize,
    scratch: &'a mut Vec<i16>,
) -> PyResult<&'a [i16]> {
    let Ok(bytes) = pcm.cast::<PyBytes>() else {
        let buffer = SampleBuffer::of("pcm", pcm, num_channels)?;
        scratch.resize(buffer.num_samples, 0);
        buffer.copy_to(pcm.py(), scratch)?;
        return Ok(scratch);
    };
    let bytes = bytes.as_bytes();
    check_whole_frames(bytes.len(), num_channels)?;
    match bytemuck::try_cast_slice(bytes) {
        Ok(samples) => Ok(samples),
        Err(_) => {
            scratch.resize(bytes.len() / 2, 0);
            bytemuck::cast_slice_mut(scratch).copy_from_slice(bytes);
            Ok(scratch)
        }
    }
}

/// A writable buffer for whole frames, such as `read_into` fills.
pub struct PcmTarget(SampleBuffer);

impl PcmTarget {
    /// Checks that `target` can take whole frames of `num_channels`.
    pub fn of(target: &Bound<'_, PyAny>, num_channels: usize) -> PyResult<Self> {
        let buffer = SampleBuffer::of("buffer", target, num_channels)?;
        if buffer.is_readonly() {
            return Err(PyValueError::new_err(format!(
                "buffer: expected a writable buffer, got a read-only {}",
                type_name(target)
            )));
        }
        Ok(Self(buffer))
    }

    /// Samples that fit, all channels counted.
    pub fn num_samples(&self) -> usize {
        self.0.num_samples
    }

    /// Fills the buffer; `samples` are as many as fit.
    pub fn write(&self, py: Python<'_>, samples: &[i16]) -> PyResult<()> {
        match &self.0.memory {
            Memory::Samples(memory) => memory.copy_from_slice(py, samples),
            Memory::Bytes(memory) => memory.copy_from_slice(py, bytemuck::cast_slice(samples)),
        }
    }
}

/// A buffer of whole frames, checked.
struct SampleBuffer {
    memory: Memory,
    num_samples: usize,
}

enum Memory {
    Samples(PyBuffer<i16>),
    Bytes(PyBuffer<u8>),
}

impl SampleBuffer {
    fn of(name: &str, object: &Bound<'_, PyAny>, num_channels: usize) -> PyResult<Self> {
        let buffer = PyUntypedBuffer::get(object)
            // ctypes leaves the strides out, which PyO3 refuses and a memoryview fills in.
            .or_else(|_| PyMemoryView::from(object).and_then(|view| PyUntypedBuffer::get(&view)))
            .map_err(|fault| no_buffer(name, object, fault))?;
        check_item_type(name, object, &buffer)?;
        if !buffer.is_c_contiguous() {
            return Err(PyValueError::new_err(format!(
                "{name}: expected {EXPECTED}, got a non-contiguous {} of shape {:?} and strides {:?}",
                type_name(object),
                buffer.shape(),
                buffer.strides()
            )));
        }
        check_shape(name, &buffer, num_channels)?;
        check_whole_frames(buffer.len_bytes(), num_channels)?;
        let num_samples = buffer.len_bytes() / 2;
        let memory = if buffer.item_size() == 2 && buffer.as_typed::<i16>().is_ok() {
            Memory::Samples(buffer.into_typed()?)
        } else if buffer.as_typed::<u8>().is_ok() {
            Memory::Bytes(buffer.into_typed()?)
        } else {
            // Unaligned samples, and formats such as '<h' of ctypes, which PyO3 takes for foreign.
            Memory::Bytes(PyBuffer::get(&PyMemoryView::from(object)?.call_method1("cast", ("B",))?)?)
        };
        Ok(Self { memory, num_samples })
    }

    fn is_readonly(&self) -> bool {
        match &self.memory {
            Memory::Samples(memory) => memory.readonly(),
            Memory::Bytes(memory) => memory.readonly(),
        }
    }

    fn copy_to(&self, py: Python<'_>, samples: &mut [i16]) -> PyResult<()> {
        match &self.memory {
            Memory::Samples(memory) => memory.copy_to_slice(py, samples),
            Memory::Bytes(memory) => memory.copy_to_slice(py, bytemuck::cast_slice_mut(samples)),
        }
    }
}

fn no_buffer(name: &str, object: &Bound<'_, PyAny>, fault: PyErr) -> PyErr {
    let text = format!("{name}: expected {EXPECTED}, got {}", type_name(object));
    if fault.is_instance_of::<PyTypeError>(object.py()) && !object.is_instance_of::<PyMemoryView>() {
        return PyTypeError::new_err(text);
    }
    PyValueError::new_err(format!("{text}: {}", fault.value(object.py())))
}

/// The format is read here and not by PyO3, which takes '>h' for native on little-endian machines.
fn check_item_type(name: &str, object: &Bound<'_, PyAny>, buffer: &PyUntypedBuffer) -> PyResult<()> {
    let format = buffer.format().to_bytes();
    let item = format.strip_prefix(b"@").or(format.strip_prefix(b"=")).or(format.strip_prefix(b"<"));
    if matches!(item.unwrap_or(format), b"h" | b"B" | b"b" | b"c") {
        return Ok(());
    }
    let actual = match format {
        [b'>' | b'!', b'h'] => "big-endian int16".to_owned(),
        other => format!("items of format '{}'", String::from_utf8_lossy(other)),
    };
    Err(PyTypeError::new_err(format!("{name}: expected {EXPECTED}, got {actual} in a {}", type_name(object))))
}

/// Samples stand in one dimension, or in two as frames x channels; bytes in any.
fn check_shape(name: &str, buffer: &PyUntypedBuffer, num_channels: usize) -> PyResult<()> {
    match buffer.shape() {
        _ if buffer.item_size() == 1 => Ok(()),
        [_] => Ok(()),
        [_, channels] if *channels == num_channels => Ok(()),
        shape => Err(PyValueError::new_err(format!(
            "{name}: expected samples of shape (frames * {num_channels},) or (frames, {num_channels}), got {shape:?}"
        ))),
    }
}

fn check_whole_frames(num_bytes: usize, num_channels: usize) -> Result<(), Error> {
    let frame_bytes = 2 * num_channels;
    if num_bytes.is_multiple_of(frame_bytes) {
        return Ok(());
    }
    Err(Error::PartialFrame { frame_bytes, actual_bytes: num_bytes })
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object
        .get_type()
        .name()
        .map_or_else(|_| "an object".to_owned(), |name: Bound<'_, PyString>| name.to_string())
}
