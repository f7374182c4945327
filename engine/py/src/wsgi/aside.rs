//! Sending from a thread of a pool.
//!
//! State lies behind locks that whoever is attached to Python may take, so that thread puts its output into the
//! connection itself, and mostly sends it: no other thread has to be woken. What only the loop may do (program code that
//! isn't the application's, watching the socket) is left to it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::exchange::Exchange;
use crate::conn::Conn;
use crate::request::{output, Request};

/// What a thread needs besides the exchange.
pub struct Aside {
    /// Calls functions in the loop's thread: a `sennit.web._wsgiinput.WayBack`.
    pub way: Py<PyAny>,
    /// What is to be done in a thread before it calls an application: for what that calls in the loop.
    enter: Py<PyAny>,
}

/// One thread tells another that something has happened.
struct Signal<T> {
    value: Mutex<Option<T>>,
    changed: Condvar,
}

impl<T> Signal<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            value: Mutex::new(None),
            changed: Condvar::new(),
        })
    }

    fn give(&self, value: T) {
        *self.value.lock() = Some(value);
        self.changed.notify_all();
    }

    fn wait(&self, patience: Duration) -> Option<T> {
        let mut value = self.value.lock();
        if value.is_none() {
            self.changed.wait_for(&mut value, patience);
        }
        value.take()
    }
}

/// Called by the loop once there is room again, or the client has left.
#[pyclass(frozen, module = "sennit._engine")]
struct Drained {
    signal: Arc<Signal<()>>,
}

#[pymethods]
impl Drained {
    fn __call__(&self) {
        self.signal.give(());
    }
}

/// A piece that has to be sent in the loop's thread.
#[pyclass(frozen, module = "sennit._engine")]
struct Errand {
    exchange: Arc<Exchange>,
    request: Py<Request>,
    piece: Option<Py<PyBytes>>,
    last: bool,
    done: Arc<Signal<PyResult<bool>>>,
}

#[pymethods]
impl Errand {
    fn __call__(&self, py: Python<'_>) {
        let piece = self.piece.as_ref().map(|piece| piece.bind(py));
        let request = self.request.bind(py);
        self.done
            .give(self.exchange.send_here(request, piece, self.last));
    }
}

impl Aside {
    /// The one that calls with `way`.
    pub fn new(py: Python<'_>, way: Py<PyAny>) -> PyResult<Self> {
        let enter = way.getattr(py, intern!(py, "enter"))?;
        Ok(Self { way, enter })
    }

    /// An application is going to be called in this thread.
    pub fn enter(&self, py: Python<'_>) -> PyResult<()> {
        self.enter.call0(py).map(drop)
    }

    /// Send a piece, or the last one; false if there is nobody to send it to. Waits while too much is waiting.
    pub fn send(
        &self,
        exchange: &Arc<Exchange>,
        request: &Bound<'_, Request>,
        piece: Option<&Bound<'_, PyBytes>>,
        last: bool,
    ) -> PyResult<bool> {
        let py = request.py();
        let Some(conn) = request.get().conn(py) else {
            return Ok(false);
        };
        if !last && !self.wait_for_room(request, &conn)? {
            return Ok(false);
        }
        if !exchange.is_direct(request, &conn) || (last && is_awaited(request, &conn)) {
            return self.send_in_loop(exchange, request, piece, last);
        }
        let outcome = exchange.put(request, &conn, piece, last);
        output::conclude(request, &conn, outcome);
        let settled = last && conn.settle_aside(py);
        if !settled && !self.leave_to_loop(py, &conn)? {
            return Ok(false);
        }
        Ok(!request.get().is_lost(py))
    }

    /// The loop goes on with the connection; false if there is no loop any more.
    fn leave_to_loop(&self, py: Python<'_>, conn: &Arc<Conn>) -> PyResult<bool> {
        // A channel has no engine: whoever has it looks at it again.
        let Some(engine) = conn.engine.upgrade() else {
            return Ok(true);
        };
        if std::mem::replace(&mut conn.lock(py).facts.queued, true) {
            return Ok(true);
        }
        engine.queue_aside(py, Arc::clone(conn), |function| {
            self.way.bind(py).call1((function,))?.is_truthy()
        })
    }

    /// Wait until the client has taken enough; false if it, or the server, has gone.
    fn wait_for_room(&self, request: &Bound<'_, Request>, conn: &Arc<Conn>) -> PyResult<bool> {
        let py = request.py();
        loop {
            {
                let state = conn.lock(py);
                if !state.is_current(request) || state.facts.broken {
                    return Ok(false);
                }
                if !state.facts.blocked {
                    return Ok(true);
                }
            }
            let signal = Signal::new();
            let drained = Drained {
                signal: Arc::clone(&signal),
            };
            let drained = Py::new(py, drained)?.into_any();
            let old = {
                let mut state = conn.lock(py);
                if !state.is_current(request) || !state.facts.blocked {
                    continue;
                }
                state.waiting().on_drain.replace(drained)
            };
            drop(old);
            if self.wait(py, &signal)?.is_none() {
                return Ok(false);
            }
        }
    }

    /// Wait for the loop's thread; None if that has ended.
    fn wait<T: Send>(&self, py: Python<'_>, signal: &Signal<T>) -> PyResult<Option<T>> {
        let way = self.way.bind(py);
        loop {
            let seconds: f64 = way.getattr(intern!(py, "patience"))?.extract()?;
            let patience = Duration::from_secs_f64(seconds.clamp(0.001, 60.0));
            if let Some(value) = py.detach(|| signal.wait(patience)) {
                return Ok(Some(value));
            }
            if !way.call_method0(intern!(py, "isAlive"))?.is_truthy()? {
                return Ok(None);
            }
        }
    }

    fn send_in_loop(
        &self,
        exchange: &Arc<Exchange>,
        request: &Bound<'_, Request>,
        piece: Option<&Bound<'_, PyBytes>>,
        last: bool,
    ) -> PyResult<bool> {
        let py = request.py();
        let done = Signal::new();
        let errand = Errand {
            exchange: Arc::clone(exchange),
            request: request.clone().unbind(),
            piece: piece.map(|piece| piece.clone().unbind()),
            last,
            done: Arc::clone(&done),
        };
        let called = self.way.bind(py).call1((Bound::new(py, errand)?,))?;
        if !called.is_truthy()? {
            return Ok(false);
        }
        self.wait(py, &done)?.unwrap_or(Ok(false))
    }
}

/// Whether the end of a response runs code of programs, which belongs into the loop's thread: who waits for it, and a log
/// formatter.
fn is_awaited(request: &Bound<'_, Request>, conn: &Conn) -> bool {
    let py = request.py();
    let service = conn.service.get();
    let hooked = service.logs() && service.log_targets(py).hook.is_some();
    hooked || request.get().is_watched(py)
}
