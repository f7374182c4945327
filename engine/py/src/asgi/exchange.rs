//! One request as an application sees it: what `receive` gives next, and what `send` may be given.

use std::sync::Arc;

use pyo3::exceptions::{PyException, PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::awaitable::{new_future, received, sent, waiting, Awaited};
use super::response::{self, Head};
use super::{fail, files, log_after_departure};
use crate::conn::{Conn, Sink};
use crate::dispatch;
use crate::errors;
use crate::headers::HeaderMap;
use crate::request::{input, output, Request};
use crate::text::type_name;

use crate::lock::{Guard, Lock};

/// Bytes that an application may send without ever waiting, before the loop's other tasks have their turn.
const TURN_BYTES: u64 = 1 << 20;
/// The same in messages.
const TURN_MESSAGES: u32 = 1024;

/// How far the response has come.
pub enum Phase {
    /// Nothing has been sent.
    Nothing,
    /// `http.response.start` has been sent; it goes out with the first of the body.
    Head(Box<Head>),
    /// The head is out.
    Body,
    /// The body is out, and the application has announced trailers.
    Trailers,
    /// The response is complete, or never will be.
    Over,
}

/// What an exchange knows.
pub struct ExchangeState {
    pub phase: Phase,
    /// The application has been given the last of the request's body.
    body_given: bool,
    /// The response was made without the application: it can't answer any more.
    taken_over: bool,
    /// The head has gone straight to the connection: nothing of the program's lies in between.
    pub is_plain: bool,
    /// What is left of a declared length of the response.
    pub left: Option<u64>,
    /// The response will have trailers.
    pub announces_trailers: bool,
    pub trailers: HeaderMap,
    /// Futures that wake who waits.
    waiters: Vec<Py<PyAny>>,
    bytes_in_turn: u64,
    messages_in_turn: u32,
}

/// What there is for somebody who waits.
pub enum Polled {
    /// What it waits for: a message, or room.
    Ready(Option<Py<PyAny>>),
    /// Nothing, but it has to be asked again after the others' turn.
    Turn,
    /// Nothing yet.
    Pending,
}

/// A request and the response that an application makes to it; `receive` and `send` are what it is called with.
///
/// The garbage collector doesn't know it, since there is one for each request. What it holds leads back to it only while
/// somebody waits, and whoever waits is woken when the response is over or the client has left (`end`, `wake`).
#[pyclass(frozen, module = "sennit._engine")]
pub struct Exchange {
    request: Py<Request>,
    state: Lock<ExchangeState>,
}

/// The messages that an application may send.
enum Kind {
    Start,
    Body,
    Trailers,
    EarlyHint,
    PathSend,
    ZeroCopySend,
}

impl Kind {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"http.response.start" => Self::Start,
            b"http.response.body" => Self::Body,
            b"http.response.trailers" => Self::Trailers,
            b"http.response.early_hint" => Self::EarlyHint,
            b"http.response.pathsend" => Self::PathSend,
            b"http.response.zerocopysend" => Self::ZeroCopySend,
            _ => return None,
        })
    }
}

/// Whether a message says that more of the same follows.
pub fn says(message: &Bound<'_, PyDict>, key: &Bound<'_, pyo3::types::PyString>) -> PyResult<bool> {
    match message.get_item(key)? {
        Some(value) => value.is_truthy(),
        None => Ok(false),
    }
}

impl Exchange {
    /// The exchange of a request that has just come.
    pub fn new(request: &Bound<'_, Request>) -> Self {
        Self {
            request: request.clone().unbind(),
            state: Lock::new(ExchangeState {
                phase: Phase::Nothing,
                body_given: false,
                taken_over: false,
                is_plain: false,
                left: None,
                announces_trailers: false,
                trailers: HeaderMap::default(),
                waiters: Vec::new(),
                bytes_in_turn: 0,
                messages_in_turn: 0,
            }),
        }
    }

    /// The request.
    pub fn request<'py>(&self, py: Python<'py>) -> &Bound<'py, Request> {
        self.request.bind(py)
    }

    /// What is known, locked; the rule of `conn` holds.
    pub fn lock(&self, py: Python<'_>) -> Guard<'_, ExchangeState> {
        self.state.lock(py)
    }

    /// Whether nobody is there any more to be answered by the application.
    pub fn is_gone(&self, py: Python<'_>) -> bool {
        self.lock(py).taken_over || self.request.get().is_lost(py)
    }

    /// The connection, while there is somebody to be answered.
    pub fn conn(&self, py: Python<'_>) -> PyResult<Arc<Conn>> {
        match self.request.get().conn(py) {
            Some(conn) if !self.lock(py).taken_over => Ok(conn),
            _ => Err(errors::client_disconnected(py)),
        }
    }

    /// The response is over: whoever still waits hears of it.
    pub fn end(&self, py: Python<'_>) {
        self.lock(py).phase = Phase::Over;
        self.wake(py);
    }

    /// Wake all who wait, to look again.
    fn wake(&self, py: Python<'_>) {
        let waiters = std::mem::take(&mut self.lock(py).waiters);
        for future in &waiters {
            let future = future.bind(py);
            let woken = is_done(future).and_then(|done| {
                if done {
                    return Ok(());
                }
                future
                    .call_method1(intern!(py, "set_result"), (py.None(),))
                    .map(drop)
            });
            errors::log_if_failed(py, "waking an application", woken);
        }
    }

    /// The iterator of a Future that is done when there is news.
    pub fn new_waiter(exchange: &Bound<'_, Self>, for_room: bool) -> PyResult<Py<PyAny>> {
        let py = exchange.py();
        let future = new_future(py)?;
        let iterator = future.call_method0(intern!(py, "__await__"))?;
        exchange.get().forget_done_waiters(py)?;
        {
            let mut state = exchange.get().lock(py);
            state.waiters.push(future.unbind());
            state.bytes_in_turn = 0;
            state.messages_in_turn = 0;
        }
        let wake = Some(exchange.clone().into_any().unbind());
        let request = exchange.get().request(py);
        if for_room {
            output::on_drain(request, wake)?;
        } else {
            input::on_body(request, wake)?;
        }
        Ok(iterator.unbind())
    }

    /// An application may wait again and again with a time-out: what it has given up is not kept.
    fn forget_done_waiters(&self, py: Python<'_>) -> PyResult<()> {
        const FEW: usize = 4;
        if self.lock(py).waiters.len() < FEW {
            return Ok(());
        }
        let mut kept = Vec::new();
        for future in std::mem::take(&mut self.lock(py).waiters) {
            if !is_done(future.bind(py))? {
                kept.push(future);
            }
        }
        self.lock(py).waiters.append(&mut kept);
        Ok(())
    }

    /// The next message, if there is one.
    pub fn poll_message(exchange: &Bound<'_, Self>) -> PyResult<Polled> {
        enum Piece {
            Bytes(Vec<u8>, bool),
            Refused(u16),
            Whole,
            Wait(bool),
        }
        let py = exchange.py();
        let this = exchange.get();
        let request = this.request(py);
        let over = matches!(this.lock(py).phase, Phase::Over);
        let conn = match request.get().conn(py) {
            Some(conn) if !over => conn,
            _ => return disconnect(py),
        };
        if this.lock(py).body_given {
            return Ok(Polled::Pending);
        }
        let piece = {
            let mut guard = conn.lock(py);
            let state = &mut *guard;
            if !state.is_current(request) {
                drop(guard);
                return disconnect(py);
            }
            state.facts.reading = true;
            let complete = state.facts.body_complete;
            match &mut state.sink {
                Sink::Stream(buffer) if buffer.is_empty() && !complete => {
                    Piece::Wait(state.facts.owes_continue)
                }
                Sink::Stream(buffer) => Piece::Bytes(std::mem::take(buffer), !complete),
                Sink::Refused(status) => Piece::Refused(*status),
                _ => Piece::Whole,
            }
        };
        match piece {
            Piece::Bytes(bytes, more) => {
                if more {
                    // There is room again: what TCP has held back may come.
                    conn.queue_unlocked(py);
                }
                this.give_body(&PyBytes::new(py, &bytes), more)
            }
            Piece::Whole => this.give_collected(py),
            Piece::Wait(owes_continue) => {
                if owes_continue {
                    conn.send_continue(py);
                }
                Ok(Polled::Pending)
            }
            Piece::Refused(status) => {
                // The engine knows better than the application what to say to that.
                dispatch::failed(request, errors::http_error(py, status), None);
                this.lock(py).taken_over = true;
                this.end(py);
                disconnect(py)
            }
        }
    }

    /// The body has been collected, since nobody could know beforehand that an application would answer.
    fn give_collected(&self, py: Python<'_>) -> PyResult<Polled> {
        let request = self.request(py);
        if let Some(bytes) = request.get().take_memory(py) {
            return self.give_body(&PyBytes::new(py, &bytes), false);
        }
        let piece = match input::read_body(request)? {
            Some(piece) => piece.into_bound(py),
            None => PyBytes::new(py, b""),
        };
        let more = !piece.as_bytes().is_empty();
        self.give_body(&piece, more)
    }

    fn give_body(&self, piece: &Bound<'_, PyBytes>, more: bool) -> PyResult<Polled> {
        let py = piece.py();
        self.lock(py).body_given = !more;
        let message = PyDict::new(py);
        message.set_item(intern!(py, "type"), intern!(py, "http.request"))?;
        message.set_item(intern!(py, "body"), piece)?;
        message.set_item(intern!(py, "more_body"), more)?;
        Ok(Polled::Ready(Some(message.into_any().unbind())))
    }

    /// Whether there is room for more of the response; ClientDisconnected if there is nobody any more to send it to.
    pub fn poll_room(&self, py: Python<'_>) -> PyResult<Polled> {
        let conn = self.conn(py)?;
        let state = conn.lock(py);
        let blocked = state.is_current(self.request(py)) && state.facts.blocked;
        Ok(if blocked {
            Polled::Pending
        } else {
            Polled::Ready(None)
        })
    }

    /// Whether an application that has just sent `bytes` and never waits has had its turn.
    pub fn has_had_its_turn(&self, py: Python<'_>, bytes: u64) -> bool {
        let mut state = self.lock(py);
        state.bytes_in_turn += bytes;
        state.messages_in_turn += 1;
        let had = state.bytes_in_turn > TURN_BYTES || state.messages_in_turn > TURN_MESSAGES;
        if had {
            state.bytes_in_turn = 0;
            state.messages_in_turn = 0;
        }
        had
    }

    /// What `send` returns once `bytes` are in the buffer and more will follow.
    pub fn after_sending(exchange: &Bound<'_, Self>, bytes: u64) -> PyResult<Py<PyAny>> {
        let py = exchange.py();
        match exchange.get().poll_room(py)? {
            Polled::Pending => waiting(exchange, Awaited::Room),
            _ if exchange.get().has_had_its_turn(py, bytes) => waiting(exchange, Awaited::Turn),
            _ => sent(py),
        }
    }

    /// The application has returned.
    pub fn returned(&self, py: Python<'_>) {
        if self.is_gone(py) {
            return self.end(py);
        }
        let problem = match self.lock(py).phase {
            Phase::Over => return,
            Phase::Nothing => "the ASGI application has returned without a response",
            Phase::Head(_) => {
                "the ASGI application has sent http.response.start and returned without a body"
            }
            Phase::Body => "the ASGI application has returned before its response was complete",
            Phase::Trailers => {
                "the ASGI application has returned without the trailers it announced"
            }
        };
        fail(self.request(py), PyRuntimeError::new_err(problem));
        self.end(py);
    }

    /// The application has raised.
    pub fn raised(&self, py: Python<'_>, error: PyErr) {
        if self.is_gone(py) {
            // That it was cancelled for that, or because the site stops, is no news.
            if error.is_instance_of::<PyException>(py) {
                log_after_departure(self.request(py), &error);
            }
        } else {
            fail(self.request(py), error);
        }
        self.end(py);
    }
}

fn is_done(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    future
        .call_method0(intern!(future.py(), "done"))?
        .is_truthy()
}

fn disconnect(py: Python<'_>) -> PyResult<Polled> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), intern!(py, "http.disconnect"))?;
    Ok(Polled::Ready(Some(message.into_any().unbind())))
}

fn as_dict<'py>(message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    if let Ok(dict) = message.cast::<PyDict>() {
        return Ok(dict.clone());
    }
    let py = message.py();
    if !message.hasattr(intern!(py, "keys"))? {
        return Err(PyTypeError::new_err(format!(
            "an ASGI message is a dict, not {}",
            type_name(message)
        )));
    }
    let dict = PyDict::new(py);
    dict.call_method1(intern!(py, "update"), (message,))?;
    Ok(dict)
}

#[pymethods]
impl Exchange {
    /// The application's `receive`.
    fn receive(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match Self::poll_message(slf)? {
            Polled::Ready(Some(message)) => received(slf.py(), message),
            _ => waiting(slf, Awaited::Message),
        }
    }

    /// The application's `send`.
    fn send(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let message = as_dict(message)?;
        let Some(name) = message.get_item(intern!(py, "type"))? else {
            return Err(PyRuntimeError::new_err("an ASGI message has a \"type\""));
        };
        let text = name.cast::<pyo3::types::PyString>()?.to_str()?;
        let Some(kind) = Kind::of(text.as_bytes()) else {
            return Err(PyRuntimeError::new_err(format!(
                "an ASGI application can't send {text:?} over HTTP here"
            )));
        };
        if slf.get().is_gone(py) {
            // Who streams has to learn that nobody listens; who is about to end needs no telling.
            let streams = matches!(kind, Kind::Body | Kind::ZeroCopySend);
            return if streams && says(&message, intern!(py, "more_body"))? {
                Err(errors::client_disconnected(py))
            } else {
                sent(py)
            };
        }
        slf.get().check_order(py, &kind, text)?;
        match kind {
            Kind::Start => response::start(slf, &message),
            Kind::Body => response::body(slf, &message),
            Kind::Trailers => response::trailers(slf, &message),
            Kind::EarlyHint => response::early_hint(slf, &message),
            Kind::PathSend => files::path_send(slf, &message),
            Kind::ZeroCopySend => files::zero_copy_send(slf, &message),
        }
    }

    /// Called by the engine when there is news for those who wait.
    fn __call__(&self, py: Python<'_>) {
        self.wake(py);
    }
}

impl Exchange {
    /// RuntimeError where a message can't come now.
    fn check_order(&self, py: Python<'_>, kind: &Kind, name: &str) -> PyResult<()> {
        let state = self.lock(py);
        let problem = match (&state.phase, kind) {
            (Phase::Over, _) => "the response is complete",
            // One that comes too late is of no use, but no mistake either.
            (_, Kind::EarlyHint)
            | (Phase::Nothing, Kind::Start)
            | (Phase::Head(_) | Phase::Body, Kind::Body | Kind::PathSend | Kind::ZeroCopySend)
            | (Phase::Trailers, Kind::Trailers) => return Ok(()),
            (Phase::Nothing, _) => "\"http.response.start\" must come first",
            (_, Kind::Start) => "the response has been started already",
            (Phase::Trailers, _) => "the body is complete, and trailers were announced",
            (_, Kind::Trailers) => "the body is not complete, or no trailers were announced",
        };
        Err(PyRuntimeError::new_err(format!(
            "an ASGI application can't send {name:?} now: {problem}"
        )))
    }
}
