//! One request that is passed on: how it begins, and how it fails.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use sennit_wire::{Framing, Violation};

use super::face::{Forward, Route, Server};
use crate::conn::{Conn, Sink};
use crate::dispatch;
use crate::engine::{Engine, Shared};
use crate::errors;
use crate::request::{input, Request};

/// Where the body of a request comes from.
pub enum Source {
    /// There is none, or all of it is on its way.
    Nothing,
    /// The connection's sink, as the client sends it.
    Client,
    /// A file object: it had been collected before.
    File(Py<PyAny>),
}

/// One request on its way.
pub struct Exchange {
    /// Whose it is.
    pub conn: Arc<Conn>,
    /// The request.
    pub request: Py<Request>,
    /// Where it goes.
    pub route: Arc<Route>,
    /// How its body is framed.
    pub framing: Framing,
    /// Where that comes from.
    pub source: Source,
    /// It is a HEAD: the answer has no body.
    pub is_head: bool,
    /// It may be sent again if an upstream closes a connection that had been at rest (RFC 9110 section 9.2.2), and has no
    /// body.
    pub retriable: bool,
    /// It has been.
    pub retried: bool,
    /// The client waits for the upstream to ask for the body (RFC 9110 section 10.1.1).
    pub expects: bool,
    /// The answer's head has gone to the client.
    pub head_passed: bool,
}

/// Why an upstream has not answered.
pub enum Fault {
    /// Its name has no address, for this reason.
    Unresolved(String),
    /// No connection could be made.
    Unreachable(std::io::Error),
    /// None was made in time.
    ConnectTimeOut,
    /// It said nothing for too long.
    ReadTimeOut,
    /// It took nothing for too long.
    WriteTimeOut,
    /// The connection failed.
    Lost(std::io::Error),
    /// It broke the rules.
    Broken(Violation),
    /// It changed the protocol without having been asked to.
    Upgraded,
    /// The request's body could not be read.
    Unreadable,
    /// The server is being stopped.
    Stopping,
}

impl Fault {
    /// RFC 9110 sections 15.6.3 and 15.6.5.
    fn status(&self) -> u16 {
        match self {
            Self::ConnectTimeOut | Self::ReadTimeOut | Self::WriteTimeOut => 504,
            Self::Stopping => 503,
            Self::Unreadable => 500,
            _ => 502,
        }
    }

    fn explanation(&self) -> String {
        match self {
            Self::Unresolved(reason) => reason.clone(),
            Self::Unreachable(error) => format!("no connection: {error}"),
            Self::ConnectTimeOut => "no connection in time".to_owned(),
            Self::ReadTimeOut => "no answer in time".to_owned(),
            Self::WriteTimeOut => "the request was not taken in time".to_owned(),
            Self::Lost(error) => format!("the connection failed: {error}"),
            Self::Broken(violation) => violation.explanation().to_owned(),
            Self::Upgraded => "it changed the protocol unasked".to_owned(),
            Self::Unreadable => "the request's body could not be read".to_owned(),
            Self::Stopping => "the event loop is closed".to_owned(),
        }
    }
}

impl Exchange {
    /// The upstream has failed: the client gets an error page, or, if its response has begun, a cut.
    pub fn refuse(self, py: Python<'_>, server: &Server, fault: &Fault) {
        let (label, explanation) = (&server.label, fault.explanation());
        errors::warn_program(py, &format!("upstream {label}: {explanation}"));
        self.answer(py, fault.status());
    }

    /// As `refuse`, for what isn't the upstream's fault.
    pub fn answer(self, py: Python<'_>, status: u16) {
        self.conn.forget_link(py);
        if self.head_passed {
            self.conn.cut(py);
        } else {
            let error = errors::http_error(py, status);
            dispatch::failed(self.request.bind(py), error, None);
        }
    }
}

/// Methods that may be sent twice (RFC 9110 section 9.2.2).
const IDEMPOTENT: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"];

/// Pass `request` on. Gives whether it is: not where the program wants the response to go through its own hands.
pub fn start(conn: &Arc<Conn>, request: &Bound<'_, Request>, forward: &Forward) -> PyResult<bool> {
    let py = request.py();
    if request.get().is_over(py) {
        return Ok(true);
    }
    if conn.service.get().custom_output || request.get().has_own_way(py) {
        return Ok(false);
    }
    let (idempotent, is_head, tunnel) = request.get().with_method(py, |method| {
        (
            IDEMPOTENT.contains(&method),
            method == b"HEAD",
            method == b"CONNECT",
        )
    });
    if tunnel {
        return Err(errors::http_error(py, 501));
    }
    let engine = engine_of(py, conn)?;
    let (framing, source, expects) = body_of(conn, request)?;
    let exchange = Exchange {
        conn: Arc::clone(conn),
        request: request.clone().unbind(),
        route: Arc::clone(&forward.route),
        framing,
        source,
        is_head,
        retriable: idempotent && matches!(framing, Framing::None | Framing::Length(0)),
        retried: false,
        expects,
        head_passed: false,
    };
    let pool = forward.route.server.pool(py, &engine);
    pool.serve(py, exchange);
    Ok(true)
}

/// How the body is framed on its way on, where it comes from, and whether the client waits to be asked for it.
fn body_of(conn: &Arc<Conn>, request: &Bound<'_, Request>) -> PyResult<(Framing, Source, bool)> {
    let py = request.py();
    let framing = request.get().framing(py);
    if framing == Framing::None {
        return Ok((framing, Source::Nothing, false));
    }
    let received = {
        let state = conn.lock(py);
        match &state.sink {
            Sink::Stream(_) => return Ok((framing, Source::Client, state.facts.owes_continue)),
            Sink::Refused(status) => {
                let status = *status;
                drop(state);
                return Err(errors::http_error(py, status));
            }
            _ => state.body_received,
        }
    };
    let Some(content) = input::content(request.get(), py)? else {
        return Ok((Framing::None, Source::Nothing, false));
    };
    content.call_method1(py, intern!(py, "seek"), (0,))?;
    Ok((Framing::Length(received), Source::File(content), false))
}

/// The engine that is to watch the upstream's connection: the client's, or that of the running loop where the client
/// has none.
fn engine_of(py: Python<'_>, conn: &Conn) -> PyResult<Arc<Shared>> {
    if let Some(engine) = conn.engine.upgrade() {
        return Ok(engine);
    }
    let running = py
        .import(intern!(py, "asyncio"))?
        .call_method0(intern!(py, "get_running_loop"))?;
    let engine = py
        .import(intern!(py, "sennit.internet._engines"))?
        .call_method1(intern!(py, "engineFor"), (running,))?;
    Ok(engine.cast::<Engine>()?.get().shared())
}
