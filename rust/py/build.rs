//! Which build this is, and what of the processor it uses.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::audio::kernels::Isa;

/// What this extension module was built as: its version, profile, target, compiler and minimum Python.
#[pyfunction]
pub fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", env!("VOICELANE_PROFILE"))?;
    info.set_item("target", env!("VOICELANE_TARGET"))?;
    info.set_item("rustc", env!("VOICELANE_RUSTC"))?;
    info.set_item("abi", "abi3-py311")?;
    Ok(info)
}

/// The instruction set that the audio kernels run with on this processor.
#[pyfunction]
pub fn instruction_set() -> String {
    Isa::best().to_string()
}
