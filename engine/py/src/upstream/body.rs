//! The body of a request on its way to an upstream.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::exchange::{Fault, Source};
use super::link::{Link, Phase};
use crate::clock;
use crate::conn::{Conn, Taken};

/// Body bytes that may wait for an upstream before no more are taken from the client.
const HIGH_WATER: usize = 128 << 10;
/// What is read at a time of a body that was collected before.
const PIECE: usize = 64 << 10;

impl Link {
    /// Move a piece of the request's body to the output, if there is one and room for it; whether there was.
    pub(super) fn fill(self: &Arc<Self>, py: Python<'_>) -> bool {
        enum From {
            Client(Arc<Conn>),
            File(Py<PyAny>),
        }
        let from = {
            let state = self.lock(py);
            let ready = state.phase == Phase::Active && !state.unsendable;
            if !ready || state.out.len() >= HIGH_WATER {
                return false;
            }
            match state.exchange.as_ref().map(|e| (&e.source, &e.conn)) {
                Some((Source::Client, conn)) => From::Client(Arc::clone(conn)),
                Some((Source::File(file), _)) => From::File(file.clone_ref(py)),
                _ => return false,
            }
        };
        match from {
            From::Client(conn) => match conn.take_body(py) {
                Taken::Nothing => false,
                Taken::Piece(piece, last) => self.put_body(py, piece, last),
                Taken::Refused(status) => {
                    self.give_up_for(py, status);
                    false
                }
            },
            From::File(file) => {
                let read = file.call_method1(py, intern!(py, "read"), (PIECE,));
                let piece = read.and_then(|piece| {
                    let bytes = piece.bind(py).cast::<PyBytes>()?;
                    Ok(bytes.as_bytes().to_vec())
                });
                match piece {
                    Ok(piece) => {
                        let last = piece.is_empty();
                        self.put_body(py, piece, last)
                    }
                    Err(error) => {
                        crate::errors::log(py, "reading a request's body", error);
                        self.fail(py, Fault::Unreadable);
                        false
                    }
                }
            }
        }
    }

    fn put_body(&self, py: Python<'_>, piece: Vec<u8>, last: bool) -> bool {
        let mut ended = None;
        {
            let mut guard = self.lock(py);
            let state = &mut *guard;
            let span = state.body.frame_data(state.out.tail(), piece.len());
            if span.take > 0 {
                state.out.push_shared(Bytes::from(piece).slice(..span.take));
                state.out.tail().extend_from_slice(span.suffix);
            }
            if last {
                state.unsendable |= !state.body.finish(state.out.tail());
                if let Some(exchange) = &mut state.exchange {
                    ended = Some(std::mem::replace(&mut exchange.source, Source::Nothing));
                }
            }
            state.progress = clock::ticks();
        }
        drop(ended);
        true
    }

    /// The client's request turned out to be none: it is answered with `status`.
    fn give_up_for(&self, py: Python<'_>, status: u16) {
        let exchange = self.lock(py).exchange.take();
        self.close(py);
        if let Some(exchange) = exchange {
            exchange.answer(py, status);
        }
    }
}
