//! ASGI applications (version 3): a request becomes a scope, and what the application sends becomes the response.
//!
//! ```text
//!   Application.serve ── scope.rs, launch.rs ──▶ app(scope, receive, send) ── task.rs ──▶ the application's coroutine
//!                                                       │        │
//!                                   exchange.rs ◀───────┘        └──▶ exchange.rs ── response.rs, files.rs ──▶ conn
//! ```
//!
//! `receive` and `send` do their work when they are called. What they return is an awaitable that is done already, unless
//! there is really something to wait for: then it waits as a Future does (`awaitable.rs`).

mod awaitable;
mod exchange;
mod files;
mod launch;
mod response;
mod scope;

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::batch::{Batch, Call};
use crate::conn::Conn;
use crate::dispatch::{self, NOT_DONE_YET};
use crate::errors;
use crate::kinds::is_coroutine;
use crate::request::Request;
use crate::text::type_name;

pub use exchange::Exchange;
pub use launch::Launch;
pub use response::Head;
use scope::Addresses;

/// An ASGI application and what its scopes are made of; see `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct ASGIApplication {
    app: Py<PyAny>,
    /// What is asked for `cancelOnDisconnect`.
    resource: Py<PyAny>,
    /// What all scopes have in common; copied for each.
    template: Py<PyDict>,
    extensions: Py<PyDict>,
    /// The lifespan's state; each scope has a shallow copy.
    state: Py<PyDict>,
    /// The path that a proxy in front of this server has taken away, as it is to be shown.
    root_path: Box<str>,
    /// The same, percent-encoded.
    raw_root_path: Box<[u8]>,
    addresses: Addresses,
}

#[pymethods]
impl ASGIApplication {
    #[new]
    fn new(
        app: Py<PyAny>,
        resource: Py<PyAny>,
        state: Py<PyDict>,
        root_path: &Bound<'_, PyString>,
        raw_root_path: &[u8],
    ) -> PyResult<Self> {
        let py = root_path.py();
        let (template, extensions) = scope::template(py)?;
        Ok(Self {
            app,
            resource,
            template: template.unbind(),
            extensions: extensions.unbind(),
            state,
            root_path: root_path.to_str()?.into(),
            raw_root_path: raw_root_path.into(),
            addresses: Addresses::new(),
        })
    }

    /// Call the application for a request, as the resource's render method.
    fn __call__(slf: &Bound<'_, Self>, request: &Bound<'_, Request>) -> PyResult<i64> {
        let py = request.py();
        if let Some(conn) = request.get().conn(py) {
            Self::serve(slf, &conn, request, &mut Batch::default())?;
        }
        Ok(NOT_DONE_YET)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.app)?;
        visit.call(&self.resource)?;
        visit.call(&self.template)?;
        visit.call(&self.extensions)?;
        visit.call(&self.state)
    }
}

impl ASGIApplication {
    /// Have the application called for a request, with others of the batch. HTTP error 501 for a WebSocket.
    pub fn serve(
        slf: &Bound<'_, Self>,
        conn: &Arc<Conn>,
        request: &Bound<'_, Request>,
        batch: &mut Batch,
    ) -> PyResult<()> {
        let py = request.py();
        if wants_websocket(py, request.get()) {
            // RFC 9110 section 15.6.2; an Upgrade to anything else may be ignored (section 7.8), and is.
            return Err(errors::http_error(py, 501));
        }
        let scope = scope::make(slf.get(), request, conn)?;
        let launch = Launch::new(slf, Arc::clone(conn), request, scope)?;
        batch.launch(py, Call::Asgi(launch));
        Ok(())
    }
}

/// Whether a request asks for a WebSocket (RFC 6455 section 4.1).
fn wants_websocket(py: Python<'_>, request: &Request) -> bool {
    request.with_head(py, |head| {
        head.upgrade_requested()
            && head
                .field(b"upgrade")
                .is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
    })
}

/// The coroutine that an application has returned, or one that awaits what it has returned instead.
fn coroutine_of(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    if is_coroutine(&awaitable) {
        return Ok(awaitable);
    }
    let py = awaitable.py();
    if !awaitable.hasattr(intern!(py, "__await__"))? {
        return Err(PyTypeError::new_err(format!(
            "an ASGI 3 application returns an awaitable, not {}: is it one of ASGI 2, or of WSGI?",
            type_name(&awaitable)
        )));
    }
    py.import(intern!(py, "sennit.web.asgi"))?
        .call_method1(intern!(py, "_awaited"), (awaitable,))
}

/// What an application has raised after its client has left: that it can't answer any more is no mistake.
fn log_after_departure(request: &Bound<'_, Request>, error: &PyErr) {
    let py = request.py();
    let logged = py
        .import(intern!(py, "sennit.web.asgi"))
        .and_then(|module| {
            module.call_method1(
                intern!(py, "_logDeparture"),
                (request, errors::raised(py, error)),
            )
        });
    errors::log_if_failed(py, "logging an application's error", logged);
}

/// Answer with the page for an application's mistake, or cut the response off; log it either way.
fn fail(request: &Bound<'_, Request>, error: PyErr) {
    if request.get().is_lost(request.py()) {
        log_after_departure(request, &error);
    } else {
        dispatch::failed(request, error, None);
    }
}
