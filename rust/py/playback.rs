//! `PlaybackBuffer` for Python.

use std::ptr;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::argument::{Name, Number};
use super::buffer::{PcmTarget, detached_if, keep_small, read_pcm};
use super::error::{concurrent_use, lock};
#[cfg(unix)]
use crate::engine;
use crate::playback::{self, PlaybackConfig, PlaybackControl, PlaybackReader, PlaybackWriter};

const PRODUCER: &str = "PlaybackBuffer's producer side";
const CONSUMER: &str = "PlaybackBuffer's consumer side";

/// What the service said, kept until it is heard.
///
/// One thread at a time may write and one may read, at the same moment; neither waits for the other. The control
/// methods may be called from any thread.
///
/// Args:
///     sample_rate_hz: Of what is written, 4000 to 192000.
///     num_channels: Of what is written, 1 to 8, interleaved.
///     output_rate_hz: Of what is read; `None` for as written.
///     output_channels: Of what is read: 1, `num_channels`, or any number where one channel is written.
///     max_buffered_ms: How much may wait to be heard.
///     encoding: What `write_base64` and `write_event` are given; `write` takes PCM in any case.
///
/// Raises:
///     ValueError: An argument is outside its range.
///     TypeError: An argument has the wrong type.
#[pyclass(frozen, module = "voicelane._core")]
#[derive(Debug)]
pub struct PlaybackBuffer {
    /// Shared with the engine where that writes.
    writer: Arc<Mutex<PlaybackWriter>>,
    /// What the producer's samples are copied to.
    written: Mutex<Vec<i16>>,
    reader: Mutex<Consumer>,
    control: PlaybackControl,
    config: PlaybackConfig,
}

#[derive(Debug)]
struct Consumer {
    reader: PlaybackReader,
    scratch: Vec<i16>,
}

#[pymethods]
impl PlaybackBuffer {
    #[new]
    #[pyo3(
        signature = (sample_rate_hz=Number::of(24_000), *, num_channels=Number::of(1), output_rate_hz=None,
                     output_channels=Number::of(1), max_buffered_ms=Number::of(600_000),
                     encoding=Name::of("pcm16")),
        text_signature = "(sample_rate_hz=24000, *, num_channels=1, output_rate_hz=None, output_channels=1, \
                          max_buffered_ms=600000, encoding='pcm16')"
    )]
    fn new(
        sample_rate_hz: Number,
        num_channels: Number,
        output_rate_hz: Option<Number>,
        output_channels: Number,
        max_buffered_ms: Number,
        encoding: Name,
    ) -> PyResult<Self> {
        let sample_rate_hz = sample_rate_hz.rate_hz("sample_rate_hz")?;
        let output_rate_hz = match output_rate_hz {
            Some(rate) => rate.rate_hz("output_rate_hz")?,
            None => sample_rate_hz,
        };
        let num_channels = num_channels.num_channels("num_channels")?;
        let output_channels = output_channels.num_channels("output_channels")?;
        let max_buffered_ms = max_buffered_ms.named("max_buffered_ms", "at least 1")?.into();
        let config = PlaybackConfig {
            sample_rate_hz,
            num_channels,
            encoding: encoding.encoding()?,
            output_rate_hz,
            output_channels,
            max_buffered_ms,
        };
        let (writer, reader, control) = playback::PlaybackBuffer::with_config(config)?;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            written: Mutex::default(),
            reader: Mutex::new(Consumer { reader, scratch: Vec::new() }),
            control,
            config,
        })
    }

    /// Append s16le PCM of one content part, and return the frames taken: fewer where `max_buffered_ms` is reached.
    #[pyo3(signature = (pcm, /, *, item_id=None, content_index=0))]
    fn write(&self, pcm: &Bound<'_, PyAny>, item_id: Option<&str>, content_index: u32) -> PyResult<usize> {
        let mut scratch = lock(&self.written, PRODUCER)?;
        let scratch = &mut *scratch;
        let mut writer = lock(&self.writer, PRODUCER)?;
        let written = writer.write(read_pcm(pcm, self.config.num_channels, scratch)?, item_id, content_index);
        keep_small(scratch);
        Ok(written?)
    }

    /// Append base64 of s16le PCM, and return the frames taken.
    #[pyo3(signature = (text, /, *, item_id=None, content_index=0))]
    fn write_base64(
        &self,
        text: &Bound<'_, PyAny>,
        item_id: Option<&str>,
        content_index: u32,
    ) -> PyResult<usize> {
        let writer = &mut *lock(&self.writer, PRODUCER)?;
        let py = text.py();
        let text = text_bytes(text)?;
        Ok(detached_if(py, is_long_text(text), || writer.write_base64(text, item_id, content_index))?)
    }

    /// Append the audio of a raw server event; `None` where it is no `response.audio.delta`.
    #[pyo3(signature = (text, /, *, response_id=None))]
    fn write_event(
        &self,
        text: &Bound<'_, PyAny>,
        response_id: Option<&str>,
    ) -> PyResult<Option<AudioDelta>> {
        let writer = &mut *lock(&self.writer, PRODUCER)?;
        let py = text.py();
        let text = text_bytes(text)?;
        Ok(detached_if(py, is_long_text(text), || writer.write_event(text, response_id))?.map(AudioDelta))
    }

    /// Declare the utterance complete: running dry from here on is no underrun.
    fn finish(&self) -> PyResult<()> {
        lock(&self.writer, PRODUCER)?.finish();
        Ok(())
    }

    /// Take the next frames: always `num_frames`, silence where there are none.
    #[pyo3(signature = (num_frames, /))]
    fn read<'py>(&self, py: Python<'py>, num_frames: Number) -> PyResult<Bound<'py, PyBytes>> {
        Ok(self.take(py, num_frames)?.0)
    }

    /// Take the next frames as `read` does, and tell how many of them are real.
    #[pyo3(signature = (num_frames, /))]
    fn take<'py>(&self, py: Python<'py>, num_frames: Number) -> PyResult<(Bound<'py, PyBytes>, usize)> {
        let mut consumer = lock(&self.reader, CONSUMER)?;
        let num_bytes = self.num_bytes(num_frames.named("num_frames", AT_MOST)?)?;
        self.take_bytes(py, &mut consumer, num_bytes)
    }

    /// Fill a writable buffer of int16 or bytes with the next frames, and return how many are real.
    #[pyo3(signature = (buffer, /))]
    fn read_into(&self, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut consumer = lock(&self.reader, CONSUMER)?;
        let Consumer { reader, scratch } = &mut *consumer;
        let target = PcmTarget::of(buffer, self.config.output_channels)?;
        scratch.resize(target.num_samples(), 0);
        let real = reader.read_into(scratch);
        target.write(buffer.py(), scratch)?;
        keep_small(scratch);
        self.free_heard();
        Ok(real)
    }

    /// Drop everything written so far at the next read, after a fade of at most `fade_ms`; tell what was heard.
    #[pyo3(signature = (*, fade_ms=0))]
    fn interrupt(&self, fade_ms: u32) -> PlaybackPosition {
        PlaybackPosition(self.control.interrupt(fade_ms))
    }

    /// Hand out silence from the next read on; what is buffered stays.
    fn pause(&self) {
        self.control.pause();
    }

    /// Go on where `pause` stopped.
    fn resume(&self) {
        self.control.resume();
    }

    /// Drop everything written so far at the next read.
    fn clear(&self) {
        self.control.clear();
    }

    /// Which item was last heard, and how much of it.
    #[getter]
    fn position(&self) -> PlaybackPosition {
        PlaybackPosition(self.control.position())
    }

    /// Milliseconds that wait to be heard.
    #[getter]
    fn buffered_ms(&self) -> f64 {
        self.control.buffered_ms()
    }

    /// Milliseconds heard since the buffer was made.
    #[getter]
    fn played_ms(&self) -> f64 {
        self.control.played_ms()
    }

    /// Whether nothing is left to be heard for now.
    #[getter]
    fn is_idle(&self) -> bool {
        self.control.is_idle()
    }

    /// Whether all that was written was heard to the end of a complete utterance, or was cut off.
    #[getter]
    fn is_finished(&self) -> bool {
        self.control.is_finished()
    }

    /// Frames per second of what is written.
    #[getter]
    fn sample_rate_hz(&self) -> u32 {
        self.config.sample_rate_hz
    }

    /// Frames per second of what is read.
    #[getter]
    fn output_rate_hz(&self) -> u32 {
        self.config.output_rate_hz
    }

    /// Channels of what is read.
    #[getter]
    fn output_channels(&self) -> usize {
        self.config.output_channels
    }

    /// Count frames, underruns and overruns since the buffer was made.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.control.stats();
        let dict = PyDict::new(py);
        dict.set_item("written_frames", stats.written_frames)?;
        dict.set_item("played_frames", stats.played_frames)?;
        dict.set_item("buffered_frames", stats.buffered_frames)?;
        dict.set_item("dropped_frames", stats.dropped_frames)?;
        dict.set_item("silent_frames", stats.silent_frames)?;
        dict.set_item("underruns", stats.underruns)?;
        dict.set_item("overrun_frames", stats.overrun_frames)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let PlaybackConfig { sample_rate_hz, output_rate_hz, .. } = self.config;
        let buffered_ms = self.control.buffered_ms();
        format!("<PlaybackBuffer {sample_rate_hz} Hz -> {output_rate_hz} Hz, {buffered_ms:.0} ms buffered>")
    }
}

impl PlaybackBuffer {
    /// For the engine: the producer's side, and the control.
    #[cfg(unix)]
    pub fn for_engine(&self, interrupt_fade_ms: u32) -> engine::Playback {
        let writer = Arc::clone(&self.writer);
        engine::Playback { writer, control: self.control.clone(), interrupt_fade_ms }
    }

    /// The bytes of that many frames, if that is no mistake of units.
    fn num_bytes(&self, num_frames: u32) -> PyResult<usize> {
        let num_samples = num_frames as usize * self.config.output_channels;
        if num_samples > MAX_READ_SAMPLES {
            return Err(PyValueError::new_err(format!("num_frames: expected {AT_MOST}, got {num_frames}")));
        }
        Ok(num_samples * 2)
    }

    /// The next frames as bytes, and how many of them are real.
    fn take_bytes<'py>(
        &self,
        py: Python<'py>,
        consumer: &mut Consumer,
        num_bytes: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, usize)> {
        let mut real = 0;
        let pcm = PyBytes::new_with(py, num_bytes, |pcm| {
            // CPython's bytes begin after a header of whole words.
            real = consumer.reader.read_into(bytemuck::cast_slice_mut(pcm));
            Ok(())
        })?;
        self.free_heard();
        Ok((pcm, real))
    }

    /// Frees one ring that was heard, so that memory follows the hearing also where nothing is written. A
    /// consumer in Python is no real-time thread; and where the producer is at work, it does so itself.
    fn free_heard(&self) {
        if let Ok(mut writer) = self.writer.try_lock() {
            writer.free_heard();
        }
    }
}

/// Reads from many buffers at once: from all or, where one cannot be read, from none.
#[pyfunction]
#[pyo3(signature = (buffers, num_frames, /))]
pub fn read_many<'py>(buffers: &Bound<'py, PyAny>, num_frames: Number) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let py = buffers.py();
    let num_frames = num_frames.named("num_frames", AT_MOST)?;
    let objects =
        buffers.try_iter().map_err(|_| refused("buffers", "an iterable of PlaybackBuffer", buffers))?;
    let objects = objects.collect::<PyResult<Vec<_>>>()?;
    let mut ready: Vec<(&PlaybackBuffer, _, _)> = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        let name = || format!("buffers[{index}]");
        let buffer = object.cast::<PlaybackBuffer>();
        let buffer = buffer.map_err(|_| refused(&name(), "a PlaybackBuffer", object))?.get();
        let num_bytes = buffer.num_bytes(num_frames)?;
        let consumer = buffer.reader.try_lock().map_err(|_| {
            let first = ready.iter().position(|(other, ..)| ptr::eq(*other, buffer));
            first.map_or_else(
                || concurrent_use(&format!("{}, {CONSUMER}", name())),
                |first| twice(&name(), first),
            )
        })?;
        ready.push((buffer, consumer, num_bytes));
    }
    let pcm = ready
        .iter_mut()
        .map(|(buffer, consumer, num_bytes)| Ok(buffer.take_bytes(py, consumer, *num_bytes)?.0));
    pcm.collect()
}

fn refused(name: &str, expected: &str, object: &Bound<'_, PyAny>) -> PyErr {
    match object.get_type().name() {
        Ok(actual) => PyTypeError::new_err(format!("{name}: expected {expected}, got {actual}")),
        Err(fault) => fault,
    }
}

fn twice(name: &str, first: usize) -> PyErr {
    PyValueError::new_err(format!("{name}: expected each buffer once, got that of buffers[{first}] again"))
}

/// One read of more than this is a mistake of units: 2^28 samples are an hour and a half of 48 kHz.
const MAX_READ_SAMPLES: usize = 1 << 28;
const AT_MOST: &str = "at most 268435456 samples";

/// Whether a text takes about a millisecond to decode into fresh memory.
fn is_long_text(text: &[u8]) -> bool {
    text.len() >= 1 << 20
}

fn text_bytes<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<&'a [u8]> {
    if let Ok(text) = text.cast::<pyo3::types::PyString>() {
        return Ok(text.to_str()?.as_bytes());
    }
    if let Ok(bytes) = text.cast::<PyBytes>() {
        return Ok(bytes.as_bytes());
    }
    Err(refused("text", "str or bytes", text))
}

/// Where the play head stands.
#[pyclass(frozen, eq, hash, module = "voicelane._core")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PlaybackPosition(playback::PlaybackPosition);

#[pymethods]
impl PlaybackPosition {
    #[getter]
    fn item_id(&self) -> Option<&str> {
        self.0.item_id.as_deref()
    }

    #[getter]
    fn content_index(&self) -> u32 {
        self.0.content_index
    }

    #[getter]
    fn audio_end_ms(&self) -> u64 {
        self.0.audio_end_ms
    }

    fn __repr__(&self) -> String {
        let playback::PlaybackPosition { item_id, content_index, audio_end_ms } = &self.0;
        let item_id = repr_text(item_id.as_deref());
        format!(
            "PlaybackPosition(item_id={item_id}, content_index={content_index}, audio_end_ms={audio_end_ms})"
        )
    }
}

/// Playback was interrupted, because the user began to speak.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Interrupted {
    position: playback::PlaybackPosition,
    stats: playback::PlaybackStats,
}

#[pymethods]
impl Interrupted {
    #[getter]
    fn position(&self) -> PlaybackPosition {
        PlaybackPosition(self.position.clone())
    }

    #[getter]
    fn unheard_frames(&self) -> u64 {
        self.stats.buffered_frames
    }

    #[getter]
    fn dropped_before_frames(&self) -> u64 {
        self.stats.dropped_frames
    }
}

impl Interrupted {
    /// Where it was, and the buffer's counters right before.
    #[cfg(unix)]
    pub fn new(position: playback::PlaybackPosition, stats: playback::PlaybackStats) -> Self {
        Self { position, stats }
    }
}

/// What one audio delta event brought.
#[pyclass(frozen, eq, module = "voicelane._core")]
#[derive(Debug, PartialEq, Eq)]
pub struct AudioDelta(playback::AudioDelta);

impl From<playback::AudioDelta> for AudioDelta {
    fn from(delta: playback::AudioDelta) -> Self {
        Self(delta)
    }
}

#[pymethods]
impl AudioDelta {
    #[getter]
    fn response_id(&self) -> Option<&str> {
        self.0.response_id.as_deref()
    }

    #[getter]
    fn item_id(&self) -> Option<&str> {
        self.0.item_id.as_deref()
    }

    #[getter]
    fn output_index(&self) -> u32 {
        self.0.output_index
    }

    #[getter]
    fn content_index(&self) -> u32 {
        self.0.content_index
    }

    #[getter]
    fn num_frames(&self) -> usize {
        self.0.num_frames
    }

    #[getter]
    fn start_frame(&self) -> u64 {
        self.0.start_frame
    }

    #[getter]
    fn written_frames(&self) -> usize {
        self.0.written_frames
    }

    #[getter]
    fn trimmed_bytes(&self) -> usize {
        self.0.trimmed_bytes
    }

    fn __repr__(&self) -> String {
        let item_id = repr_text(self.item_id());
        format!("AudioDelta(item_id={item_id}, num_frames={})", self.0.num_frames)
    }
}

fn repr_text(text: Option<&str>) -> String {
    text.map_or_else(|| "None".to_owned(), |text| format!("{text:?}"))
}
