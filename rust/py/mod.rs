//! The Python module `voicelane._core`: the list of what it exports.

use pyo3::prelude::*;

mod argument;
mod buffer;
mod build;
mod capture;
#[cfg(unix)]
mod engine;
mod error;
mod playback;
mod resampler;
mod uplink;
mod voice;

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::build::{build_info, instruction_set};
    #[pymodule_export]
    use super::capture::CaptureEncoder;
    #[cfg(unix)]
    #[pymodule_export]
    use super::engine::{Connection, Mailbox, engine_forked, set_engine_threads};
    #[pymodule_export]
    use super::error::ConcurrencyError;
    #[pymodule_export]
    use super::playback::{AudioDelta, Interrupted, PlaybackBuffer, PlaybackPosition, read_many};
    #[pymodule_export]
    use super::resampler::Resampler;
    #[pymodule_export]
    use super::uplink::{Feed, Uplink, put_many};
    #[pymodule_export]
    use super::voice::{VoiceActivity, append_audio};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
