//! Which build this is.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What this extension module was built as: its version, profile, target and minimum Python.
#[pyfunction]
pub fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    info.set_item("target", format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))?;
    info.set_item("abi", "abi3-py311")?;
    Ok(info)
}
