//! The Python module `voicelane._core`: the list of what it exports.

use pyo3::prelude::*;

mod argument;
mod buffer;
mod build;
mod capture;
mod error;
mod playback;
mod resampler;

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::build::build_info;
    #[pymodule_export]
    use super::capture::CaptureEncoder;
    #[pymodule_export]
    use super::error::ConcurrencyError;
    #[pymodule_export]
    use super::playback::{AudioDelta, PlaybackBuffer, PlaybackPosition, read_many};
    #[pymodule_export]
    use super::resampler::Resampler;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
