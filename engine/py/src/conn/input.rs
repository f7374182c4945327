//! The way in: bytes to requests, requests to the program.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sennit_wire::{
    proxy_header, Framing, Head, ProxyHeader, RequestFacts, Responder, Step, Version, Violation,
};

use super::sink::Poured;
use super::{Conn, Facts, Phase, Sink, State, Transport};
use crate::batch::Batch;
use crate::dispatch;
use crate::errors;
use crate::request::{Body, Request};

/// Pipelined requests answered in one go before the other connections have their turn.
const TURN_REQUESTS: u32 = 32;

/// What the state machine asks for, outside of the lock.
enum Next {
    /// Nothing more can be done with this input now.
    Wait,
    /// A request begins.
    Head(Head),
    /// A program that reads its body as it comes has something to read.
    News,
    /// A piece of body for a file object of the program's.
    WriteTo(Py<PyAny>, Vec<u8>),
    /// The request is all there.
    Complete,
    /// The peer broke the rules.
    Refuse(Violation),
    /// The peer sends more of an unwanted body than is worth reading.
    GiveUp,
    /// The body could not be stored.
    Broken(std::io::Error),
}

/// What has become of a new request.
enum Begun<'py> {
    /// It has no body: its program is to be called now.
    Whole(Bound<'py, Request>),
    /// Its program is to be called as soon as what is here of its body is at hand.
    Streams(Bound<'py, Request>),
    /// Its body is collected first.
    Collects,
    /// There is none.
    Not,
}

impl State {
    /// Take from `input` from `used` on until something must be done outside of the lock.
    fn next(&mut self, py: Python<'_>, batch: &mut Batch, input: &[u8], used: &mut usize) -> Next {
        loop {
            if self.facts.deaf || matches!(self.transport, Transport::Closed) {
                *used = input.len();
                return Next::Wait;
            }
            if self.sink.is_full(self.settings.high_water) {
                return Next::Wait;
            }
            let rest = input.get(*used..).unwrap_or_default();
            let limits = &self.settings.limits;
            let (taken, step) =
                match self
                    .receiver
                    .advance_after(&mut batch.last_head, rest, limits)
                {
                    Ok(progress) => progress,
                    Err(violation) => return Next::Refuse(violation),
                };
            *used += taken;
            match step {
                Step::NeedMore => return Next::Wait,
                Step::Head(head) => return Next::Head(head),
                Step::Data(range) => {
                    let piece = rest.get(range).unwrap_or_default();
                    self.body_received += piece.len() as u64;
                    match self.sink.pour(piece, self.settings.body_in_memory) {
                        Poured::Stored => {}
                        Poured::News => return Next::News,
                        Poured::TooMuch => return Next::GiveUp,
                        Poured::Failed(error) => return Next::Broken(error),
                        Poured::WriteTo => {
                            if let Sink::Given(file) = &self.sink {
                                return Next::WriteTo(file.clone_ref(py), piece.to_vec());
                            }
                        }
                    }
                }
                Step::End if self.request.is_none() => self.ready_for_next(),
                Step::End => {
                    self.facts.body_complete = true;
                    return Next::Complete;
                }
            }
        }
    }

    /// The response is out and the body is in: the next request may come.
    pub fn ready_for_next(&mut self) {
        self.receiver.next_request();
        self.sink = Sink::Nothing;
        self.body_received = 0;
        self.facts.body_complete = false;
    }
}

impl Conn {
    /// Take bytes from the peer, and what was left over before, as far as it goes.
    pub fn receive(self: &Arc<Self>, py: Python<'_>, batch: &mut Batch, fresh: &[u8]) {
        let mut held = {
            let mut state = self.lock(py);
            if state.facts.busy {
                state.input.extend_from_slice(fresh);
                return;
            }
            if state.facts.preamble {
                drop(state);
                return self.receive_preamble(py, batch, fresh);
            }
            state.facts.busy = true;
            std::mem::take(&mut state.input)
        };
        let used = if held.is_empty() {
            let used = self.work_through(py, batch, fresh);
            held.extend_from_slice(fresh.get(used..).unwrap_or_default());
            used
        } else {
            held.extend_from_slice(fresh);
            let used = self.work_through(py, batch, &held);
            held.drain(..used.min(held.len()));
            used
        };
        let mut state = self.lock(py);
        state.facts.busy = false;
        // What a nested call brought meanwhile comes after what was left here.
        let nested = std::mem::take(&mut state.input);
        let go_on = used > 0 && !nested.is_empty();
        held.extend_from_slice(&nested);
        state.input = held;
        state.facts.backlog &= !state.input.is_empty();
        drop(state);
        if go_on {
            self.queue(py);
        }
    }

    /// Take bytes of the header that a proxy begins its connections with, and go on with what is behind it.
    fn receive_preamble(self: &Arc<Self>, py: Python<'_>, batch: &mut Batch, fresh: &[u8]) {
        let mut state = self.lock(py);
        state.input.extend_from_slice(fresh);
        match proxy_header(&state.input) {
            Ok(ProxyHeader::NeedMore) => {}
            Ok(ProxyHeader::Whole { length, ends }) => {
                state.facts.preamble = false;
                let mut input = std::mem::take(&mut state.input);
                drop(state);
                if let Some(ends) = ends {
                    self.proxied.get_or_init(|| Box::new(ends.into()));
                }
                input.drain(..length.min(input.len()));
                self.receive(py, batch, &input);
            }
            Err(_) => {
                drop(state);
                errors::tell_client_error(py, self, 400, "malformed header of the PROXY protocol");
                // Who breaks this protocol may not speak HTTP either: there is no answer.
                self.lose(py, "lost", false);
            }
        }
    }

    fn work_through(self: &Arc<Self>, py: Python<'_>, batch: &mut Batch, input: &[u8]) -> usize {
        let mut used = 0;
        let mut served = 0;
        let mut waiting: Option<Py<Request>> = None;
        loop {
            let next = {
                let mut state = self.lock(py);
                state.facts.backlog = state.is_clogged()
                    || (served >= TURN_REQUESTS && state.request.is_none() && used < input.len());
                if state.facts.backlog {
                    return used;
                }
                state.next(py, batch, input, &mut used)
            };
            match next {
                Next::Wait => match waiting.take() {
                    Some(request) => self.dispatch_once(batch, request.bind(py)),
                    None => return used,
                },
                Next::Head(head) => {
                    served += 1;
                    waiting = match self.begin(py, head) {
                        Begun::Whole(request) => {
                            dispatch::process(self, &request, batch);
                            self.service.get().take_back(request);
                            if used == input.len() {
                                return used;
                            }
                            None
                        }
                        Begun::Streams(request) => Some(request.unbind()),
                        Begun::Collects | Begun::Not => None,
                    };
                }
                Next::News => self.tell_reader(py),
                Next::WriteTo(file, piece) => {
                    let written = file
                        .bind(py)
                        .call_method1(intern!(py, "write"), (PyBytes::new(py, &piece),));
                    if let Err(error) = written {
                        self.fail_current(py, error);
                    }
                }
                Next::Complete => {
                    waiting = None;
                    self.complete(py, batch);
                    if used == input.len() {
                        return used;
                    }
                }
                Next::Refuse(violation) => {
                    self.refuse(py, violation.status(), violation.explanation());
                }
                Next::GiveUp => {
                    let mut state = self.lock(py);
                    state.facts.deaf = true;
                    state.facts.close_after = true;
                }
                Next::Broken(error) => self.fail_current(py, error.into()),
            }
        }
    }

    /// Begin a request.
    fn begin<'py>(self: &Arc<Self>, py: Python<'py>, head: Head) -> Begun<'py> {
        let service = self.service.get();
        let channel = || crate::connection::Connection::wrap(py, Arc::clone(self));
        let request = match service.make_request(py, channel) {
            Ok(request) => request,
            Err(error) => {
                errors::log(py, "a request object could not be made", error);
                self.refuse(py, 500, "Internal Server Error");
                return Begun::Not;
            }
        };
        let framing = head.framing();
        let facts = RequestFacts {
            version: head.version(),
            head_method: head.is_head_method(),
            keep_alive: head.keep_alive(),
        };
        let has_body = !matches!(framing, Framing::None | Framing::Length(0));
        let owes_continue = head.expects_continue() && has_body;
        // What follows a CONNECT that was refused may have been meant for the tunnel.
        let close_after = head.method() == b"CONNECT";
        request.get().bind(py, head, Arc::clone(self));
        service.request_began(py);
        let whole = framing == Framing::None;
        {
            let mut state = self.lock(py);
            let Facts {
                busy,
                queued,
                ended,
                ..
            } = state.facts;
            state.facts = Facts {
                busy,
                queued,
                ended,
                owes_continue,
                close_after,
                // Without a body it goes to the program at once.
                dispatched: whole,
                body_complete: whole && state.receiver.end_bodiless(),
                ..Facts::default()
            };
            state.responder = Some(Responder::new(facts));
            state.request = Some(request.clone().unbind());
            state.body_received = 0;
            // However short the request, the time between requests begins anew after it.
            state.phase = Phase::Program;
        }
        if whole {
            Begun::Whole(request)
        } else if self.prepare_body(py, &request, framing) {
            Begun::Streams(request)
        } else {
            Begun::Collects
        }
    }

    /// Decide where the body goes, before any of it is read (RFC 9110 section 15.5.14). Gives whether the program is to
    /// be called before the body is all there.
    fn prepare_body(
        self: &Arc<Self>,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        framing: Framing,
    ) -> bool {
        let wish = match dispatch::probe(self.service.get(), request) {
            Ok(wish) => wish,
            Err(error) => {
                self.fail_current(py, error);
                return false;
            }
        };
        let declared = match framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::None => None,
        };
        let settings = self.service.get().settings();
        let limit = wish.limit.unwrap_or(settings.max_body);
        if declared
            .zip(limit)
            .is_some_and(|(length, limit)| length > limit)
        {
            self.fail_current(py, errors::http_error(py, 413));
            return false;
        }
        self.lock(py).receiver.set_body_limit(limit);
        if wish.streams {
            self.lock(py).sink = Sink::Stream(Vec::new());
            return true;
        }
        let sink = match self.given_file(py, declared) {
            Ok(Some(file)) => Ok(Sink::Given(file)),
            Ok(None) => Sink::collecting(declared, settings.body_in_memory).map_err(PyErr::from),
            Err(error) => Err(error),
        };
        match sink {
            Ok(sink) => {
                self.lock(py).sink = sink;
                self.send_continue(py);
            }
            Err(error) => self.fail_current(py, error),
        }
        false
    }

    /// The file that a program's `Site.getContentFile(length)` wants the body in.
    fn given_file(&self, py: Python<'_>, declared: Option<u64>) -> PyResult<Option<Py<PyAny>>> {
        if !self.service.get().gives_files {
            return Ok(None);
        }
        let site = self.service.get().site(py);
        site.call_method1(intern!(py, "getContentFile"), (declared,))
            .map(|file| Some(file.unbind()))
    }

    /// Send `100 Continue` if it is owed (RFC 9110 section 10.1.1).
    pub fn send_continue(self: &Arc<Self>, py: Python<'_>) {
        {
            let mut guard = self.lock(py);
            let state = &mut *guard;
            if !std::mem::take(&mut state.facts.owes_continue) || state.facts.body_complete {
                return;
            }
            if let Some(responder) = state.responder.as_mut() {
                let none = std::iter::empty::<(&[u8], &[u8])>();
                responder.interim(state.out.tail(), 100, b"Continue", none);
            }
        }
        self.queue_unlocked(py);
    }

    fn complete(self: &Arc<Self>, py: Python<'_>, batch: &mut Batch) {
        let (request, body, dispatched) = {
            let mut state = self.lock(py);
            let Some(request) = state.request.as_ref().map(|r| r.clone_ref(py)) else {
                return;
            };
            let dispatched = state.facts.dispatched;
            let body = match std::mem::replace(&mut state.sink, Sink::Nothing) {
                Sink::Memory(bytes) => Body::Memory(bytes),
                Sink::Spool(file) => match file.into_inner() {
                    Ok(file) => Body::File(file),
                    Err(error) => {
                        drop(state);
                        return self.fail_current(py, error.into_error().into());
                    }
                },
                Sink::Given(file) => Body::Given(file),
                stream @ (Sink::Stream(_) | Sink::Refused(_) | Sink::Drain(_)) => {
                    state.sink = stream;
                    Body::Nothing
                }
                Sink::Nothing => Body::Nothing,
            };
            (request, body, dispatched)
        };
        if dispatched {
            self.tell_reader(py);
            return;
        }
        if !matches!(body, Body::Nothing) {
            request.get().set_body(py, body);
        }
        self.dispatch(batch, request.bind(py));
        self.service.get().take_back(request.into_bound(py));
    }

    fn dispatch(self: &Arc<Self>, batch: &mut Batch, request: &Bound<'_, Request>) {
        self.lock(request.py()).facts.dispatched = true;
        dispatch::process(self, request, batch);
    }

    /// Call the program for a request that streams its body, unless that has been done or there is no need any more.
    fn dispatch_once(self: &Arc<Self>, batch: &mut Batch, request: &Bound<'_, Request>) {
        let due = {
            let state = self.lock(request.py());
            state.is_current(request) && !state.facts.dispatched
        };
        if due {
            self.dispatch(batch, request);
        }
    }

    /// The program's reader of the body, if one waits, may look again.
    pub fn tell_reader(self: &Arc<Self>, py: Python<'_>) {
        let (link, callback) = {
            let mut state = self.lock(py);
            let callback = state.waiting.as_mut().and_then(|w| w.on_body.take());
            (state.link.clone(), callback)
        };
        if let Some(link) = link {
            link.more_body(py);
        }
        if let Some(callback) = callback {
            errors::call(py, "a body callback", callback.bind(py));
        }
    }

    /// The current request can't go on: it is answered as if the program had raised `error`.
    pub fn fail_current(self: &Arc<Self>, py: Python<'_>, error: PyErr) {
        let request = {
            let mut state = self.lock(py);
            let drain = state.settings.max_drain;
            let spoiled = std::mem::replace(&mut state.sink, Sink::Drain(drain));
            state.facts.dispatched = true;
            let request = state.request.as_ref().map(|r| r.clone_ref(py));
            drop(state);
            drop(spoiled);
            request
        };
        if let Some(request) = request {
            dispatch::failed(request.bind(py), error, None);
        }
    }

    /// The peer broke a rule: answer with `status` if that is still possible, and end the connection.
    pub fn refuse(self: &Arc<Self>, py: Python<'_>, status: u16, explanation: &'static str) {
        let current = {
            let mut state = self.lock(py);
            state.facts.deaf = true;
            state.facts.close_after = true;
            if state.facts.dispatched {
                state.sink = Sink::Refused(status);
            }
            state
                .request
                .as_ref()
                .map(|r| (r.clone_ref(py), state.facts.dispatched))
        };
        errors::tell_client_error(py, self, status, explanation);
        match current {
            Some((_, true)) => self.tell_reader(py),
            Some((_, false)) if status == 413 => {
                self.fail_current(py, errors::http_error(py, status));
            }
            _ => self.answer_plainly(py, status, explanation),
        }
    }

    /// The client was too slow with its head or its body.
    pub fn time_out(self: &Arc<Self>, py: Python<'_>) {
        if self.lock(py).facts.preamble {
            return self.lose(py, "lost", false);
        }
        self.refuse(py, 408, "the request took too long to arrive");
        self.settle(py);
    }

    /// Answer what never became a request, or never will, without the program.
    fn answer_plainly(self: &Arc<Self>, py: Python<'_>, status: u16, explanation: &str) {
        let dropped = {
            let mut guard = self.lock(py);
            let state = &mut *guard;
            if matches!(state.transport, Transport::Closed) {
                return;
            }
            let dropped = (
                state.request.take(),
                state.due.take(),
                std::mem::replace(&mut state.sink, Sink::Nothing),
            );
            let mut responder = Responder::new(RequestFacts {
                version: Version::Http11,
                head_method: false,
                keep_alive: false,
            });
            let body = plain_body(status, explanation);
            let date = sennit_wire::http_date(crate::clock::seconds());
            let fields: [(&[u8], &[u8]); 3] = [
                (b"Server", crate::SERVER.as_bytes()),
                (b"Date", &date),
                (b"Content-Type", b"text/plain; charset=utf-8"),
            ];
            let out = state.out.tail();
            let reason = sennit_wire::reason_phrase(status);
            let length = Some(body.len() as u64);
            responder.head(out, status, reason, fields.iter().copied(), length, true);
            responder.data(out, &body);
            responder.finish(out, std::iter::empty::<(&[u8], &[u8])>());
            state.responder = None;
            dropped
        };
        if let Some(request) = &dropped.0 {
            request.get().abandon(py);
        }
        self.queue(py);
    }

    /// The peer will send no more. It may have closed one way only: what it had asked for before is still answered as far
    /// as that can be done at once. A program that is not ready with its answer is told that the client has left, since a
    /// client that waits keeps its side open (Twisted holds it so, too).
    pub fn on_end_of_input(self: &Arc<Self>, py: Python<'_>) {
        self.put_due(py);
        let pending = {
            let mut state = self.lock(py);
            state.facts.ended = true;
            state.request.is_some()
        };
        if pending {
            self.lose(py, "done", false);
        } else {
            self.settle(py);
        }
    }
}

fn plain_body(status: u16, explanation: &str) -> Cow<'static, [u8]> {
    let reason = String::from_utf8_lossy(sennit_wire::reason_phrase(status));
    Cow::Owned(format!("{status} {reason}: {explanation}\n").into_bytes())
}
