//! A request that is passed on to another server: its body on the way there, and the answer on its way back.

use std::sync::Arc;

use pyo3::prelude::*;
use sennit_wire::http1::client::ResponseHead;
use sennit_wire::Version;
use smallvec::SmallVec;

use super::output::Outcome;
use super::{Conn, Sink};
use crate::clock;
use crate::headers::HeaderMap;
use crate::request::{output, Request};
use crate::upstream::Link;

/// What there is of a body to be passed on.
pub enum Taken {
    /// Nothing for now.
    Nothing,
    /// The next piece, and whether it is the last.
    Piece(Vec<u8>, bool),
    /// The body was refused with this status.
    Refused(u16),
}

impl Conn {
    /// `link` works for the current request.
    pub fn set_link(&self, py: Python<'_>, link: &Arc<Link>) {
        let old = self.lock(py).link.replace(Arc::clone(link));
        drop(old);
    }

    /// No link does any more.
    pub fn forget_link(&self, py: Python<'_>) {
        let old = self.lock(py).link.take();
        drop(old);
    }

    /// Take what has come of the body.
    pub fn take_body(self: &Arc<Self>, py: Python<'_>) -> Taken {
        let (piece, last, was_full) = {
            let mut state = self.lock(py);
            let last = state.facts.body_complete;
            let high_water = state.settings.high_water;
            let was_full = state.sink.is_full(high_water);
            let piece = match &mut state.sink {
                Sink::Stream(buffer) => std::mem::take(buffer),
                Sink::Refused(status) => return Taken::Refused(*status),
                _ => return Taken::Nothing,
            };
            if piece.is_empty() && !last {
                return Taken::Nothing;
            }
            state.facts.reading = true;
            (piece, last, was_full)
        };
        if was_full {
            // There is room again: what TCP has held back may come.
            self.queue_unlocked(py);
        }
        Taken::Piece(piece, last)
    }

    /// Pass an interim response on (RFC 9110 section 15.2).
    pub fn pass_interim(
        self: &Arc<Self>,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        head: &ResponseHead,
    ) {
        let hops = head.hops();
        {
            let mut guard = self.lock(py);
            let state = &mut *guard;
            if !state.is_current(request) {
                return;
            }
            if head.code() == 100 {
                state.facts.owes_continue = false;
            }
            let fields = head.fields().filter(|(name, _)| !hops.ends_here(name));
            if let Some(responder) = state.responder.as_mut() {
                responder.interim(state.out.tail(), head.code(), head.reason(), fields);
            }
        }
        self.push(py);
    }

    /// Pass the final head on. What the program has set on the request before goes out as well, as in Twisted, except
    /// where the upstream's Server, Date and Content-Type take the place of its own.
    pub fn pass_head(
        self: &Arc<Self>,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        head: &ResponseHead,
    ) {
        let set = match output::set_fields(request) {
            Ok(set) => set,
            Err(error) => {
                crate::errors::log(py, "the headers of a response", error);
                None
            }
        };
        let hops = head.hops();
        let date = clock::http_date();
        let mut own: SmallVec<[(&[u8], &[u8]); 4]> = SmallVec::new();
        let program_says = |name| {
            set.as_ref()
                .is_some_and(|set: &HeaderMap| set.contains(name))
        };
        if !head.has_server() && !program_says(b"server") {
            own.push((b"Server", crate::SERVER.as_bytes()));
        }
        // RFC 9110 section 6.6.1
        if !head.has_date() && !program_says(b"date") {
            own.push((b"Date", &date));
        }
        let via: &[u8] = match head.version() {
            Version::Http10 => b"1.0 sennit",
            Version::Http11 => b"1.1 sennit",
        };
        own.push((b"Via", via));
        let replaced = |name: &[u8]| {
            let single = [&b"server"[..], b"date", b"content-type"];
            single.iter().any(|one| name.eq_ignore_ascii_case(one))
                && head
                    .fields()
                    .any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        let mut guard = self.lock(py);
        let state = &mut *guard;
        if !state.is_current(request) {
            return;
        }
        let close = state.facts.close_after
            || self.service.get().is_draining()
            || state.body_is_too_much_to_drain();
        let mut response = request.get().lock(py);
        response.set_passed_status(head.code(), head.reason());
        let Some(responder) = state.responder.as_mut() else {
            return;
        };
        let passed = head.fields().filter(|(name, _)| !hops.ends_here(name));
        let set = set.iter().flat_map(HeaderMap::iter);
        let fields = set
            .filter(|(name, _)| !replaced(name))
            .chain(passed)
            .chain(own.iter().copied());
        let out = state.out.tail();
        let framed = responder.head(out, head.code(), head.reason(), fields, None, close);
        state.facts.close_after |= framed.close;
        response.started = true;
    }

    /// Pass a piece of the body on; whether the client is behind now, so that no more may come.
    pub fn pass_data(
        self: &Arc<Self>,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        data: &[u8],
    ) -> bool {
        let mut guard = self.lock(py);
        let state = &mut *guard;
        if !state.is_current(request) {
            return false;
        }
        state.emit_data(data, None);
        request.get().lock(py).sent_length += data.len() as u64;
        if state.out.len() > state.settings.high_water {
            if !state.flush() {
                // The loss is dealt with when the connection settles.
                state.out.clear();
                state.facts.broken = true;
            }
            state.facts.blocked = state.out.len() > state.settings.high_water;
        }
        state.may_not_fill()
    }

    /// The answer is complete.
    pub fn end_passing(
        self: &Arc<Self>,
        py: Python<'_>,
        request: &Bound<'_, Request>,
        trailers: Vec<(Vec<u8>, Vec<u8>)>,
    ) {
        let trailers = (!trailers.is_empty()).then(|| {
            let fields = trailers.iter().map(|(n, v)| (n.as_slice(), v.as_slice()));
            HeaderMap::from_fields(fields)
        });
        let mut outcome = Outcome::default();
        {
            let mut guard = self.lock(py);
            let state = &mut *guard;
            if !state.is_current(request) {
                return;
            }
            request.get().lock(py).finished = true;
            outcome.ended = state.end_response(trailers.as_ref());
        }
        output::after(request, self, outcome);
    }

    /// The answer breaks off here, and the client is to see that: where only closing would end the body, with a reset.
    pub fn cut(self: &Arc<Self>, py: Python<'_>) {
        let until_close = {
            let state = self.lock(py);
            state.responder.as_ref().is_some_and(|r| r.is_until_close())
        };
        if until_close {
            self.lose(py, "lost", true);
        } else {
            self.end_after_output(py);
        }
    }
}
