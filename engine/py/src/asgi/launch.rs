//! The call of an application. Where many connections are answered together, their scopes are made first and then their
//! applications called: each part of the engine is run for many in a row, and finds its code in the processor's caches.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{coroutine_of, ASGIApplication, Exchange};
use crate::conn::Conn;
use crate::dispatch;
use crate::kinds::call_with;
use crate::request::Request;
use crate::task;

/// A request that its application is to be called for, and what with.
pub struct Launch {
    application: Py<ASGIApplication>,
    conn: Arc<Conn>,
    request: Py<Request>,
    exchange: Py<Exchange>,
    scope: Py<PyDict>,
    receive: Py<PyAny>,
    send: Py<PyAny>,
}

impl Launch {
    /// The call of `application` with `scope`.
    pub fn new(
        application: &Bound<'_, ASGIApplication>,
        conn: Arc<Conn>,
        request: &Bound<'_, Request>,
        scope: Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let py = request.py();
        let exchange = Bound::new(py, Exchange::new(request))?;
        Ok(Self {
            application: application.clone().unbind(),
            conn,
            request: request.clone().unbind(),
            receive: exchange.getattr(intern!(py, "receive"))?.unbind(),
            send: exchange.getattr(intern!(py, "send"))?.unbind(),
            exchange: exchange.unbind(),
            scope: scope.unbind(),
        })
    }

    /// Call the application, and start its task.
    pub fn go(self, py: Python<'_>) {
        let Self {
            application,
            conn,
            request,
            exchange,
            scope,
            receive,
            send,
        } = self;
        let request = request.into_bound(py);
        let exchange = exchange.into_bound(py);
        let application = application.get();
        let arguments = [scope.bind(py).as_any(), receive.bind(py), send.bind(py)];
        let called = call_with(application.app.bind(py), arguments);
        // The coroutine alone holds them now, so they go as soon as it is done with them.
        drop((scope, receive, send));
        match called {
            Ok(awaitable) => {
                let resource = application.resource.bind(py);
                let started = coroutine_of(awaitable).and_then(|coroutine| {
                    task::start_application(&request, &coroutine, resource, &exchange)
                });
                if let Err(error) = started {
                    dispatch::failed(&request, error, Some(resource));
                }
            }
            Err(error) => exchange.get().raised(py, error),
        }
        drop(exchange);
        conn.service.get().take_back(request);
    }
}
