//! What goes out: status, headers, body, interim responses, producers.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMapping, PyTuple};
use smallvec::smallvec;

use super::{coded, Request};
use crate::clock;
use crate::coding::{self, Body, Extent};
use crate::conn::{Conn, DefaultType, HeadPlan, Outcome, Piece};
use crate::errors;
use crate::headers::{name_of, value_of, HeaderMap, Headers};
use crate::kinds::has_no_attributes;
use crate::service::Service;
use crate::text::{body_bytes, bytes_of, type_name, Encoding};

/// Set the status; ValueError for what can't be a final answer, or a reason that can't be sent.
pub fn set_response_code(
    request: &Request,
    code: &Bound<'_, PyAny>,
    message: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let py = code.py();
    let code = final_code(code)?;
    let message = match message {
        None => None,
        Some(message) => {
            let bytes = bytes_of(message, Encoding::Utf8, "the reason")?;
            if bytes
                .iter()
                .any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f)
            {
                return Err(PyValueError::new_err(format!(
                    "the reason {:?} has a control character, which can't be sent (RFC 9112 section 4)",
                    String::from_utf8_lossy(&bytes)
                )));
            }
            Some(bytes.into_owned().into_boxed_slice())
        }
    };
    let mut state = request.lock(py);
    state.code = code;
    state.message = message;
    Ok(())
}

fn final_code(code: &Bound<'_, PyAny>) -> PyResult<u16> {
    if code.is_instance_of::<pyo3::types::PyBool>() || !code.is_instance_of::<pyo3::types::PyInt>()
    {
        return Err(PyTypeError::new_err(format!(
            "a response code must be an int, not {}",
            type_name(code)
        )));
    }
    match code.extract::<u16>() {
        Ok(code @ 200..=999) => Ok(code),
        Ok(code @ 100..=199) => Err(PyValueError::new_err(format!(
            "{code} can't be a final answer: interim responses are sent with writeInterim (RFC 9110 section 15.2)"
        ))),
        _ => Err(PyValueError::new_err(format!(
            "a response code must be from 200 to 999, not {}",
            code.str()?
        ))),
    }
}

/// The response's header fields as an object, made with the stock ones when first asked for.
pub fn headers(request: &Request, py: Python<'_>) -> PyResult<Py<Headers>> {
    let extra = {
        let mut state = request.lock(py);
        if let Some(headers) = &state.response_headers {
            return Ok(headers.clone_ref(py));
        }
        state.extra_fields.take()
    };
    let mut map = HeaderMap::default();
    map.set_one(b"Server", crate::SERVER.as_bytes().into());
    map.set_one(b"Date", clock::http_date().to_vec().into());
    if let Some(extra) = extra {
        map.set_all(extra);
    }
    let headers = Headers::wrap(py, map)?;
    let mut state = request.lock(py);
    Ok(state.response_headers.get_or_insert(headers).clone_ref(py))
}

/// Replace all values of a response header by one.
pub fn set_header(
    request: &Request,
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = name.py();
    let name = name_of(name)?;
    let value = value_of(value)?;
    let stock = name.eq_ignore_ascii_case(b"server") || name.eq_ignore_ascii_case(b"date");
    if !stock {
        let mut state = request.lock(py);
        if state.response_headers.is_none() {
            state
                .extra_fields
                .get_or_insert_default()
                .set_one(&name, value);
            return Ok(());
        }
    }
    headers(request, py)?.get().lock(py).set_one(&name, value);
    Ok(())
}

/// Find what the head needs besides what the program has set; brings what it has set by other means than headers into
/// them.
fn plan_head(request: &Bound<'_, Request>, extent: &Extent<'_>) -> PyResult<HeadPlan<'static>> {
    let py = request.py();
    let (has_rare, has_type, draining, codes) = {
        let state = request.get().lock(py);
        let typed = |map: &HeaderMap| {
            map.contains(b"content-type") || map.last(b"content-length") == Some(b"0")
        };
        let has_type = match &state.response_headers {
            Some(headers) => typed(&headers.get().lock(py)),
            None => state.extra_fields.as_ref().is_some_and(typed),
        };
        let service = state.conn.as_ref().map(|c| c.service.get());
        let draining = service.is_some_and(Service::is_draining);
        let has_rare = state.rare.is_some();
        let codes = has_rare || service.is_some_and(Service::codes);
        (has_rare, has_type, draining, codes)
    };
    if has_rare {
        bring_into_headers(request.get(), py)?;
    }
    let default_type = if has_type {
        DefaultType::Nothing
    } else {
        default_type(request)?
    };
    let body = if codes {
        coding::decide(request, extent, &default_type)
    } else {
        Body::Plain
    };
    Ok(HeadPlan {
        default_type,
        lines: None,
        last: draining,
        body,
        length: None,
    })
}

/// The plan for the head, unless it is out already.
pub(super) fn plan_if_first(
    request: &Bound<'_, Request>,
    started: bool,
    extent: &Extent<'_>,
) -> PyResult<Option<HeadPlan<'static>>> {
    if started {
        return Ok(None);
    }
    plan_head(request, extent).map(Some)
}

/// `defaultContentType`, which a program may set on a class or on one request.
pub(super) fn default_type(request: &Bound<'_, Request>) -> PyResult<DefaultType> {
    let py = request.py();
    let ask = || request.getattr(intern!(py, "defaultContentType"));
    let is_html = |value: &Bound<'_, PyAny>| {
        value
            .cast::<PyBytes>()
            .is_ok_and(|bytes| bytes.as_bytes() == b"text/html")
    };
    let service = {
        let state = request.get().lock(py);
        let conn = state.conn.as_ref();
        conn.map(|conn| conn.service.bind(py).clone())
    };
    if let Some(service) = service.filter(|s| s.get().plain_factory) {
        let stock = has_no_attributes(request.as_any())
            && service
                .get()
                .is_html_by_default(request, || Ok(is_html(&ask()?)))?;
        if stock {
            return Ok(DefaultType::Html);
        }
    }
    let value = ask()?;
    Ok(if is_html(&value) {
        DefaultType::Html
    } else if value.is_none() {
        DefaultType::Nothing
    } else {
        DefaultType::Other(value_of(&value)?)
    })
}

/// `cookies`, `etag` and `lastModified` become header fields (section 1.7 of Twisted's behaviour).
fn bring_into_headers(request: &Request, py: Python<'_>) -> PyResult<()> {
    let (cookies, etag, last_modified) = {
        let state = request.lock(py);
        let Some(rare) = state.rare.as_ref() else {
            return Ok(());
        };
        (
            rare.cookies.as_ref().map(|c| c.clone_ref(py)),
            rare.etag.as_ref().map(|e| e.clone_ref(py)),
            rare.last_modified.as_ref().map(|l| l.clone_ref(py)),
        )
    };
    if let Some(cookies) = cookies {
        let cookies: &Bound<'_, PyList> = cookies.bind(py);
        if !cookies.is_empty() {
            let values = cookies
                .iter()
                .map(|c| value_of(&c))
                .collect::<PyResult<_>>()?;
            headers(request, py)?
                .get()
                .lock(py)
                .set(b"Set-Cookie", values);
        }
    }
    if let Some(etag) = etag {
        let value = value_of(etag.bind(py))?;
        headers(request, py)?.get().lock(py).set_one(b"ETag", value);
    }
    if let Some(last_modified) = last_modified {
        let seconds: u64 = last_modified.bind(py).extract()?;
        let headers = headers(request, py)?;
        let mut map = headers.get().lock(py);
        if !map.contains(b"last-modified") {
            map.set(
                b"Last-Modified",
                smallvec![sennit_wire::http_date(seconds).to_vec().into()],
            );
        }
    }
    Ok(())
}

/// The header fields that the program has set, if it has set any: for an answer that comes from another server.
pub fn set_fields(request: &Bound<'_, Request>) -> PyResult<Option<HeaderMap>> {
    let py = request.py();
    if request.get().lock(py).rare.is_some() {
        bring_into_headers(request.get(), py)?;
    }
    let state = request.get().lock(py);
    Ok(match (&state.response_headers, &state.extra_fields) {
        (Some(headers), _) => Some(headers.get().lock(py).clone()),
        (None, extra) => extra.clone(),
    })
}

/// The cookies that the program has set on the request, if there are any.
pub fn cookies(request: &Request, py: Python<'_>) -> Option<Py<PyList>> {
    let cookies = {
        let state = request.lock(py);
        let cookies = state.rare.as_ref()?.cookies.as_ref()?;
        cookies.clone_ref(py)
    };
    (!cookies.bind(py).is_empty()).then_some(cookies)
}

/// How far a response is, looked at before something is written.
struct SoFar {
    conn: Option<Arc<Conn>>,
    encoder: Option<Py<PyAny>>,
    started: bool,
    finished: bool,
    gated: bool,
}

fn so_far(request: &Bound<'_, Request>) -> SoFar {
    let py = request.py();
    let state = request.get().lock(py);
    SoFar {
        conn: state.live_conn(),
        encoder: state.encoder(py),
        started: state.started,
        finished: state.finished,
        gated: state.gated,
    }
}

/// `write`: body bytes, with the head before the first of them.
pub fn write(request: &Bound<'_, Request>, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = request.py();
    let bytes = body_bytes(data)?;
    let SoFar {
        conn,
        encoder,
        started,
        finished,
        gated,
    } = so_far(request);
    if finished {
        return Err(PyRuntimeError::new_err(
            "Request.write called after Request.finish",
        ));
    }
    let Some(conn) = conn else { return Ok(()) };
    if gated && !started {
        let name = intern!(py, "_gated_write");
        return request.call_method1(name, (data,)).map(drop);
    }
    let coded = encoder.map(|encoder| coded::piece(request, encoder.bind(py), &bytes));
    let coded = coded.transpose()?;
    let plan = plan_if_first(request, started, &Extent::Unknown)?;
    let piece = match &coded {
        Some(coded) => Piece::own(coded),
        None => Piece::of(data, &bytes),
    };
    let outcome = conn.put(request, plan, piece, false);
    after(request, &conn, outcome);
    Ok(())
}

/// `finish`: the response is complete.
pub fn finish(request: &Bound<'_, Request>) -> PyResult<()> {
    let py = request.py();
    let SoFar {
        conn,
        encoder,
        started,
        finished,
        gated,
    } = so_far(request);
    if finished {
        let text = intern!(
            py,
            "Request.finish called twice: the second call does nothing"
        );
        let warn = py
            .import(intern!(py, "warnings"))?
            .getattr(intern!(py, "warn"))?;
        warn.call1((text, py.get_type::<pyo3::exceptions::PyUserWarning>(), 2))?;
        return Ok(());
    }
    let Some(conn) = conn else { return Ok(()) };
    if gated {
        return request.call_method0(intern!(py, "_gated_finish")).map(drop);
    }
    let end = match encoder {
        Some(encoder) => coded::end(request, encoder.bind(py))?,
        None => Bytes::new(),
    };
    let plan = plan_if_first(request, started, &Extent::Whole(&end))?;
    let outcome = conn.put(request, plan, Piece::own(&end), true);
    after(request, &conn, outcome);
    Ok(())
}

/// What an output operation leaves to be done outside of the lock.
pub fn after(request: &Bound<'_, Request>, conn: &Arc<Conn>, outcome: Outcome) {
    let py = request.py();
    if outcome.blocked {
        conn.hold_producer(py);
    }
    let queue = outcome.queue;
    conclude(request, conn, outcome);
    if queue {
        conn.queue(py);
    }
}

/// The part of `after` that any thread may do.
pub fn conclude(request: &Bound<'_, Request>, conn: &Arc<Conn>, outcome: Outcome) {
    let py = request.py();
    if let Some(failed) = outcome.failed {
        errors::warn_program(py, &format!("a response is cut off: {failed}"));
    }
    if outcome.overrun {
        errors::warn_program(
            py,
            "a response was longer than its Content-Length; the rest was not sent",
        );
    }
    if let Some(ended) = outcome.ended {
        if ended.short {
            errors::warn_program(
                py,
                "a response was shorter than its Content-Length; the connection is closed",
            );
        }
        if ended.waiting.as_ref().is_some_and(|w| w.producer.is_some()) {
            errors::warn_program(
                py,
                "a producer was still registered when its response was finished",
            );
        }
        if let Some(link) = ended.link {
            link.close(py);
        }
        request.get().ended(request, conn, ended.sink);
        drop(ended.waiting);
        // One that is bound is let go without a look at whether that is allowed here.
        drop(ended.request.into_bound(py));
    }
}

/// An interim response (RFC 9110 section 15.2): nothing for HTTP/1.0 or once the final head is out.
pub fn write_interim(
    request: &Bound<'_, Request>,
    code: u16,
    fields: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    if !(100..=199).contains(&code) || code == 101 {
        return Err(PyValueError::new_err(format!(
            "{code} is no interim response: use 100 or 102 to 199; 101 belongs to an upgrade"
        )));
    }
    let map = match fields {
        Some(fields) => fields_of(fields)?,
        None => HeaderMap::default(),
    };
    let py = request.py();
    let Some(conn) = request.get().conn(py) else {
        return Ok(());
    };
    {
        let mut guard = conn.lock(py);
        let state = &mut *guard;
        if !state.is_current(request) {
            return Ok(());
        }
        if code == 100 {
            state.facts.owes_continue = false;
        }
        if let Some(responder) = state.responder.as_mut() {
            responder.interim(
                state.out.tail(),
                code,
                sennit_wire::reason_phrase(code),
                map.iter(),
            );
        }
    }
    // An interim response is of use only if it goes out before the final one.
    conn.push(py);
    Ok(())
}

fn fields_of(fields: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let py = fields.py();
    if let Ok(headers) = fields.cast::<Headers>() {
        return Ok(headers.get().lock(py).clone());
    }
    let mut map = HeaderMap::default();
    let items = match fields.cast::<PyMapping>() {
        Ok(mapping) => mapping.items()?.into_any(),
        Err(_) => fields.clone(),
    };
    for item in items.try_iter()? {
        let item = item?;
        let pair = item.cast::<PyTuple>()?;
        let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
        if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            for one in value.try_iter()? {
                map.add(&name_of(&name)?, value_of(&one?)?);
            }
        } else {
            map.add(&name_of(&name)?, value_of(&value)?);
        }
    }
    Ok(map)
}

/// A field to be sent after the body, if that is chunked (RFC 9110 section 6.5).
pub fn set_trailer(
    request: &Request,
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = name.py();
    let name = name_of(name)?;
    let value = value_of(value)?;
    request
        .lock(py)
        .rare()
        .trailers
        .get_or_insert_default()
        .set_one(&name, value);
    Ok(())
}

/// Register a producer; see section 5 of Twisted's behaviour.
pub fn register_producer(
    request: &Bound<'_, Request>,
    producer: Py<PyAny>,
    streaming: bool,
) -> PyResult<()> {
    let py = request.py();
    let Some(conn) = request.get().conn(py) else {
        // The client has left, or the response is finished: there is nothing to produce for.
        producer
            .bind(py)
            .call_method0(intern!(py, "stopProducing"))?;
        return Ok(());
    };
    let gated = {
        let state = request.get().lock(py);
        state.gated && !state.started
    };
    if gated {
        let name = intern!(py, "_gated_producer");
        return request.call_method1(name, (producer, streaming)).map(drop);
    }
    let pause = {
        let mut state = conn.lock(py);
        if !state.is_current(request) {
            return Ok(());
        }
        if state.waiting().producer.is_some() {
            return Err(PyValueError::new_err(
                "a producer is registered already: unregister it first",
            ));
        }
        let pause = streaming && state.facts.blocked;
        if !streaming {
            // To be asked as soon as the turn ends, as if the buffer had just drained.
            state.facts.blocked = true;
        }
        state.facts.paused = pause;
        state.waiting().producer = Some((producer.clone_ref(py), streaming));
        pause
    };
    if pause {
        producer
            .bind(py)
            .call_method0(intern!(py, "pauseProducing"))?;
    }
    conn.queue_unlocked(py);
    Ok(())
}

/// Forget the producer.
pub fn unregister_producer(request: &Bound<'_, Request>) {
    let py = request.py();
    let Some(conn) = request.get().conn(py) else {
        return;
    };
    let producer = {
        let mut state = conn.lock(py);
        if state.is_current(request) {
            state.waiting.as_mut().and_then(|w| w.producer.take())
        } else {
            None
        }
    };
    drop(producer);
}

/// Call `callback` once the buffer has drained, or the client has left: at once if that is so already.
pub fn on_drain(request: &Bound<'_, Request>, callback: Option<Py<PyAny>>) -> PyResult<()> {
    let py = request.py();
    let waits = match (request.get().conn(py), &callback) {
        (Some(conn), Some(callback)) => {
            let mut state = conn.lock(py);
            let waits = state.is_current(request) && state.facts.blocked;
            let old = if waits {
                state.waiting().on_drain.replace(callback.clone_ref(py))
            } else {
                None
            };
            drop(state);
            drop(old);
            waits
        }
        _ => false,
    };
    match callback {
        Some(callback) if !waits => callback.bind(py).call0().map(drop),
        _ => Ok(()),
    }
}

/// The value of `code_message`.
pub fn code_message<'py>(request: &Request, py: Python<'py>) -> Bound<'py, PyBytes> {
    let reason = request.lock(py).reason().to_vec();
    PyBytes::new(py, &reason)
}
