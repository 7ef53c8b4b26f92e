//! The native transport for Python.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::playback::{AudioDelta, Interrupted, PlaybackBuffer};
use super::uplink::Uplink;
use crate::engine::{self, Close, ConnectFault, Engine, Incoming, Options, Standing, Target};

/// Wakes one event loop for all its connections.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Mailbox(Arc<engine::Mailbox>);

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Arc::new(engine::Mailbox::new()?)))
    }

    fn fileno(&self) -> RawFd {
        self.0.fd()
    }

    fn collect(&self) -> Vec<u64> {
        self.0.collect()
    }
}

/// One connection of the engine.
#[derive(Debug)]
#[pyclass(frozen, module = "voicelane._core")]
pub struct Connection(engine::Connection);

/// `("connecting",)`, `("open",)`, `("failed", kind, text, status, retry_after)` or `("ended", code, reason, by_us)`.
#[derive(IntoPyObject)]
enum StandingTuple {
    Simple((&'static str,)),
    Failed((&'static str, &'static str, String, Option<u16>, Option<String>)),
    Ended((&'static str, u16, String, bool)),
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (
        session, mailbox, url, headers, *, connect_timeout_s, heartbeat_s, close_timeout_s,
        ca_file=None, playback=None, interrupt_fade_ms=0,
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn new(
        session: u64,
        mailbox: &Mailbox,
        url: &str,
        headers: Vec<(String, String)>,
        connect_timeout_s: f64,
        heartbeat_s: f64,
        close_timeout_s: f64,
        ca_file: Option<std::path::PathBuf>,
        playback: Option<&PlaybackBuffer>,
        interrupt_fade_ms: u32,
    ) -> PyResult<Self> {
        let url: Uri = url.parse().map_err(|error| refused("a URL", &error))?;
        let target = Target { url, headers: header_map(headers)?, ca_file };
        let options = Options {
            target,
            connect_timeout: duration("connect_timeout_s", connect_timeout_s)?,
            heartbeat: duration("heartbeat_s", heartbeat_s)?,
            close_timeout: duration("close_timeout_s", close_timeout_s)?,
        };
        let engine = Engine::of_process()?;
        let playback = playback.map(|playback| playback.for_engine(interrupt_fade_ms));
        Ok(Self(engine::Connection::open(engine, options, session, Arc::clone(&mailbox.0), playback)))
    }

    /// Whether this process made it, and not the one that it was forked from.
    #[getter]
    fn is_here(&self) -> bool {
        self.0.is_here()
    }

    #[getter]
    fn standing(&self) -> StandingTuple {
        match self.0.inbox().standing() {
            Standing::Connecting => StandingTuple::Simple(("connecting",)),
            Standing::Open => StandingTuple::Simple(("open",)),
            Standing::Failed(fault) => failed(fault),
            Standing::Ended(ended) => StandingTuple::Ended(("ended", ended.code, ended.reason, ended.by_us)),
        }
    }

    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        for event in self.0.inbox().take() {
            match event {
                Incoming::Text(text) => events.append(PyBytes::new(py, &text))?,
                Incoming::Audio(delta) => events.append(AudioDelta::from(delta))?,
                Incoming::Interrupted { position, stats } => {
                    events.append(Interrupted::new(position, stats))?
                }
                Incoming::Unreadable(error) => events.append(PyErr::from(error).into_value(py))?,
            }
        }
        Ok(events)
    }

    #[pyo3(signature = (text, /))]
    fn send(&self, text: String) -> PyResult<bool> {
        self.check_process()?;
        Ok(self.0.send(text))
    }

    #[pyo3(signature = (uplink, /))]
    fn attach(&self, uplink: Option<&Uplink>) -> PyResult<()> {
        self.check_process()?;
        self.0.attach(uplink.map(Uplink::core));
        Ok(())
    }

    #[pyo3(signature = (response_id, /))]
    fn silence(&self, response_id: &str) {
        self.0.silence(response_id);
    }

    #[pyo3(signature = (code, reason, /))]
    fn close(&self, code: u16, reason: String) {
        if self.0.is_here() {
            self.0.close(Close { code, reason });
        }
    }

    #[pyo3(signature = (reason, /))]
    fn abort(&self, reason: &str) {
        if self.0.is_here() {
            self.0.abort(reason);
        }
    }
}

impl Connection {
    fn check_process(&self) -> PyResult<()> {
        if self.0.is_here() {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "expected a session of this process, got one of the process that this was forked from: \
             connect anew in the child",
        ))
    }
}

/// How many threads the engine has from its next start on. `False` where it runs with another number.
#[pyfunction]
#[pyo3(signature = (num_threads, /))]
pub fn set_engine_threads(num_threads: usize) -> bool {
    Engine::set_num_threads(num_threads)
}

/// To be called in a child, right after the fork.
#[pyfunction]
pub fn engine_forked() {
    engine::forked();
}

fn duration(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| refused(&format!("{name} of seconds"), &error))
}

fn header_map(headers: Vec<(String, String)>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(|error| refused("a header's name", &error))?;
        // Its value is a secret: no word of it.
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            PyValueError::new_err(format!("expected a value of one line for the header {name}"))
        })?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

fn failed(fault: ConnectFault) -> StandingTuple {
    let text = fault.to_string();
    let (kind, status, retry_after) = match fault {
        ConnectFault::TimedOut(_) => ("timeout", None, None),
        ConnectFault::Unreachable(_) => ("unreachable", None, None),
        ConnectFault::Proxy { .. } => ("proxy", None, None),
        ConnectFault::Tls(_) => ("tls", None, None),
        ConnectFault::Refused { status, retry_after } => ("refused", Some(status), retry_after),
        ConnectFault::NotWebsocket(_) => ("no websocket", None, None),
        ConnectFault::InvalidRequest(_) => ("request", None, None),
    };
    StandingTuple::Failed(("failed", kind, text, status, retry_after))
}

fn refused(expected: &str, error: &dyn std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("expected {expected}: {error}"))
}
