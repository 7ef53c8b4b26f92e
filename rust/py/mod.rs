//! The Python module `voicelane._core`: the list of what it exports.

use pyo3::prelude::*;

mod argument;
mod buffer;
mod capture;
mod error;
mod resampler;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::capture::CaptureEncoder;
    #[pymodule_export]
    use super::error::ConcurrencyError;
    #[pymodule_export]
    use super::resampler::Resampler;
}
