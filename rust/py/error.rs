//! Core errors as Python exceptions, and the one for a second thread.

use std::sync::{Mutex, MutexGuard};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::Error;

pyo3::create_exception!(
    voicelane._core,
    ConcurrencyError,
    PyRuntimeError,
    "Two threads used one side of the same object at the same moment."
);

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        PyValueError::new_err(error.to_string())
    }
}

/// What one thread at a time may use.
pub fn lock<'a, T>(used: &'a Mutex<T>, what: &str) -> PyResult<MutexGuard<'a, T>> {
    used.try_lock().map_err(|_| concurrent_use(what))
}

/// The error for a second thread on an object that serves one thread at a time.
pub fn concurrent_use(what: &str) -> PyErr {
    ConcurrencyError::new_err(format!("{what}: expected one thread at a time, got a second one"))
}
