//! One call of an application: `start_response`, `write`, and the way of what it gives to the client.

use std::sync::Arc;

use pyo3::exceptions::{PyConnectionAbortedError, PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::aside::Aside;
use super::head::Head;
use crate::coding::Body;
use crate::conn::{Conn, DefaultType, HeadPlan, Outcome, Piece};
use crate::dispatch::respond_whole;
use crate::kinds::is_only_reference;
use crate::lock::Lock;
use crate::request::{output, Request};
use crate::source;
use crate::text::type_name;

/// What `start_response` and `write` of one call share.
pub struct Exchange {
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    /// None once the call is over.
    request: Option<Py<Request>>,
    /// For a call in a thread of a pool: the way to the loop's.
    aside: Option<Arc<Aside>>,
    /// What `start_response` was given, until it is sent.
    head: Option<Head>,
    /// It has been called.
    called: bool,
    /// Something has been sent, or is about to be: the head can't be changed any more.
    begun: bool,
    /// Nobody but the application has a say in the response.
    direct: bool,
    /// A buffer that was used before.
    spare: Vec<u8>,
}

/// `start_response` of PEP 3333.
#[pyclass(frozen, module = "sennit._engine")]
pub struct StartResponse {
    exchange: Arc<Exchange>,
    write: Py<Write>,
}

/// The `write` callable that `start_response` returns.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Write {
    exchange: Arc<Exchange>,
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, headers, exc_info=None, /))]
    fn __call__(
        &self,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Write>> {
        let py = status.py();
        let (called, begun, spare) = {
            let mut state = self.exchange.state.lock(py);
            (state.called, state.begun, std::mem::take(&mut state.spare))
        };
        let info = match exc_info {
            Some(info) if info.is_truthy()? => Some(info),
            _ => None,
        };
        match info {
            Some(info) if begun => return Err(error_of(info)?),
            None if called => {
                return Err(PyRuntimeError::new_err(
                    "start_response was called before: a second call needs exc_info",
                ));
            }
            _ => {}
        }
        let head = Head::new(status, headers, spare)?;
        let mut state = self.exchange.state.lock(py);
        state.head = Some(head);
        state.called = true;
        drop(state);
        Ok(self.write.clone_ref(py))
    }
}

/// The exception of an `exc_info`, with its traceback.
fn error_of(info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let py = info.py();
    let info = info.cast::<PyTuple>()?;
    let (error, traceback) = (info.get_item(1)?, info.get_item(2)?);
    if error.is_none() {
        return Ok(PyRuntimeError::new_err(
            "the response has begun: its head can't be changed",
        ));
    }
    error.call_method1(intern!(py, "with_traceback"), (traceback,))?;
    Ok(PyErr::from_value(error))
}

#[pymethods]
impl Write {
    fn __call__(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = data.py();
        let piece = checked(data)?;
        if piece.as_bytes().is_empty() || self.exchange.send(py, piece)? {
            return Ok(());
        }
        Err(PyConnectionAbortedError::new_err("the client has left"))
    }
}

/// A piece of the body, if it is one; TypeError otherwise.
pub fn checked<'a, 'py>(data: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    data.cast::<PyBytes>().map_err(|_| {
        PyTypeError::new_err(format!(
            "a WSGI application gives bytes, not {}",
            type_name(data)
        ))
    })
}

impl StartResponse {
    /// One that has not been used.
    pub fn new(py: Python<'_>) -> PyResult<Py<Self>> {
        let exchange = Arc::new(Exchange {
            state: Lock::new(State::default()),
        });
        let write = Write {
            exchange: Arc::clone(&exchange),
        };
        let write = Py::new(py, write)?;
        Py::new(py, Self { exchange, write })
    }

    /// Its exchange.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.exchange
    }

    /// Make it as new for another call; false if the application may still have it, or `write`.
    pub fn renew(py: Python<'_>, own: &Py<Self>) -> bool {
        let start = own.get();
        start.exchange.end(py);
        is_only_reference(own.bind(py)) && is_only_reference(start.write.bind(py))
    }
}

impl Exchange {
    /// A call begins.
    pub fn begin(&self, py: Python<'_>, request: Py<Request>, aside: Option<Arc<Aside>>) {
        let mut state = self.state.lock(py);
        state.request = Some(request);
        state.aside = aside;
        state.head = None;
        state.called = false;
        state.begun = false;
    }

    /// The call is over: nothing more can be sent.
    pub fn end(&self, py: Python<'_>) {
        let mut state = self.state.lock(py);
        let old = (state.request.take(), state.aside.take());
        drop(state);
        drop(old);
    }

    /// Whether something has been sent.
    pub fn has_begun(&self, py: Python<'_>) -> bool {
        self.state.lock(py).begun
    }

    /// The Content-Length that the application has declared and not yet sent.
    pub fn declared(&self, py: Python<'_>) -> Option<u64> {
        self.state.lock(py).head.as_ref().and_then(|h| h.length)
    }

    fn parties(&self, py: Python<'_>) -> Option<(Py<Request>, Option<Arc<Aside>>)> {
        let state = self.state.lock(py);
        let request = state.request.as_ref()?.clone_ref(py);
        Some((request, state.aside.clone()))
    }

    /// Send a piece that isn't empty; false if there is nobody to send it to.
    pub fn send(self: &Arc<Self>, py: Python<'_>, piece: &Bound<'_, PyBytes>) -> PyResult<bool> {
        self.must_have_head(py)?;
        let Some((request, aside)) = self.parties(py) else {
            return Ok(false);
        };
        let request = request.bind(py);
        match aside {
            Some(aside) => aside.send(self, request, Some(piece), false),
            None => self.send_here(request, Some(piece), false),
        }
    }

    /// Send the whole of the body, or all that is left of it: None for what has been sent already.
    pub fn send_last(
        self: &Arc<Self>,
        py: Python<'_>,
        piece: Option<&Bound<'_, PyBytes>>,
    ) -> PyResult<bool> {
        self.must_have_head(py)?;
        let Some((request, aside)) = self.parties(py) else {
            return Ok(false);
        };
        let request = request.bind(py);
        match aside {
            Some(aside) => aside.send(self, request, piece, true),
            None => self.send_here(request, piece, true),
        }
    }

    fn must_have_head(&self, py: Python<'_>) -> PyResult<()> {
        if self.state.lock(py).called {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "the application gives a body, or ends, without having called start_response",
        ))
    }

    /// Put the head out, for pieces that the engine is going to ask for.
    pub fn begin_here(&self, py: Python<'_>) -> PyResult<()> {
        self.must_have_head(py)?;
        let Some((request, _)) = self.parties(py) else {
            return Ok(());
        };
        let request = request.bind(py);
        let Some(conn) = request.get().conn(py).filter(|_| !self.has_begun(py)) else {
            return Ok(());
        };
        if self.is_direct(request, &conn) {
            let outcome = self.put(request, &conn, None, false);
            output::after(request, &conn, outcome);
            return Ok(());
        }
        match self.take_head(py) {
            Some(head) => set_head(request, &head),
            None => Ok(()),
        }
    }

    /// Whether there is nobody any more to send anything to.
    pub fn is_lost(&self, py: Python<'_>) -> bool {
        match self.parties(py) {
            Some((request, _)) => request.get().is_lost(py),
            None => true,
        }
    }

    /// As `send`, in the thread of the loop.
    pub fn send_here(
        &self,
        request: &Bound<'_, Request>,
        piece: Option<&Bound<'_, PyBytes>>,
        last: bool,
    ) -> PyResult<bool> {
        let py = request.py();
        let Some(conn) = request.get().conn(py) else {
            return Ok(false);
        };
        if self.is_direct(request, &conn) {
            let outcome = self.put(request, &conn, piece, last);
            output::after(request, &conn, outcome);
        } else {
            self.send_by_request(request, &conn, piece, last)?;
        }
        Ok(!request.get().is_lost(py))
    }

    /// Whether nobody but the application has a say in the response: no `write` or `finish` of the request class, no
    /// header that was set before, no content coding. Asked at the beginning, it holds for all of the response.
    pub fn is_direct(&self, request: &Bound<'_, Request>, conn: &Conn) -> bool {
        let py = request.py();
        let untouched = request.get().is_untouched(py);
        let service = conn.service.get();
        let mut state = self.state.lock(py);
        if let Some(head) = &state.head {
            let told = head.code == 304 && head.length.is_some();
            state.direct = untouched && !service.custom_output && !service.codes() && !told;
        }
        state.direct
    }

    /// Send in the way of a program that calls the request's methods.
    fn send_by_request(
        &self,
        request: &Bound<'_, Request>,
        conn: &Arc<Conn>,
        piece: Option<&Bound<'_, PyBytes>>,
        last: bool,
    ) -> PyResult<()> {
        let py = request.py();
        let bytes = piece.map(|piece| piece.as_bytes()).unwrap_or_default();
        let head = self.take_head(py);
        if let Some(head) = &head {
            set_head(request, head)?;
        }
        match piece {
            // For HEAD an application may leave the body out: its length is not known then, rather than 0.
            Some(piece) if last && head.is_some() && !(bytes.is_empty() && is_head(request)) => {
                return respond_whole(conn, request, piece.as_any(), bytes, None);
            }
            Some(piece) => source::write(request, piece.as_any())?,
            None => {}
        }
        if last {
            source::finish(request)?;
        }
        Ok(())
    }

    fn take_head(&self, py: Python<'_>) -> Option<Head> {
        let mut state = self.state.lock(py);
        state.begun = true;
        state.head.take()
    }

    /// Put a piece, and the head before the first one, into the connection's output: of a response that `is_direct`.
    pub fn put(
        &self,
        request: &Bound<'_, Request>,
        conn: &Arc<Conn>,
        piece: Option<&Bound<'_, PyBytes>>,
        last: bool,
    ) -> Outcome {
        let py = request.py();
        let bytes = piece.map(|piece| piece.as_bytes()).unwrap_or_default();
        let data = match piece {
            Some(piece) => Piece::of(piece.as_any(), bytes),
            None => Piece::EMPTY,
        };
        let Some(head) = self.take_head(py) else {
            return conn.put(request, None, data, last);
        };
        request.get().set_status(py, head.code, head.reason);
        let heads = last && (head.length.is_some() || bytes.is_empty()) && is_head(request);
        let plan = HeadPlan {
            default_type: DefaultType::Nothing,
            lines: Some(&head.lines),
            last: head.close || conn.service.get().is_draining(),
            // For HEAD an application may leave the body out: its length is not known then, rather than 0.
            body: if heads && head.length.is_none() {
                Body::Unsaid
            } else {
                Body::Plain
            },
            // What is all there has the length that it has.
            length: head.length.filter(|_| heads || !last),
        };
        let outcome = conn.put(request, Some(plan), data, last);
        self.state.lock(py).spare = head.lines;
        outcome
    }
}

fn is_head(request: &Bound<'_, Request>) -> bool {
    request
        .get()
        .with_method(request.py(), |method| method == b"HEAD")
}

fn is_cookie(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"set-cookie")
}

/// Give the request its head where somebody else has set, or may look at, some of it.
fn set_head(request: &Bound<'_, Request>, head: &Head) -> PyResult<()> {
    let py = request.py();
    request.get().set_status(py, head.code, head.reason.clone());
    // A response without a Content-Type gets none.
    request.setattr(intern!(py, "defaultContentType"), py.None())?;
    // The cookies of the request would replace those that are set as headers.
    let cookies = output::cookies(request.get(), py).filter(|_| head.cookies);
    if let Some(cookies) = &cookies {
        for (_, value) in head.fields().filter(|(name, _)| is_cookie(name)) {
            cookies.bind(py).append(PyBytes::new(py, value))?;
        }
    }
    let headers = output::headers(request.get(), py)?;
    let mut map = headers.get().lock(py);
    for (name, value) in head.fields() {
        if cookies.is_none() || !is_cookie(name) {
            map.add(name, value.to_vec().into());
        }
    }
    if let Some(length) = head.length {
        map.set_one(b"Content-Length", length.to_string().into_bytes().into());
    }
    if head.close {
        map.set_one(b"Connection", b"close".into());
    }
    Ok(())
}
