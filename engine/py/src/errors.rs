//! From Rust to Python's exceptions and its log.

use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::conn::Conn;

/// `sennit.web.error.Error` with this status.
pub fn http_error(py: Python<'_>, status: u16) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match CLASS
        .import(py, "sennit.web.error", "Error")
        .and_then(|class| class.call1((status,)))
    {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// `sennit.web.asgi.ClientDisconnected`.
pub fn client_disconnected(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match CLASS
        .import(py, "sennit.web.asgi", "ClientDisconnected")
        .and_then(|class| class.call1(("the client has left",)))
    {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// The exception with its traceback, which up to Python 3.11 is kept apart from it until somebody handles it.
pub fn raised(py: Python<'_>, error: &PyErr) -> Py<PyBaseException> {
    error.clone_ref(py).into_value(py)
}

fn logger(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOGGER
        .get_or_try_init(py, || {
            let logging = py.import("logging")?;
            Ok(logging.call_method1("getLogger", ("sennit.web",))?.unbind())
        })
        .map(|logger| logger.bind(py))
}

/// Log `error` with its traceback; `what` was being done.
pub fn log(py: Python<'_>, what: &str, error: PyErr) {
    let logged = logger(py).and_then(|logger| {
        let keywords = PyDict::new(py);
        keywords.set_item("exc_info", raised(py, &error))?;
        logger.call_method("error", ("%s failed", what), Some(&keywords))
    });
    if logged.is_err() {
        error.write_unraisable(py, None);
    }
}

/// Log the error of `result`, if it is one.
pub fn log_if_failed<T>(py: Python<'_>, what: &str, result: PyResult<T>) {
    if let Err(error) = result {
        log(py, what, error);
    }
}

/// Call `callable`; its exception is logged.
pub fn call(py: Python<'_>, what: &str, callable: &Bound<'_, PyAny>) {
    log_if_failed(py, what, callable.call0());
}

/// A program's mistake that harms nobody: one line.
pub fn warn_program(py: Python<'_>, text: &str) {
    let logged = logger(py).and_then(|logger| logger.call_method1(intern!(py, "warning"), (text,)));
    if let Err(error) = logged {
        error.write_unraisable(py, None);
    }
}

/// Bad input: one line, never a traceback.
pub fn tell_client_error(py: Python<'_>, conn: &Conn, status: u16, explanation: &str) {
    let logged = logger(py).and_then(|logger| {
        let peer = conn.peer().to_string();
        logger.call_method1(
            intern!(py, "info"),
            ("%s from %s: %s", status, peer, explanation),
        )
    });
    if let Err(error) = logged {
        error.write_unraisable(py, None);
    }
}

/// A panic, caught at the edge of one connection.
pub fn log_panic(py: Python<'_>, payload: &(dyn std::any::Any + Send)) {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    log(py, "serving a connection", PyRuntimeError::new_err(text));
}
