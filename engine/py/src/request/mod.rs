//! `Request`: the native part of a request, and of the response that it also is.

mod application;
mod coded;
mod face;
pub mod input;
pub mod output;
mod path;
pub mod whole;

pub use input::{content as content_of, headers as headers_of};
pub use path::{raw_path_of, Walk};

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lock::{Guard, Lock};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use sennit_wire::{Framing, Head};
use smallvec::SmallVec;

use crate::conn::{Conn, Sink};
use crate::errors;
use crate::headers::{HeaderMap, Headers};
use crate::kinds::is_only_reference;
use crate::text::{bytes_of, Encoding};

/// A body that has arrived whole.
pub enum Body {
    /// None.
    Nothing,
    /// In memory.
    Memory(Vec<u8>),
    /// In a temporary file.
    File(File),
    /// In a file object of the program's.
    Given(Py<PyAny>),
}

/// What a whole response meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it is sent.
    Open,
    /// Something has to be done before.
    Gated,
    /// The response has been finished, or the client has left.
    Over,
}

/// What a request asks of a file.
pub enum Wish {
    /// All of it.
    Whole,
    /// All of it, unless it has one of these entity tags (RFC 9110 section 13.1.2).
    Unless(SmallVec<[u8; 64]>),
    /// Something else.
    Other,
}

/// What programs seldom set or ask for.
#[derive(Default)]
pub struct Rare {
    method: Option<Py<PyAny>>,
    uri: Option<Py<PyAny>>,
    path: Option<Py<PyAny>>,
    clientproto: Option<Py<PyAny>>,
    channel: Option<Py<PyAny>>,
    site: Option<Py<PyAny>>,
    sitepath: Option<Py<PyList>>,
    cookies: Option<Py<PyList>>,
    etag: Option<Py<PyAny>>,
    last_modified: Option<Py<PyAny>>,
    /// The program's own encoder, which the body goes through.
    pub encoder: Option<Py<PyAny>>,
    /// Factories of the engine's encoders, in place of those of the site.
    pub codings: Option<Py<PyTuple>>,
    /// Fields to be sent after a chunked body.
    pub trailers: Option<HeaderMap>,
}

/// A request's state; the rule about the lock is that of `conn`.
pub struct RequestState {
    head: Option<Head>,
    /// The connection that it came by, kept for its addresses and its site.
    conn: Option<Arc<Conn>>,
    /// The connection has no more to do with it.
    detached: bool,
    /// The status code to be sent.
    pub code: u16,
    message: Option<Box<[u8]>>,
    request_headers: Option<Py<Headers>>,
    /// The response's header fields, once the program has asked for them as an object.
    pub response_headers: Option<Py<Headers>>,
    /// Until then: those that the program has set besides the stock ones.
    pub extra_fields: Option<HeaderMap>,
    prepath: Option<Py<PyList>>,
    postpath: Option<Py<PyList>>,
    /// Path segments consumed, as long as `prepath` is not a list.
    depth: usize,
    body: Body,
    content: Option<Py<PyAny>>,
    content_in_memory: bool,
    /// The response's head is out.
    pub started: bool,
    /// `finish` has been called.
    pub finished: bool,
    /// The client has left before that.
    lost: bool,
    watched: bool,
    /// Something has to be done before the response may begin, or end: see `_gated` in `_engine.pyi`.
    pub gated: bool,
    /// Body bytes written, coded as they may be, before any framing.
    pub sent_length: u64,
    /// Body bytes that went into an encoder, the engine's or the program's own.
    pub taken: u64,
    began: Option<Instant>,
    /// The walk along the path has ended at a resource that passes the rest of it on to another server.
    passes_rest: bool,
    /// The context variables in which the program works for it, if it has said so.
    context: Option<Py<PyAny>>,
    /// What is seldom set.
    pub rare: Option<Box<Rare>>,
}

/// What is passed on of a request, besides its body.
pub struct Outgoing<'a> {
    /// The head it came with.
    pub head: &'a Head,
    /// Its header fields, if the program has asked for them and may have changed them.
    pub headers: Option<Guard<'a, HeaderMap>>,
    /// The method.
    pub method: &'a [u8],
    /// What of the path, still quoted and with its first slash, is passed on.
    pub rest: &'a [u8],
    /// The question mark and what follows.
    pub query: &'a [u8],
    /// The authority of a target that has one (RFC 9112 section 3.2.2).
    pub authority: Option<&'a [u8]>,
}

/// What the Python subclasses are built on; see `_engine.pyi`.
#[pyclass(frozen, subclass, module = "sennit._engine")]
pub struct Request {
    state: Lock<RequestState>,
}

impl RequestState {
    fn new() -> Self {
        Self {
            head: None,
            conn: None,
            detached: false,
            code: 200,
            message: None,
            request_headers: None,
            response_headers: None,
            extra_fields: None,
            prepath: None,
            postpath: None,
            depth: 0,
            body: Body::Nothing,
            content: None,
            content_in_memory: false,
            started: false,
            finished: false,
            lost: false,
            watched: false,
            gated: false,
            sent_length: 0,
            taken: 0,
            began: None,
            passes_rest: false,
            context: None,
            rare: None,
        }
    }

    /// The reason phrase to be sent.
    pub fn reason(&self) -> &[u8] {
        match &self.message {
            Some(message) => message,
            None => stock_reason(self.code),
        }
    }

    /// Whether the reason phrase is the stock one.
    pub fn has_stock_reason(&self) -> bool {
        self.message.is_none()
    }

    /// How far the response has come, by what it costs to make; without an encoder, in bytes.
    pub fn progress(&self) -> u64 {
        /// A byte through an encoder costs as much time as so many that are only sent.
        const CODING: u64 = 8;
        self.sent_length.max(self.taken * CODING)
    }

    /// The program's own encoder.
    fn encoder(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let encoder = self.rare.as_ref()?.encoder.as_ref()?;
        Some(encoder.clone_ref(py))
    }

    /// Whether the request's method is HEAD.
    pub fn is_head_method(&self) -> bool {
        self.head.as_ref().is_some_and(Head::is_head_method)
    }

    fn live_conn(&self) -> Option<Arc<Conn>> {
        if self.detached {
            None
        } else {
            self.conn.clone()
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Set the status, with the phrase that belongs to it.
    pub fn set_code(&mut self, code: u16) {
        self.code = code;
        self.message = None;
    }

    /// The status that another server has answered with.
    pub fn set_passed_status(&mut self, code: u16, reason: &[u8]) {
        self.code = code;
        let registered = sennit_wire::reason_phrase(code);
        self.message = (reason != registered).then(|| reason.into());
    }
}

/// The reason phrase of a code where the program has set none.
pub fn stock_reason(code: u16) -> &'static [u8] {
    match sennit_wire::reason_phrase(code) {
        b"" => b"Unknown Status",
        phrase => phrase,
    }
}

impl Request {
    /// The state, locked. See the rule of `conn`.
    pub fn lock(&self, py: Python<'_>) -> Guard<'_, RequestState> {
        self.state.lock(py)
    }

    /// Whether a whole response may be given now.
    pub fn standing(&self, py: Python<'_>) -> Standing {
        let state = self.lock(py);
        if state.finished || state.lost {
            Standing::Over
        } else if state.gated {
            Standing::Gated
        } else {
            Standing::Open
        }
    }

    /// Whether the response has been finished, or the client has left.
    pub fn is_over(&self, py: Python<'_>) -> bool {
        let state = self.lock(py);
        state.finished || state.lost
    }

    /// Become as new, if the connection has no more to do with it; the caller holds the only reference.
    pub fn forget(&self, py: Python<'_>) -> bool {
        let mut guard = self.lock(py);
        let state = &mut *guard;
        if !state.detached || state.rare.is_some() || matches!(state.body, Body::Given(_)) {
            return false;
        }
        state.head = None;
        state.detached = false;
        state.code = 200;
        state.message = None;
        state.extra_fields = None;
        state.depth = 0;
        state.body = Body::Nothing;
        state.started = false;
        state.finished = false;
        state.lost = false;
        state.watched = false;
        state.gated = false;
        state.sent_length = 0;
        state.taken = 0;
        state.began = None;
        state.passes_rest = false;
        let conn = state.conn.take();
        let headers = (state.request_headers.take(), state.response_headers.take());
        let lists = (state.prepath.take(), state.postpath.take());
        let content = (state.content.take(), state.context.take());
        drop(guard);
        drop((conn, headers, lists, content));
        true
    }

    /// Whether the client left before the response was finished.
    pub fn is_lost(&self, py: Python<'_>) -> bool {
        self.lock(py).lost
    }

    /// The context variables in which the program works for it, if it has said so.
    pub fn context<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let state = self.lock(py);
        state.context.as_ref().map(|c| c.bind(py).clone())
    }

    /// Whether a body has been collected for it, or the program has given it one.
    pub fn has_content(&self, py: Python<'_>) -> bool {
        let state = self.lock(py);
        state.content.is_some() || !matches!(state.body, Body::Nothing)
    }

    /// The connection it came by, also when the response has ended.
    pub fn last_conn(&self, py: Python<'_>) -> Option<Arc<Conn>> {
        self.lock(py).conn.clone()
    }

    /// Whether the program wants to hear of the end of the response, or of the client's leaving.
    pub fn is_watched(&self, py: Python<'_>) -> bool {
        self.lock(py).watched
    }

    /// Tie a new request object to the connection and the head it came with.
    pub fn bind(&self, py: Python<'_>, head: Head, conn: Arc<Conn>) {
        let logs = conn.service.get().logs();
        let mut state = self.lock(py);
        state.head = Some(head);
        state.conn = Some(conn);
        state.began = logs.then(Instant::now);
    }

    /// The head, and how many segments of its path have been walked, as long as the program can't have changed what any
    /// of it says. It has to be given back with `return_head`.
    pub fn lend_head(&self, py: Python<'_>) -> Option<(Head, usize)> {
        let mut state = self.lock(py);
        if state.rare.is_some() || state.prepath.is_some() || state.request_headers.is_some() {
            return None;
        }
        let depth = state.depth;
        state.head.take().map(|head| (head, depth))
    }

    /// Give back what was lent.
    pub fn return_head(&self, py: Python<'_>, head: Head) {
        self.lock(py).head = Some(head);
    }

    /// Whether the response is untouched: no head is out, no field of it has been set, and nobody else wants to have a
    /// say in it.
    pub fn is_untouched(&self, py: Python<'_>) -> bool {
        let state = self.lock(py);
        let fields = state.response_headers.is_some() || state.extra_fields.is_some();
        !state.started && !fields && state.rare.is_none() && !state.gated
    }

    /// Set the status to be sent, both parts known to be right.
    pub fn set_status(&self, py: Python<'_>, code: u16, message: Option<Box<[u8]>>) {
        let mut state = self.lock(py);
        state.code = code;
        state.message = message;
    }

    /// The connection, as long as the response has not ended.
    pub fn conn(&self, py: Python<'_>) -> Option<Arc<Conn>> {
        self.lock(py).live_conn()
    }

    /// The body has arrived whole.
    pub fn set_body(&self, py: Python<'_>, body: Body) {
        let old = std::mem::replace(&mut self.lock(py).body, body);
        drop(old);
    }

    /// Whether the path has been walked to its end, by as much as the engine knows.
    pub fn is_asterisk(&self, py: Python<'_>) -> bool {
        self.lock(py)
            .head
            .as_ref()
            .is_some_and(|head| head.target() == b"*")
    }

    /// The request never reached the program and never will.
    pub fn abandon(&self, py: Python<'_>) {
        let (conn, body) = {
            let mut state = self.lock(py);
            state.finished = true;
            state.detached = true;
            (
                state.conn.clone(),
                std::mem::replace(&mut state.body, Body::Nothing),
            )
        };
        drop(body);
        if let Some(conn) = conn {
            conn.service.get().request_ended(py);
        }
    }

    /// The client has left: nothing that is written from now on goes anywhere.
    pub fn disconnected(&self, py: Python<'_>) {
        let mut state = self.lock(py);
        state.lost = true;
        state.detached = true;
    }

    /// Tell the program's watchers that the client has left.
    pub fn tell_loss(&self, object: &Bound<'_, Self>, reason: &str) {
        let py = object.py();
        if self.lock(py).watched {
            let told = object.call_method1(intern!(py, "_connection_lost"), (reason,));
            errors::log_if_failed(py, "telling that the client left", told);
        }
        self.let_go(py);
    }

    /// The response has ended: log it, tell who watches, let its belongings go.
    pub fn ended(&self, object: &Bound<'_, Self>, conn: &Arc<Conn>, sink: Sink) {
        let py = object.py();
        drop(sink);
        let service = conn.service.get();
        service.request_ended(py);
        if service.logs() {
            crate::accesslog::log(object, conn);
        }
        let watched = {
            let mut state = self.lock(py);
            state.detached = true;
            state.watched
        };
        if watched {
            let told = object.call_method0(intern!(py, "_fire_finished"));
            errors::log_if_failed(py, "telling that a response has ended", told);
        }
        self.let_go(py);
    }

    /// Let the body go: it was the program's for as long as the request lasted.
    fn let_go(&self, py: Python<'_>) {
        let (body, content, in_memory) = {
            let mut state = self.lock(py);
            let body = std::mem::replace(&mut state.body, Body::Nothing);
            (body, state.content.take(), state.content_in_memory)
        };
        drop(body);
        // What is only in memory and nobody else has needs no closing.
        let content = content.map(|content| content.into_bound(py));
        if let Some(content) = content.filter(|c| !(in_memory && is_only_reference(c))) {
            if let Ok(close) = content.getattr(intern!(py, "close")) {
                errors::call(py, "closing a request's content", &close);
            }
        }
    }

    /// What an access log line says, given to `use_it` under the lock.
    pub fn with_record<R>(
        &self,
        py: Python<'_>,
        use_it: impl FnOnce(Option<&Head>, &RequestState, Duration) -> R,
    ) -> R {
        let state = self.lock(py);
        let duration = state.began.map_or(Duration::ZERO, |began| began.elapsed());
        use_it(state.head.as_ref(), &state, duration)
    }

    /// What the response may be coded with: the factories of whoever says so last, resource or site.
    pub fn codings(&self, py: Python<'_>) -> Option<Py<PyTuple>> {
        let state = self.lock(py);
        if let Some(rare) = &state.rare {
            if let Some(codings) = &rare.codings {
                return Some(codings.clone_ref(py));
            }
        }
        state.conn.as_ref()?.service.get().codings(py)
    }

    /// Look at the response and the header fields that the program has set.
    pub fn with_response<R>(
        &self,
        py: Python<'_>,
        look: impl FnOnce(&RequestState, Option<&HeaderMap>) -> R,
    ) -> R {
        let state = self.lock(py);
        match &state.response_headers {
            Some(headers) => look(&state, Some(&headers.get().lock(py))),
            None => look(&state, state.extra_fields.as_ref()),
        }
    }

    /// Change the header fields that the program has set.
    pub fn change_response(&self, py: Python<'_>, change: impl FnOnce(&mut HeaderMap)) {
        let mut state = self.lock(py);
        match &state.response_headers {
            Some(headers) => change(&mut headers.get().lock(py)),
            None => change(state.extra_fields.get_or_insert_default()),
        }
    }

    /// Look at the values of a field of the request; `name` is in lower case.
    pub fn with_request_values<R>(
        &self,
        py: Python<'_>,
        name: &[u8],
        look: impl FnOnce(&mut dyn Iterator<Item = &[u8]>) -> R,
    ) -> R {
        let state = self.lock(py);
        if let Some(headers) = &state.request_headers {
            let map = headers.get().lock(py);
            return look(&mut map.get(name).unwrap_or_default().iter().map(AsRef::as_ref));
        }
        let Some(head) = &state.head else {
            return look(&mut std::iter::empty());
        };
        let values = head.fields().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut values = values.map(|(_, value)| value);
        look(&mut values)
    }

    /// What it asks of a file, as it came.
    pub fn wish(&self, py: Python<'_>) -> Wish {
        let state = self.lock(py);
        // The program may have changed it.
        if state.rare.is_some() || state.request_headers.is_some() {
            return Wish::Other;
        }
        let Some(head) = state.head.as_ref().filter(|head| head.method() == b"GET") else {
            return Wish::Other;
        };
        let (mut wish, mut since) = (Wish::Whole, false);
        for (name, value) in head.fields() {
            let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
            match name.len() {
                5 if is(b"range") => return Wish::Other,
                8 if is(b"if-match") => return Wish::Other,
                13 if is(b"if-none-match") => match wish {
                    Wish::Whole => wish = Wish::Unless(SmallVec::from_slice(value)),
                    _ => return Wish::Other,
                },
                17 if is(b"if-modified-since") => since = true,
                19 if is(b"if-unmodified-since") => return Wish::Other,
                _ => {}
            }
        }
        match wish {
            // Beside If-None-Match this is not looked at (RFC 9110 section 13.1.3).
            Wish::Whole if since => Wish::Other,
            wish => wish,
        }
    }

    /// Whether the response has to wait for something of the program's, or goes through an encoder that it has chosen.
    pub fn has_own_way(&self, py: Python<'_>) -> bool {
        let state = self.lock(py);
        let coded = |rare: &Rare| rare.encoder.is_some() || rare.codings.is_some();
        state.gated || state.rare.as_deref().is_some_and(coded)
    }

    /// How its body came.
    pub fn framing(&self, py: Python<'_>) -> Framing {
        let state = self.lock(py);
        state.head.as_ref().map_or(Framing::None, Head::framing)
    }

    /// Use what is passed on of this request; it has come by a connection, so it has a head.
    pub fn with_outgoing<R>(
        &self,
        py: Python<'_>,
        use_it: impl FnOnce(Outgoing<'_>) -> R,
    ) -> Option<R> {
        let changed = self.replaced_target(py);
        let state = self.lock(py);
        let head = state.head.as_ref()?;
        let (method, uri) = &changed;
        let target = uri.as_deref().unwrap_or(head.target());
        let query = memchr::memchr(b'?', target).and_then(|at| target.get(at..));
        let absolute = head.target().split(|b| *b == b'?').next();
        let authority = absolute.and_then(|path| {
            let start = path.windows(3).position(|w| w == b"://")? + 3;
            path.get(start..)?.split(|b| *b == b'/').next()
        });
        Some(use_it(Outgoing {
            head,
            headers: state.request_headers.as_ref().map(|h| h.get().lock(py)),
            method: method.as_deref().unwrap_or(head.method()),
            rest: if state.passes_rest {
                state.raw_rest(state.depth)
            } else {
                b""
            },
            query: query.unwrap_or_default(),
            authority: authority.filter(|_| !head.target().starts_with(b"/")),
        }))
    }

    /// Method and target where the program has set others.
    fn replaced_target(&self, py: Python<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let (method, uri) = match self.lock(py).rare.as_deref() {
            None => return (None, None),
            Some(rare) => (
                rare.method.as_ref().map(|m| m.clone_ref(py)),
                rare.uri.as_ref().map(|u| u.clone_ref(py)),
            ),
        };
        let bytes = |object: Option<Py<PyAny>>| {
            let object = object?;
            let bytes = bytes_of(
                object.bind(py),
                Encoding::Latin1,
                "a part of the request line",
            );
            bytes.ok().map(Cow::into_owned)
        };
        (bytes(method), bytes(uri))
    }
}
