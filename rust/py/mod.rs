//! The Python module `voicelane._core`: the list of what it exports.

use pyo3::prelude::*;

mod error;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::error::ConcurrencyError;
}
