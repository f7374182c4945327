//! What an application returns, on its way to the client.

use std::sync::Arc;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList, PyTuple};

use super::exchange::{checked, Exchange};
use super::streams::ErrorStream;
use crate::errors;
use crate::lock::Lock;

/// A list of pieces up to this size is sent as one piece with its length; a larger one is not copied together.
const WHOLE_LIMIT: usize = 1 << 20;

/// What is left to be done with a result.
pub enum Rest<'py> {
    /// Nothing, but to close it.
    Close,
    /// It has pieces for the engine to take as the client does; the first is here already.
    Pieces(Bound<'py, PyIterator>, Bound<'py, PyBytes>),
}

/// Send what an application has returned. In the loop's thread (`here`) a body that isn't whole with its first piece is
/// left to the engine; elsewhere all of it is sent.
pub fn deliver<'py>(
    exchange: &Arc<Exchange>,
    result: &Bound<'py, PyAny>,
    here: bool,
) -> PyResult<Rest<'py>> {
    let py = result.py();
    if let Some(body) = whole(exchange, result)? {
        exchange.send_last(py, Some(&body))?;
        return Ok(Rest::Close);
    }
    // PEP 3333, "Handling the Content-Length Header": the only piece of a result is the whole body.
    let is_only = length_of(result) == Some(1);
    let mut pieces = result.try_iter()?;
    while let Some(piece) = pieces.next() {
        let piece = piece?;
        let piece = checked(&piece)?;
        let size = piece.as_bytes().len();
        if size == 0 {
            if exchange.is_lost(py) {
                return Ok(Rest::Close);
            }
            continue;
        }
        if !exchange.has_begun(py) && (is_only || exchange.declared(py) == Some(size as u64)) {
            exchange.send_last(py, Some(piece))?;
            exhaust(&mut pieces);
            return Ok(Rest::Close);
        }
        if here {
            exchange.begin_here(py)?;
            return Ok(Rest::Pieces(pieces, piece.clone()));
        }
        if !exchange.send(py, piece)? {
            return Ok(Rest::Close);
        }
    }
    let nothing = (!exchange.has_begun(py)).then(|| PyBytes::new(py, b""));
    exchange.send_last(py, nothing.as_ref())?;
    Ok(Rest::Close)
}

/// The whole body, where it is all there: of a list or tuple that isn't large.
fn whole<'py>(
    exchange: &Exchange,
    result: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = result.py();
    let list = match result.cast_exact::<PyList>() {
        Ok(list) if list.len() == 1 => {
            let piece = list.get_item(0)?;
            return Ok((!exchange.has_begun(py)).then_some(checked(&piece)?.clone()));
        }
        Ok(list) => list.to_tuple(),
        Err(_) => match result.cast_exact::<PyTuple>() {
            Ok(tuple) => tuple.clone(),
            Err(_) => return Ok(None),
        },
    };
    if exchange.has_begun(py) {
        return Ok(None);
    }
    let mut size = 0;
    for piece in list.iter() {
        size += checked(&piece)?.as_bytes().len();
    }
    if size > WHOLE_LIMIT {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(size);
    for piece in list.iter() {
        body.extend_from_slice(checked(&piece)?.as_bytes());
    }
    Ok(Some(PyBytes::new(py, &body)))
}

/// The response is complete; what the result still does is between it and the log.
fn exhaust(pieces: &mut Bound<'_, PyIterator>) {
    let py = pieces.py();
    for piece in pieces {
        match piece {
            Ok(piece) if piece.is_truthy().unwrap_or(true) => {
                return errors::warn_program(
                    py,
                    "a response was longer than its Content-Length; the rest was not sent",
                );
            }
            Ok(_) => {}
            Err(error) => return errors::log(py, "ending a WSGI application's result", error),
        }
    }
}

/// Call `close`, if there is one. Its mistakes are only logged: the response is over.
pub fn close(result: &Bound<'_, PyAny>) {
    let py = result.py();
    if result.is_exact_instance_of::<PyList>() {
        return;
    }
    match result.getattr_opt(intern!(py, "close")) {
        Ok(Some(close)) => errors::call(py, "closing a WSGI application's result", &close),
        Ok(None) => {}
        Err(error) => errors::log(py, "closing a WSGI application's result", error),
    }
}

/// The length of what has one, without asking things that have none for it.
fn length_of(object: &Bound<'_, PyAny>) -> Option<usize> {
    // SAFETY: the type of a live object is alive; its table of methods is only read.
    let has_length = unsafe {
        let methods = (*ffi::Py_TYPE(object.as_ptr())).tp_as_sequence;
        !methods.is_null() && (*methods).sq_length.is_some()
    };
    // An application's mistake in `__len__` is no concern of the response.
    has_length.then(|| object.len().ok()).flatten()
}

/// The pieces of an application's result, for the engine to take; closes the result at the end.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Pieces {
    errors: Py<ErrorStream>,
    parts: Lock<Option<Parts>>,
}

struct Parts {
    exchange: Arc<Exchange>,
    result: Py<PyAny>,
    iterator: Py<PyIterator>,
    first: Option<Py<PyBytes>>,
}

impl Pieces {
    /// The first piece, and what the iterator gives.
    pub fn new(
        exchange: Arc<Exchange>,
        result: Bound<'_, PyAny>,
        iterator: Bound<'_, PyIterator>,
        first: Bound<'_, PyBytes>,
        errors: Py<ErrorStream>,
    ) -> Self {
        let parts = Parts {
            exchange,
            result: result.unbind(),
            iterator: iterator.unbind(),
            first: Some(first.unbind()),
        };
        Self {
            errors,
            parts: Lock::new(Some(parts)),
        }
    }

    fn next_piece<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let iterator = {
            let mut parts = self.parts.lock(py);
            let Some(parts) = parts.as_mut() else {
                return Ok(None);
            };
            if let Some(first) = parts.first.take() {
                return Ok(Some(first.into_bound(py)));
            }
            parts.iterator.clone_ref(py)
        };
        for piece in iterator.into_bound(py) {
            let piece = piece?;
            let piece = checked(&piece)?;
            if !piece.as_bytes().is_empty() {
                return Ok(Some(piece.clone()));
            }
        }
        Ok(None)
    }
}

#[pymethods]
impl Pieces {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let next = self.next_piece(py);
        if !matches!(next, Ok(Some(_))) {
            self.close(py);
        }
        next
    }

    /// Close the result, once.
    fn close(&self, py: Python<'_>) {
        let parts = self.parts.lock(py).take();
        if let Some(parts) = parts {
            close(parts.result.bind(py));
            parts.exchange.end(py);
            let logged = self.errors.get().end_line(py);
            errors::log_if_failed(py, "logging what a WSGI application wrote", logged);
        }
    }
}
