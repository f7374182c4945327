//! Whole answers that go out when the connection is settled: with the others of its batch, so that what puts them out is run
//! for many in a row.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{Conn, Piece, Transport};
use crate::asgi::Head;
use crate::request::{output, Request};

/// An answer that is complete.
pub struct Due {
    request: Py<Request>,
    head: Box<Head>,
    body: Py<PyBytes>,
}

impl Conn {
    /// Keep the answer to `request` until the connection is settled. Gives the head back if that is not to be.
    pub fn keep_answer(
        self: &Arc<Self>,
        request: &Bound<'_, Request>,
        head: Box<Head>,
        body: &Bound<'_, PyBytes>,
    ) -> Option<Box<Head>> {
        let py = request.py();
        {
            let mut state = self.lock(py);
            // Where input is being worked through, the next request in it is waiting for this answer.
            let settled = matches!(state.transport, Transport::Socket(_)) && !state.facts.busy;
            if !settled || !state.is_current(request) {
                return Some(head);
            }
            state.due = Some(Due {
                request: request.clone().unbind(),
                head,
                body: body.clone().unbind(),
            });
        }
        self.queue(py);
        None
    }

    /// Put out the answer that was kept, if one was.
    pub fn put_due(self: &Arc<Self>, py: Python<'_>) {
        let Some(due) = self.lock(py).due.take() else {
            return;
        };
        let request = due.request.into_bound(py);
        let body = due.body.bind(py);
        let piece = Piece::of(body.as_any(), body.as_bytes());
        let outcome = self.put(&request, Some(due.head.plan(self)), piece, true);
        output::conclude(&request, self, outcome);
        self.service.get().take_back(request);
    }
}
