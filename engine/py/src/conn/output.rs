//! The way out: responses to bytes, bytes to the transport.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use sennit_coding::Failed;
use sennit_net::{Flushed, Interest};
use sennit_wire::Wrote;
use smallvec::SmallVec;

use super::{Conn, Facts, Sink, State, Transport, Waiting};
use crate::batch::Batch;
use crate::clock;
use crate::coding;
use crate::file_body::Part;
use crate::headers::HeaderMap;
use crate::request::{Request, RequestState};
use crate::settings::Ticks;
use crate::upstream::Link;

/// Bodies from this size on are sent from where they are.
const SHARE_FROM: usize = 16 << 10;

/// The Content-Type of a response where the program set none.
pub enum DefaultType {
    /// None either.
    Nothing,
    /// `text/html`.
    Html,
    /// What the program has made the default.
    Other(Cow<'static, [u8]>),
}

/// What goes into a response's head besides what the program has set, found before the lock is taken.
pub struct HeadPlan<'a> {
    /// Content-Type where the program set none.
    pub default_type: DefaultType,
    /// Field lines of an `Answer`, encoded.
    pub lines: Option<&'a [u8]>,
    /// The connection ends with this response: the site is stopping, or the program wishes it.
    pub last: bool,
    /// What becomes of the body.
    pub body: coding::Body,
    /// The length of the whole body, where the program has said it by other means than a field.
    pub length: Option<u64>,
}

/// Body bytes on their way out.
pub struct Piece<'a> {
    bytes: &'a [u8],
    /// Who holds them, if they are many: they are sent from where they are.
    owner: Option<Bytes>,
}

impl<'a> Piece<'a> {
    /// None.
    pub const EMPTY: Self = Self {
        bytes: b"",
        owner: None,
    };

    /// The bytes of `data`.
    pub fn of(data: &Bound<'_, PyAny>, bytes: &'a [u8]) -> Self {
        let owner = Some(data)
            .filter(|_| bytes.len() >= SHARE_FROM)
            .and_then(|data| data.cast_exact::<PyBytes>().ok())
            .map(|data| Bytes::from_owner(PyBackedBytes::from(data.clone())));
        Self { bytes, owner }
    }

    /// Bytes that are to be copied.
    pub const fn copied(bytes: &'a [u8]) -> Self {
        Self { bytes, owner: None }
    }

    /// Bytes of the engine's own.
    pub fn own(bytes: &'a Bytes) -> Self {
        let owner = (bytes.len() >= SHARE_FROM).then(|| bytes.clone());
        Self { bytes, owner }
    }
}

/// What became of an output operation.
#[derive(Default)]
pub struct Outcome {
    /// The response has ended; what it held is to be let go outside of the lock.
    pub ended: Option<Ended>,
    /// More is waiting now than the high-water mark.
    pub blocked: bool,
    /// The program sent more than it had declared: to be logged.
    pub overrun: bool,
    /// An encoder could not go on, and the connection is lost for that: to be logged.
    pub failed: Option<Failed>,
    /// Nobody further up the stack is going to flush.
    pub queue: bool,
}

/// What an ended response leaves to be let go.
pub struct Ended {
    /// The request.
    pub request: Py<Request>,
    /// Its rare belongings.
    pub waiting: Option<Box<Waiting>>,
    /// A link that works for it still, since the program has answered itself.
    pub link: Option<Arc<Link>>,
    /// What its body went to.
    pub sink: Sink,
    /// It had fewer bytes than it had declared.
    pub short: bool,
}

type Fields<'a> = SmallVec<[(&'a [u8], &'a [u8]); 12]>;

fn with_type<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    default_type: Option<&'a [u8]>,
) -> Fields<'a> {
    let content_type = default_type.map(|name| (&b"Content-Type"[..], name));
    fields.chain(content_type).collect()
}

impl State {
    /// Put the head of the response out.
    pub fn emit_head(
        &mut self,
        py: Python<'_>,
        response: &mut RequestState,
        headers: Option<&HeaderMap>,
        plan: &HeadPlan<'_>,
        length: Option<u64>,
    ) {
        let close = plan.last || self.facts.close_after || self.body_is_too_much_to_drain();
        let Some(responder) = self.responder.as_mut() else {
            return;
        };
        let typed = length != Some(0) && !matches!(response.code, 204 | 304);
        let (out, code, reason) = (self.out.tail(), response.code, response.reason());
        let default_type: Option<&[u8]> = match &plan.default_type {
            DefaultType::Html if typed => Some(b"text/html"),
            DefaultType::Other(name) if typed => Some(name),
            _ => None,
        };
        let framed = match (headers, &response.extra_fields) {
            (Some(headers), _) => {
                let fields = with_type(headers.iter(), default_type);
                responder.head(out, code, reason, fields.iter().copied(), length, close)
            }
            (None, None) if !matches!(plan.default_type, DefaultType::Other(_)) => {
                let ready = response.has_stock_reason() && responder.is_http11();
                let (known, reason) = if ready {
                    (Some(code), None)
                } else {
                    (None, Some(reason))
                };
                clock::with_stock_lines(py, known, default_type.is_some(), |stock| {
                    let lines = [stock, plan.lines.unwrap_or_default()];
                    responder.preset_head(out, code, reason, lines, length, close)
                })
            }
            (None, extra) => {
                let fields = with_type(extra.iter().flat_map(HeaderMap::iter), default_type);
                clock::with_stock_lines(py, None, false, |stock| {
                    responder.head_after(
                        out,
                        code,
                        reason,
                        stock,
                        fields.iter().copied(),
                        length,
                        close,
                    )
                })
            }
        };
        self.facts.close_after |= framed.close;
        response.started = true;
    }

    /// Put the head out, if it is not out yet.
    fn begin_response(
        &mut self,
        py: Python<'_>,
        response: &mut RequestState,
        plan: Option<HeadPlan<'_>>,
        length: Option<u64>,
    ) {
        let Some(plan) = plan.filter(|_| !response.started) else {
            return;
        };
        let length = length.filter(|_| !matches!(plan.body, coding::Body::Unsaid));
        let headers = response.response_headers.take();
        let map = headers.as_ref().map(|h| h.get().lock(py));
        self.emit_head(py, response, map.as_deref(), &plan, length);
        drop(map);
        response.response_headers = headers;
        if let coding::Body::Coded(encoder) = plan.body {
            self.waiting().encoder = Some(encoder);
        }
    }

    /// Whether a body that nobody is reading is longer than is worth throwing away to keep the connection.
    pub fn body_is_too_much_to_drain(&self) -> bool {
        if self.facts.body_complete || self.facts.reading {
            return false;
        }
        if self.facts.owes_continue {
            // The client may or may not send the body now (RFC 9110 section 10.1.1): there is no telling where the
            // next request begins.
            return true;
        }
        self.receiver
            .body_remaining()
            .is_some_and(|left| left > self.settings.max_drain)
    }

    /// Frame body bytes into the output. A large `bytes` object is sent from where it is.
    pub fn emit_data(&mut self, data: &[u8], owner: Option<Bytes>) -> Wrote {
        let Some(responder) = self.responder.as_mut() else {
            return Wrote::Dropped;
        };
        let Some(owner) = owner else {
            return responder.data(self.out.tail(), data);
        };
        let span = responder.frame_data(self.out.tail(), data.len());
        if span.take == 0 {
            return if data.is_empty() {
                Wrote::All
            } else {
                Wrote::Dropped
            };
        }
        self.out.push_shared(owner.slice(..span.take));
        self.out.tail().extend_from_slice(span.suffix);
        if span.take < data.len() {
            Wrote::Overrun
        } else {
            Wrote::All
        }
    }

    /// Frame a part of a body that is in a file, to be sent from there.
    fn emit_part(&mut self, part: Part) -> (u64, Wrote) {
        let before = part.before.len() as u64;
        let wrote = match self.emit_data(&part.before, None) {
            Wrote::All => before,
            _ if before > 0 => return (0, Wrote::Dropped),
            _ => 0,
        };
        let (Some(responder), false) = (self.responder.as_mut(), part.span.is_empty()) else {
            return (wrote, Wrote::All);
        };
        let length = part.span.len();
        let framed = responder.frame_data(
            self.out.tail(),
            usize::try_from(length).unwrap_or(usize::MAX),
        );
        let take = framed.take as u64;
        if take == 0 {
            return (wrote, Wrote::Dropped);
        }
        let mut span = part.span;
        span.truncate(take);
        self.out.push_file(span);
        self.out.tail().extend_from_slice(framed.suffix);
        let outcome = if take < length {
            Wrote::Overrun
        } else {
            Wrote::All
        };
        (wrote + take, outcome)
    }

    /// Code a piece of body, and what the encoder still has if it is the last; `None` without an encoder.
    fn encode(&mut self, bytes: &[u8], last: bool) -> Option<Result<Vec<u8>, Failed>> {
        let waiting = self.waiting.as_mut()?;
        let mut encoder = waiting.encoder.take()?;
        let mut out = Vec::new();
        let mut encoded = encoder.encode(bytes, &mut out);
        if last {
            encoded = encoded.and_then(|()| encoder.finish(&mut out));
        } else {
            waiting.encoder = Some(encoder);
        }
        Some(encoded.map(|()| out))
    }

    /// Whether body bytes go through an encoder.
    pub fn encodes(&self) -> bool {
        self.waiting.as_ref().is_some_and(|w| w.encoder.is_some())
    }

    /// What was written in this turn goes out with it, also where an encoder would rather wait for more.
    fn flush_encoder(&mut self, py: Python<'_>) {
        let Some(encoder) = self.waiting.as_mut().and_then(|w| w.encoder.as_mut()) else {
            return;
        };
        // What can't be sent yet may go on growing together.
        if self.facts.send_stalled || !encoder.holds() {
            return;
        }
        let mut out = Vec::new();
        if encoder.flush(&mut out).is_err() {
            self.facts.broken = true;
            return;
        }
        self.emit_data(&out, None);
        if let Some(request) = &self.request {
            request.get().lock(py).sent_length += out.len() as u64;
        }
    }

    /// The program has given all of its response.
    fn finish_response(&mut self, response: &mut RequestState) -> Option<Ended> {
        response.finished = true;
        let trailers = response.rare.as_mut().and_then(|rare| rare.trailers.take());
        self.end_response(trailers.as_ref())
    }

    /// End the response: the connection is free for the next one, or ends.
    pub fn end_response(&mut self, trailers: Option<&HeaderMap>) -> Option<Ended> {
        let request = self.request.take()?;
        let mut short = false;
        if let Some(mut responder) = self.responder.take() {
            let ended = match trailers {
                Some(trailers) => responder.finish(self.out.tail(), trailers.iter()),
                None => responder.finish(self.out.tail(), std::iter::empty::<(&[u8], &[u8])>()),
            };
            self.facts.close_after |= ended.close;
            short = ended.short;
        }
        let undelivered = self.facts.owes_continue;
        let facts = &mut self.facts;
        facts.dispatched = false;
        facts.blocked = false;
        facts.paused = false;
        facts.overrun = false;
        facts.owes_continue = false;
        let sink;
        if facts.body_complete && !facts.close_after {
            sink = std::mem::replace(&mut self.sink, Sink::Nothing);
            self.ready_for_next();
        } else {
            let drain = Sink::Drain(self.settings.max_drain);
            sink = std::mem::replace(&mut self.sink, drain);
            let left = self.receiver.body_remaining();
            if undelivered || left.is_some_and(|left| left > self.settings.max_drain) {
                self.facts.close_after |= !self.facts.body_complete;
            }
        }
        let waiting = self.waiting.take();
        Some(Ended {
            request,
            waiting,
            link: self.link.take(),
            sink,
            short,
        })
    }

    /// Have whoever fills the body wait, if more waits to be sent than may; gives whether that is news.
    fn hold_back(&mut self) -> bool {
        if self.out.len() <= self.settings.high_water || self.facts.blocked {
            return false;
        }
        if !self.flush() {
            // The loss is dealt with at the end of the turn, not under the program's feet.
            self.out.clear();
            self.facts.broken = true;
        }
        self.facts.blocked = self.out.len() > self.settings.high_water;
        self.facts.blocked
    }

    /// Send what waits. Returns false if the connection has failed.
    pub fn flush(&mut self) -> bool {
        let Transport::Socket(socket) = &self.transport else {
            return true;
        };
        if self.out.is_empty() {
            self.facts.send_stalled = false;
            return true;
        }
        let before = self.out.len();
        match self.out.flush(socket) {
            Ok(Flushed::Done) => {
                self.facts.send_stalled = false;
                true
            }
            Ok(Flushed::Blocked) => {
                if self.out.len() < before {
                    self.sending_progressed(clock::ticks());
                }
                self.facts.send_stalled = true;
                true
            }
            Err(_) => false,
        }
    }

    /// Send what waits at the end of a turn, and what an encoder holds. Returns false if the connection has failed.
    fn send_turn(&mut self, py: Python<'_>) -> bool {
        let was_stalled = self.facts.send_stalled;
        self.flush_encoder(py);
        if self.facts.broken || !self.flush() {
            return false;
        }
        if !was_stalled || self.facts.send_stalled {
            return true;
        }
        self.flush_encoder(py);
        !self.facts.broken && self.flush()
    }

    /// Whether enough has gone out for producers to go on; tells it once.
    pub fn has_drained(&mut self) -> bool {
        if self.facts.blocked && self.out.len() <= self.settings.low_water {
            self.facts.blocked = false;
            return true;
        }
        false
    }

    fn wanted_interest(&self) -> Interest {
        // Of room to send the poller tells as long as there is some: a flush may stop short of using it all up.
        Interest {
            readable: self.wants_input(),
            writable: self.facts.send_stalled,
            edge: !self.facts.send_stalled,
        }
    }
}

impl Conn {
    /// Write to the current response, and end it if `last`. Does nothing if `request` is not the current one.
    pub fn put(
        self: &Arc<Self>,
        request: &Bound<'_, Request>,
        plan: Option<HeadPlan<'_>>,
        piece: Piece<'_>,
        last: bool,
    ) -> Outcome {
        let py = request.py();
        let Piece {
            mut bytes,
            mut owner,
        } = piece;
        let mut outcome = Outcome::default();
        let mut guard = self.lock(py);
        let state = &mut *guard;
        if !state.is_current(request) {
            return outcome;
        }
        let mut response = request.get().lock(py);
        let length = plan
            .as_ref()
            .and_then(|plan| plan.length)
            .or(last.then_some(bytes.len() as u64));
        state.begin_response(py, &mut response, plan, length);
        let coded;
        if let Some(result) = state.encode(bytes, last) {
            owner = None;
            response.taken += bytes.len() as u64;
            match result {
                Ok(out) => {
                    coded = out;
                    bytes = &coded;
                }
                Err(failed) => {
                    bytes = b"";
                    outcome.failed = Some(failed);
                    state.out.clear();
                    state.facts.broken = true;
                }
            }
        }
        if !bytes.is_empty() {
            match state.emit_data(bytes, owner) {
                Wrote::All => response.sent_length += bytes.len() as u64,
                Wrote::Dropped => {}
                Wrote::Overrun => {
                    outcome.overrun = !std::mem::replace(&mut state.facts.overrun, true)
                }
            }
        }
        if last {
            outcome.ended = state.finish_response(&mut response);
        } else {
            outcome.blocked = state.hold_back();
        }
        outcome.queue = !state.facts.busy && !state.facts.queued;
        outcome
    }

    /// Put `parts`, of `length` bytes together, out as the next of the current response, and end it if `last`: a file
    /// that is longer than may wait keeps it current until it has gone out. Does nothing if `request` is not the
    /// current one.
    pub fn put_file(
        self: &Arc<Self>,
        request: &Bound<'_, Request>,
        plan: Option<HeadPlan<'_>>,
        length: u64,
        parts: impl IntoIterator<Item = Part>,
        last: bool,
    ) -> Outcome {
        let py = request.py();
        let mut outcome = Outcome::default();
        let mut guard = self.lock(py);
        let state = &mut *guard;
        if !state.is_current(request) {
            return outcome;
        }
        let mut response = request.get().lock(py);
        let said = plan.as_ref().and_then(|plan| plan.length);
        state.begin_response(py, &mut response, plan, said.or(last.then_some(length)));
        for part in parts {
            let (wrote, how) = state.emit_part(part);
            response.sent_length += wrote;
            if how == Wrote::Overrun {
                outcome.overrun = !std::mem::replace(&mut state.facts.overrun, true);
            }
        }
        if !last {
            outcome.blocked = state.hold_back();
        } else if length > state.settings.high_water as u64 {
            state.waiting().sends_file = true;
            state.facts.blocked = true;
        } else {
            outcome.ended = state.finish_response(&mut response);
        }
        outcome.queue = !state.facts.busy && !state.facts.queued;
        outcome
    }

    /// Send what waits now, in the middle of a request.
    pub fn push(self: &Arc<Self>, py: Python<'_>) {
        let failed = !self.lock(py).flush();
        if failed {
            self.lose(py, "lost", false);
        } else {
            self.queue_unlocked(py);
        }
    }

    /// As `queue`, for callers that have just let the lock go.
    pub fn queue_unlocked(self: &Arc<Self>, py: Python<'_>) {
        if !self.lock(py).facts.busy {
            self.queue(py);
        }
    }

    /// The end of a turn for this connection: input that can go on goes on, output goes out, deadlines are set, and a
    /// connection that has ended is closed.
    pub fn settle(self: &Arc<Self>, py: Python<'_>) {
        self.settle_at(py, clock::ticks());
    }

    /// As `settle`, for who knows the time.
    pub fn settle_at(self: &Arc<Self>, py: Python<'_>, now: Ticks) {
        self.put_due(py);
        self.go_on_with_input(py);
        let mut state = self.lock(py);
        if state.facts.busy {
            return;
        }
        if let Some(link) = state.link.as_ref().map(Arc::clone) {
            drop(state);
            link.settle(py);
            state = self.lock(py);
        }
        if !state.send_turn(py) {
            drop(state);
            return self.lose(py, "lost", false);
        }
        if state.has_drained() {
            drop(state);
            self.drained(py);
            state = self.lock(py);
            if state.facts.busy {
                return;
            }
            if !state.send_turn(py) {
                drop(state);
                return self.lose(py, "lost", false);
            }
        }
        if state.facts.ended && !state.facts.backlog {
            state.facts.close_after = true;
        }
        if state.facts.close_after && state.request.is_none() && state.out.is_empty() {
            drop(state);
            return self.end_politely(py);
        }
        let goes_on = state.facts.backlog && !state.is_clogged();
        let deadline = state.rearm(now);
        self.tell_interest(&mut state);
        drop(state);
        if let Some(at) = deadline {
            if let Some(engine) = self.engine.upgrade() {
                engine.schedule(py, self.token, at);
            }
        }
        if goes_on {
            self.queue(py);
        }
    }

    /// Tell the poller what is of interest now, if that has changed.
    pub(super) fn tell_interest(&self, state: &mut State) {
        let wanted = state.wanted_interest();
        if wanted == state.interest {
            return;
        }
        if let (Transport::Socket(socket), Some(engine)) = (&state.transport, self.engine.upgrade())
        {
            if engine.poller.modify(socket, self.token, wanted).is_ok() {
                state.interest = wanted;
            }
        }
    }

    /// As `settle`, in another thread than the loop's: does what needs nothing of the loop, and gives whether that was
    /// all that there is to do.
    pub fn settle_aside(&self, py: Python<'_>) -> bool {
        let mut state = self.lock(py);
        if state.facts.busy || state.facts.queued {
            // The loop is at it, or is going to be.
            return true;
        }
        if !state.flush() {
            state.out.clear();
            state.facts.broken = true;
            return false;
        }
        let Facts {
            blocked,
            close_after,
            broken,
            ended,
            ..
        } = state.facts;
        let idle = state.input.is_empty() && matches!(state.sink, Sink::Nothing);
        let over = close_after || broken || ended;
        if !idle || over || blocked || !state.out.is_empty() {
            return false;
        }
        let deadline = state.rearm(clock::ticks());
        let settled = deadline.is_none() && state.wanted_interest() == state.interest;
        drop(state);
        if let (Some(at), Some(engine)) = (deadline, self.engine.upgrade()) {
            engine.schedule(py, self.token, at);
        }
        settled
    }

    /// Input left over from before may be usable now: the response before it has ended, or its reader has read.
    fn go_on_with_input(self: &Arc<Self>, py: Python<'_>) {
        let usable = {
            let state = self.lock(py);
            let waiting_for_program = state.request.is_some() && state.facts.body_complete;
            let stream_full = state.sink.is_full(state.settings.high_water);
            // With all input used, a stream may still have to be told that its end was among it.
            let something = !state.input.is_empty() || matches!(state.sink, Sink::Stream(_));
            !state.facts.busy
                && something
                && !waiting_for_program
                && !stream_full
                && !state.is_clogged()
        };
        if usable {
            self.receive(py, &mut Batch::default(), &[]);
        }
    }
}
