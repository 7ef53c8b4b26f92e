//! Keyword arguments as core types, refused by name.

use std::convert::Infallible;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::audio::g711::Law;
use crate::audio::pcm::MAX_CHANNELS;
use crate::audio::resample::{Quality, RATES_HZ};
use crate::capture::Encoding;

/// A whole number, or what came in its place: refused later, when its name is known.
pub struct Number(Result<u32, Refused>);

struct Refused {
    is_integer: bool,
    actual: String,
}

impl Refused {
    fn of(value: Borrowed<'_, '_, PyAny>, fault: &PyErr) -> Self {
        Self {
            is_integer: fault.is_instance_of::<PyOverflowError>(value.py()),
            actual: value.repr().map_or_else(|_| "an object".to_owned(), |repr| repr.to_string()),
        }
    }
}

impl Number {
    /// A default value.
    pub const fn of(value: u32) -> Self {
        Self(Ok(value))
    }

    /// The number; its range beyond 0 to 2^32 - 1 is the core's to check.
    pub fn named(self, name: &str, expected: &str) -> PyResult<u32> {
        self.0.map_err(|Refused { is_integer, actual }| {
            if is_integer {
                PyValueError::new_err(format!("{name}: expected {expected}, got {actual}"))
            } else {
                PyTypeError::new_err(format!("{name}: expected an int, {expected}, got {actual}"))
            }
        })
    }

    /// The number as a sample rate.
    pub fn rate_hz(self, name: &str) -> PyResult<u32> {
        self.named(name, &format!("{} to {} Hz", RATES_HZ.start(), RATES_HZ.end()))
    }

    /// The number as a count of channels.
    pub fn num_channels(self, name: &str) -> PyResult<usize> {
        Ok(self.named(name, &format!("1 to {MAX_CHANNELS}"))? as usize)
    }
}

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(value.extract().map_err(|fault: PyErr| Refused::of(value, &fault))))
    }
}

/// One of several names, or what came in its place.
pub struct Name(Result<String, Refused>);

impl Name {
    /// A default name.
    pub fn of(name: &str) -> Self {
        Self(Ok(name.to_owned()))
    }

    /// What the name stands for in a table of names.
    fn among<T: Copy>(self, argument: &str, table: &[(&str, T)]) -> PyResult<T> {
        let names: Vec<_> = table.iter().map(|(name, _)| format!("'{name}'")).collect();
        let refusal = |actual: &str| format!("{argument}: expected {}, got {actual}", names.join(" or "));
        let given = self.0.map_err(|refused| PyTypeError::new_err(refusal(&refused.actual)))?;
        let found = table.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| *value).ok_or_else(|| PyValueError::new_err(refusal(&format!("'{given}'"))))
    }

    /// The name as a quality.
    pub fn quality(self) -> PyResult<Quality> {
        self.among("quality", &[("low_delay", Quality::LowDelay), ("high", Quality::High)])
    }

    /// The name as an encoding.
    pub fn encoding(self) -> PyResult<Encoding> {
        let table = [
            ("pcm16", Encoding::Pcm16),
            ("g711_ulaw", Encoding::G711(Law::Ulaw)),
            ("g711_alaw", Encoding::G711(Law::Alaw)),
        ];
        self.among("encoding", &table)
    }
}

impl<'py> FromPyObject<'_, 'py> for Name {
    type Error = Infallible;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self(value.extract().map_err(|fault: PyErr| Refused::of(value, &fault))))
    }
}
