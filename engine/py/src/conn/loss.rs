//! The ends of a connection: by our will, by the peer's, by accident.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;

use super::{Conn, Sink, Transport, Waiting};
use crate::errors;
use crate::request::Request;
use crate::settings::Ticks;

impl Conn {
    /// The last response is out. If the peer may still be sending, closing now would reset the connection and could
    /// destroy the response on its way (RFC 9112 section 9.6): then only our side is closed, and the peer let finish.
    pub(super) fn end_politely(self: &Arc<Self>, py: Python<'_>) {
        let lingers = {
            let mut state = self.lock(py);
            let sending = state.receiver.in_body() || state.facts.deaf || !state.input.is_empty();
            state.input = Vec::new();
            state.facts.deaf = true;
            if state.facts.lingering && !state.facts.ended {
                return;
            }
            let sending = sending && !state.facts.ended;
            match &state.transport {
                Transport::Socket(socket) if sending && socket.shutdown_write().is_ok() => {
                    state.facts.lingering = true;
                    state.body_received = 0;
                    true
                }
                _ => false,
            }
        };
        if !lingers {
            return self.close(py);
        }
        self.settle_lingering(py);
    }

    fn settle_lingering(&self, py: Python<'_>) {
        let at = {
            let mut state = self.lock(py);
            // A client that was held back may go on: what it still sends is thrown away.
            self.tell_interest(&mut state);
            state.rearm(crate::clock::ticks())
        };
        if let (Some(at), Some(engine)) = (at, self.engine.upgrade()) {
            engine.schedule(py, self.token, at);
        }
    }

    /// End the connection once what is waiting has been sent; a response that is not finished is cut off there.
    pub fn end_after_output(self: &Arc<Self>, py: Python<'_>) {
        self.put_due(py);
        self.lock(py).facts.close_after = true;
        let lost = {
            let mut state = self.lock(py);
            !state.flush() || state.request.is_some()
        };
        if lost {
            self.lose(py, "lost", false);
        } else {
            self.queue(py);
        }
    }

    /// Close if nothing has been going on for `patience`: for a site that is stopping.
    pub fn end_if_idle(self: &Arc<Self>, py: Python<'_>, now: Ticks, patience: Ticks) {
        let idle = {
            let state = self.lock(py);
            // A client in the middle of a head has asked for nothing yet.
            let unoccupied =
                state.request.is_none() && state.out.is_empty() && !state.receiver.in_body();
            unoccupied && (patience == 0 || state.has_idled(now, patience))
        };
        if idle {
            self.close(py);
        }
    }

    /// Throw away what a peer that is being let finish still sends; gives up on one that goes on and on.
    pub fn drop_if_lingering(self: &Arc<Self>, py: Python<'_>, count: usize) -> bool {
        /// As much as a client may have had on its way, and more.
        const MOST: u64 = 64 << 20;
        let too_much = {
            let mut state = self.lock(py);
            if !state.facts.lingering {
                return false;
            }
            state.body_received += count as u64;
            state.body_received > MOST
        };
        if too_much {
            self.lose(py, "lost", true);
        }
        true
    }

    /// Close; nothing is waiting to be sent and no request is current.
    pub fn close(self: &Arc<Self>, py: Python<'_>) {
        self.release(py, false);
    }

    /// The connection is gone, or is made to go (with a reset if `reset`): the current request, if any, hears of it.
    /// `reason` is "done" for an orderly close by the peer, "lost" otherwise.
    pub fn lose(self: &Arc<Self>, py: Python<'_>, reason: &str, reset: bool) {
        self.release(py, reset);
        let (request, waiting, link, dropped) = {
            let mut state = self.lock(py);
            state.responder = None;
            state.facts.blocked = false;
            let sink = std::mem::replace(&mut state.sink, Sink::Refused(0));
            let link = state.link.take();
            let dropped = (sink, state.due.take());
            (state.request.take(), state.waiting.take(), link, dropped)
        };
        drop(dropped);
        if let Some(link) = link {
            link.close(py);
        }
        if let Some(request) = request {
            let request = request.bind(py);
            request.get().disconnected(py);
            if let Some(waiting) = waiting {
                end_waiting(request, *waiting);
            }
            self.service.get().request_ended(py);
            request.get().tell_loss(request, reason);
        }
    }

    /// Give the transport up.
    fn release(self: &Arc<Self>, py: Python<'_>, reset: bool) {
        let transport = {
            let mut state = self.lock(py);
            state.out.clear();
            state.input = Vec::new();
            state.facts.deaf = true;
            std::mem::replace(&mut state.transport, Transport::Closed)
        };
        if !matches!(transport, Transport::Closed) {
            self.service.get().release();
        }
        if let Transport::Socket(socket) = &transport {
            if reset {
                // Closing is what matters; a socket that can't be told to reset is closed all the same.
                let _ = socket.reset_on_close();
            }
        }
        drop(transport);
        if let Some(engine) = self.engine.upgrade() {
            engine.forget(py, self.token);
        }
    }
}

/// Whatever waited on behalf of a request whose client has left is told or ended.
fn end_waiting(request: &Bound<'_, Request>, waiting: Waiting) {
    let py = request.py();
    if let Some((producer, _)) = &waiting.producer {
        let stop = producer.bind(py).getattr(intern!(py, "stopProducing"));
        match stop {
            Ok(stop) => errors::call(py, "stopProducing", &stop),
            Err(error) => errors::log(py, "a producer cannot be stopped", error),
        }
    }
    if let Some(iterator) = &waiting.iterator {
        if let Ok(Some(close)) = iterator.bind(py).getattr_opt(intern!(py, "close")) {
            errors::call(py, "closing a response's iterator", &close);
        }
    }
    for callback in [&waiting.on_body, &waiting.on_drain].into_iter().flatten() {
        errors::call(py, "a request's callback", callback.bind(py));
    }
    if let Some(task) = &waiting.task {
        if !waiting.uncancellable
            && crate::task::cancels_on_disconnect(py, waiting.resource.as_ref())
        {
            let cancel = task.bind(py).getattr(intern!(py, "cancel"));
            match cancel {
                Ok(cancel) => errors::call(py, "cancelling a handler", &cancel),
                Err(error) => errors::log(py, "a handler cannot be cancelled", error),
            }
        }
    }
}
