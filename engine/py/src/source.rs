//! What a streamed body comes from: an iterator, or a producer; asked for more as the client takes it.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyIterator;

use crate::clock;
use crate::conn::Conn;
use crate::context::Entered;
use crate::dispatch;
use crate::errors;
use crate::request::{output, Request};

/// Chunks, or calls of a producer, in one go before the other connections have their turn.
const TURN_CHUNKS: usize = 1024;
/// The same in bytes.
const TURN_BYTES: u64 = 1 << 20;
/// The same in milliseconds, less than what the coarse clock can tell apart: an iterator that is slow has each chunk
/// sent soon, and holds the others up no longer than it must.
const TURN_MILLISECONDS: i64 = 1;

/// Stream the chunks of `iterator` as the body of the response.
pub fn start(request: &Bound<'_, Request>, iterator: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = request.py();
    let kept = Request::with_current(request, |state| {
        state.waiting().iterator.replace(iterator.clone().unbind())
    });
    match request.get().conn(py).filter(|_| kept.is_some()) {
        Some(conn) => {
            drop(kept);
            pump(&conn, request);
        }
        None => {
            if let Some(close) = iterator.getattr_opt(intern!(request.py(), "close"))? {
                close.call0()?;
            }
        }
    }
    Ok(())
}

/// Why pumping stops for now.
enum Pause {
    /// The buffer is full, the response over, or somebody further up the stack is at it.
    Wait,
    /// The turn is over.
    Yield,
}

/// Take chunks until the buffer is full or the iterator ends.
fn pump(conn: &Arc<Conn>, request: &Bound<'_, Request>) {
    let py = request.py();
    let iterator = {
        let mut state = conn.lock(py);
        if !state.is_current(request) || state.facts.pumping {
            return;
        }
        let Some(iterator) = state.waiting.as_ref().and_then(|w| w.iterator.as_ref()) else {
            return;
        };
        let iterator = iterator.clone_ref(py);
        state.facts.pumping = true;
        iterator
    };
    let result = {
        let _context = Entered::of(request);
        take_chunks(conn, request, iterator.bind(py))
    };
    let current = Request::with_current(request, |state| state.facts.pumping = false).is_some();
    match result {
        Ok(Pause::Wait) => {}
        Ok(Pause::Yield) if current => {
            conn.lock(py).facts.blocked = true;
            conn.queue(py);
        }
        Ok(Pause::Yield) => {}
        Err(error) => {
            forget_iterator(request);
            dispatch::failed(request, error, None);
        }
    }
}

fn take_chunks(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    iterator: &Bound<'_, PyAny>,
) -> PyResult<Pause> {
    let py = request.py();
    let mut chunks = iterator.cast::<PyIterator>()?.clone();
    let from = request.get().lock(py).progress();
    let began = clock::moment();
    for _ in 0..TURN_CHUNKS {
        {
            let state = conn.lock(py);
            if !state.is_current(request) || state.may_not_fill() {
                return Ok(Pause::Wait);
            }
        }
        let Some(chunk) = chunks.next() else {
            forget_iterator(request);
            finish(request)?;
            return Ok(Pause::Wait);
        };
        write(request, &chunk?)?;
        let length = request.get().lock(py).progress() - from;
        if length > TURN_BYTES || clock::moment().wrapping_sub(began) > TURN_MILLISECONDS {
            return Ok(Pause::Yield);
        }
    }
    Ok(Pause::Yield)
}

/// The iterator has ended, or failed: nobody asks it again.
fn forget_iterator(request: &Bound<'_, Request>) {
    let old = Request::with_current(request, |state| {
        state
            .waiting
            .as_mut()
            .and_then(|waiting| waiting.iterator.take())
    });
    drop(old);
}

fn has_custom_output(request: &Bound<'_, Request>) -> bool {
    request
        .get()
        .conn(request.py())
        .is_some_and(|conn| conn.service.get().custom_output)
}

/// Write a piece of a body, in the way that the request class has.
pub fn write(request: &Bound<'_, Request>, chunk: &Bound<'_, PyAny>) -> PyResult<()> {
    if has_custom_output(request) {
        return request
            .call_method1(intern!(request.py(), "write"), (chunk,))
            .map(drop);
    }
    output::write(request, chunk)
}

/// Finish a response, in the way that the request class has.
pub fn finish(request: &Bound<'_, Request>) -> PyResult<()> {
    if has_custom_output(request) {
        return request
            .call_method0(intern!(request.py(), "finish"))
            .map(drop);
    }
    output::finish(request)
}

impl Conn {
    /// More is waiting than the high-water mark: a push producer is told to pause.
    pub fn hold_producer(&self, py: Python<'_>) {
        let producer = {
            let mut state = self.lock(py);
            let producer = match state.waiting.as_ref().and_then(|w| w.producer.as_ref()) {
                Some((producer, true)) => Some(producer.clone_ref(py)),
                _ => None,
            };
            if producer.is_some() {
                state.facts.paused = true;
            }
            producer
        };
        if let Some(producer) = producer {
            let paused = producer.call_method0(py, intern!(py, "pauseProducing"));
            errors::log_if_failed(py, "pauseProducing", paused);
        }
    }

    /// There is room again: whoever fills the body goes on.
    pub fn drained(self: &Arc<Self>, py: Python<'_>) {
        let link = self.lock(py).link.clone();
        if let Some(link) = link {
            return link.resume(py);
        }
        let (request, on_drain, producer, sends_file) = {
            let mut state = self.lock(py);
            let Some(request) = state.request.as_ref().map(|r| r.clone_ref(py)) else {
                return;
            };
            let on_drain = state.waiting.as_mut().and_then(|w| w.on_drain.take());
            let registered = state.waiting.as_ref().and_then(|w| w.producer.as_ref());
            let producer = registered.map(|(producer, push)| (producer.clone_ref(py), *push));
            let sends_file = state.waiting.as_ref().is_some_and(|w| w.sends_file);
            (request, on_drain, producer, sends_file)
        };
        if let Some(callback) = on_drain {
            errors::call(py, "a drain callback", callback.bind(py));
        }
        let request = request.bind(py);
        if sends_file {
            // All of it has been handed over by the engine itself, past a program's own `write` and `finish`.
            if let Err(error) = output::finish(request) {
                dispatch::failed(request, error, None);
            }
            return;
        }
        let Some((producer, push)) = producer else {
            return pump(self, request);
        };
        let _context = Entered::of(request);
        if push {
            self.resume_push(py, &producer);
        } else {
            self.pull(request, &producer);
        }
    }

    fn resume_push(&self, py: Python<'_>, producer: &Py<PyAny>) {
        let was_paused = std::mem::take(&mut self.lock(py).facts.paused);
        if was_paused {
            let resumed = producer.call_method0(py, intern!(py, "resumeProducing"));
            errors::log_if_failed(py, "resumeProducing", resumed);
        }
    }

    /// Ask a pull producer until the buffer is full; one that writes nothing has nothing to say for now.
    fn pull(self: &Arc<Self>, request: &Bound<'_, Request>, producer: &Py<PyAny>) {
        let py = request.py();
        let from = request.get().lock(py).progress();
        for _ in 0..TURN_CHUNKS {
            let before = {
                let state = self.lock(py);
                let registered = state.waiting.as_ref().and_then(|w| w.producer.as_ref());
                let same = registered.is_some_and(|(p, _)| p.as_ptr() == producer.as_ptr());
                if !state.is_current(request) || !same || state.may_not_fill() {
                    return;
                }
                request.get().lock(py).progress()
            };
            if before - from > TURN_BYTES {
                break;
            }
            let resumed = producer.call_method0(py, intern!(py, "resumeProducing"));
            if let Err(error) = resumed {
                return dispatch::failed(request, error, None);
            }
            if request.get().lock(py).progress() == before {
                return;
            }
        }
        self.lock(py).facts.blocked = true;
        self.queue(py);
    }
}
