//! What came in: lists of the path, headers, content, the body as a stream.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::Arc;

use pyo3::exceptions::PyConnectionError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::{Body, Request};
use crate::conn::Sink;
use crate::errors;
use crate::headers::{HeaderMap, Headers};
use crate::text::percent_decoded;

/// Which of the two lists of path segments.
#[derive(Clone, Copy)]
pub enum Side {
    /// Those that traversal has consumed.
    Before,
    /// Those that are left.
    After,
}

/// `prepath` or `postpath`; both become lists when either is asked for.
pub fn path_list(request: &Request, py: Python<'_>, side: Side) -> PyResult<Py<PyList>> {
    let (segments, depth) = {
        let state = request.lock(py);
        let list = match side {
            Side::Before => &state.prepath,
            Side::After => &state.postpath,
        };
        if let Some(list) = list {
            return Ok(list.clone_ref(py));
        }
        let segments: Vec<Vec<u8>> = if state.head.is_some() {
            state
                .raw_segments()
                .map(|s| percent_decoded(s).into_owned())
                .collect()
        } else {
            Vec::new()
        };
        (segments, state.depth)
    };
    let (before, after) = segments.split_at(depth.min(segments.len()));
    let list = |part: &[Vec<u8>]| {
        PyList::new(py, part.iter().map(|s| PyBytes::new(py, s))).map(Bound::unbind)
    };
    let (before, after) = (list(before)?, list(after)?);
    let mut state = request.lock(py);
    state.prepath.get_or_insert(before);
    state.postpath.get_or_insert(after);
    let list = match side {
        Side::Before => &state.prepath,
        Side::After => &state.postpath,
    };
    Ok(list
        .as_ref()
        .map_or_else(|| PyList::empty(py).unbind(), |list| list.clone_ref(py)))
}

/// The request's header fields.
pub fn headers(request: &Request, py: Python<'_>) -> PyResult<Py<Headers>> {
    let map = {
        let state = request.lock(py);
        if let Some(headers) = &state.request_headers {
            return Ok(headers.clone_ref(py));
        }
        match &state.head {
            Some(head) => HeaderMap::from_fields(head.fields()),
            None => HeaderMap::default(),
        }
    };
    let headers = Headers::wrap(py, map)?;
    let mut state = request.lock(py);
    Ok(state.request_headers.get_or_insert(headers).clone_ref(py))
}

/// The body as a file object, positioned at its beginning when first asked for; `None` once the request is over.
pub fn content(request: &Request, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    let body = {
        let mut state = request.lock(py);
        if let Some(content) = &state.content {
            return Ok(Some(content.clone_ref(py)));
        }
        if state.detached || state.conn.is_none() {
            return Ok(None);
        }
        std::mem::replace(&mut state.body, Body::Nothing)
    };
    let in_memory = matches!(body, Body::Nothing | Body::Memory(_));
    let content = match body {
        Body::Nothing => bytes_io(py, b"")?,
        Body::Memory(bytes) => bytes_io(py, &bytes)?,
        Body::File(mut file) => {
            std::io::Seek::rewind(&mut file)?;
            let fd = OwnedFd::from(file).into_raw_fd();
            let open = py
                .import(intern!(py, "os"))?
                .getattr(intern!(py, "fdopen"))?;
            open.call1((fd, intern!(py, "w+b")))?
        }
        Body::Given(file) => {
            let file = file.into_bound(py);
            file.call_method1(intern!(py, "seek"), (0,))?;
            file
        }
    };
    let mut state = request.lock(py);
    state.content_in_memory = in_memory;
    Ok(Some(
        state.content.get_or_insert(content.unbind()).clone_ref(py),
    ))
}

fn bytes_io<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    use pyo3::sync::PyOnceLock;
    use pyo3::types::PyType;
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS
        .import(py, "io", "BytesIO")?
        .call1((PyBytes::new(py, bytes),))
}

/// The next piece of a streamed body; see `_engine.pyi`.
pub fn read_body(request: &Bound<'_, Request>) -> PyResult<Option<Py<PyBytes>>> {
    let py = request.py();
    let Some(conn) = request.get().conn(py) else {
        if request.get().lock(py).lost {
            return Err(PyConnectionError::new_err("the client has left"));
        }
        return Ok(Some(PyBytes::new(py, b"").unbind()));
    };
    enum Found {
        Piece(Vec<u8>),
        End,
        Refused(u16),
        Wait,
        Whole,
    }
    let (found, continues) = {
        let mut state = conn.lock(py);
        if !state.is_current(request) {
            return Ok(Some(PyBytes::new(py, b"").unbind()));
        }
        let complete = state.facts.body_complete;
        state.facts.reading = true;
        let found = match &mut state.sink {
            Sink::Stream(buffer) if !buffer.is_empty() => Found::Piece(std::mem::take(buffer)),
            Sink::Stream(_) if !complete => Found::Wait,
            Sink::Stream(_) => Found::End,
            Sink::Refused(status) => Found::Refused(*status),
            _ => Found::Whole,
        };
        (found, state.facts.owes_continue)
    };
    match found {
        Found::Piece(piece) => {
            // There is room again: what TCP has held back may come.
            conn.queue_unlocked(py);
            Ok(Some(PyBytes::new(py, &piece).unbind()))
        }
        Found::Wait => {
            if continues {
                conn.send_continue(py);
            }
            Ok(None)
        }
        Found::End => Ok(Some(PyBytes::new(py, b"").unbind())),
        Found::Refused(status) => Err(errors::http_error(py, status)),
        Found::Whole => rest_of_content(request),
    }
}

/// A resource that doesn't declare `streamsBody` may still read its collected body as a stream.
fn rest_of_content(request: &Bound<'_, Request>) -> PyResult<Option<Py<PyBytes>>> {
    /// As much as a socket would give at a time.
    const PIECE: usize = 64 << 10;
    let py = request.py();
    let Some(content) = content(request.get(), py)? else {
        return Ok(Some(PyBytes::new(py, b"").unbind()));
    };
    let piece = content
        .bind(py)
        .call_method1(intern!(py, "read"), (PIECE,))?;
    Ok(Some(piece.cast_into::<PyBytes>()?.unbind()))
}

/// Call `callback` once `read_body` has news: at once if it has some already, or if the client has left.
pub fn on_body(request: &Bound<'_, Request>, callback: Option<Py<PyAny>>) -> PyResult<()> {
    let py = request.py();
    let (now, old) = match request.get().conn(py) {
        Some(conn) => {
            let mut state = conn.lock(py);
            if !state.is_current(request) {
                return Ok(());
            }
            let news = matches!(&state.sink, Sink::Stream(buffer) if !buffer.is_empty());
            let (now, later) = if news {
                (callback, None)
            } else {
                (None, callback)
            };
            (now, std::mem::replace(&mut state.waiting().on_body, later))
        }
        None => (callback, None),
    };
    drop(old);
    match now {
        Some(callback) => callback.bind(py).call0().map(drop),
        None => Ok(()),
    }
}

/// The `channel` of a request: its connection, as long as it has one.
pub fn channel(request: &Request, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    let conn = {
        let state = request.lock(py);
        if let Some(channel) = state.rare.as_ref().and_then(|rare| rare.channel.as_ref()) {
            return Ok(Some(channel.clone_ref(py)));
        }
        state
            .conn
            .as_ref()
            .filter(|_| !state.detached)
            .map(Arc::clone)
    };
    match conn {
        Some(conn) => Ok(Some(
            crate::connection::Connection::wrap(py, conn)?.unbind(),
        )),
        None => Ok(None),
    }
}
