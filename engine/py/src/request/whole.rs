//! Responses that are given whole: bytes, a file, an `Answer`.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;

use super::output::{after, default_type, headers, plan_if_first};
use super::{coded, Request};
use crate::answer::{Answer, AnswerBody};
use crate::coding::{Body, Extent};
use crate::conn::{Conn, DefaultType, HeadPlan, Piece};
use crate::file_body::{FileBody, Part};
use crate::source;

/// What a render method returned, as the rest of the response.
pub fn respond_whole(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    data: &Bound<'_, PyAny>,
    bytes: &[u8],
) -> PyResult<()> {
    respond_bytes(conn, request, data, bytes, &Extent::Whole(bytes))
}

/// As `respond_whole`; `extent` is that of `bytes`.
fn respond_bytes(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    data: &Bound<'_, PyAny>,
    bytes: &[u8],
    extent: &Extent<'_>,
) -> PyResult<()> {
    let py = request.py();
    let (started, encoder) = begun(request);
    if let Some(encoder) = encoder {
        return coded::whole(conn, request, encoder.bind(py), bytes);
    }
    let plan = plan_if_first(request, started, extent)?;
    let outcome = match coded_form(&plan) {
        Some(coded) => conn.put(request, plan, Piece::own(&coded), true),
        None if matches!(&plan, Some(plan) if matches!(plan.body, Body::Coded(_))) => {
            let slices = coded::slices(data, bytes)?;
            return coded::stream(conn, request, plan, &slices);
        }
        None => conn.put(request, plan, Piece::of(data, bytes), true),
    };
    after(request, conn, outcome);
    Ok(())
}

/// Whether the head is out, and the program's encoder.
fn begun(request: &Bound<'_, Request>) -> (bool, Option<Py<PyAny>>) {
    let py = request.py();
    let state = request.get().lock(py);
    (state.started, state.encoder(py))
}

/// The body in the form in which it goes out, if it was coded whole.
fn coded_form(plan: &Option<HeadPlan<'_>>) -> Option<Bytes> {
    match plan.as_ref().map(|plan| &plan.body) {
        Some(Body::Whole(coded)) => Some(coded.clone()),
        _ => None,
    }
}

/// A body that is in a file, as the rest of the response.
pub fn respond_file(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    body: &Bound<'_, FileBody>,
) -> PyResult<()> {
    let length = body.get().len(request.py());
    respond_span(conn, request, body, &Extent::Length(length))
}

/// As `respond_file`; `extent` is that of `body`.
fn respond_span(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    body: &Bound<'_, FileBody>,
    extent: &Extent<'_>,
) -> PyResult<()> {
    let py = request.py();
    let (started, encoder) = begun(request);
    if encoder.is_some() {
        return source::start(request, body.as_any());
    }
    let plan = plan_if_first(request, started, extent)?;
    let outcome = match plan.as_ref().map(|plan| &plan.body) {
        Some(Body::Coded(_)) => return coded::stream(conn, request, plan, body.as_any()),
        Some(Body::Unsaid) => {
            drop(body.get().take(py));
            conn.put(request, plan, Piece::EMPTY, true)
        }
        Some(Body::Whole(coded)) => {
            drop(body.get().take(py));
            let coded = coded.clone();
            conn.put(request, plan, Piece::own(&coded), true)
        }
        // What was written before it has gone into an encoder.
        None if conn.lock(py).encodes() => return source::start(request, body.as_any()),
        _ => {
            let length = body.get().len(py);
            conn.put_file(request, plan, length, body.get().take(py), true)
        }
    };
    after(request, conn, outcome);
    Ok(())
}

/// An `Answer`: code, fields and body at once, as if the program had set each.
pub fn respond_answer(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    answer: &Answer,
) -> PyResult<()> {
    let py = request.py();
    let plain = {
        let mut state = request.get().lock(py);
        if !state.started {
            state.code = answer.code;
            state.message = None;
        }
        let untouched = state.response_headers.is_none() && state.extra_fields.is_none();
        let codes = conn.service.get().codes();
        !state.started && untouched && state.rare.is_none() && !codes
    };
    let default_type = if answer.fields.contains(b"content-type") {
        DefaultType::Nothing
    } else {
        default_type(request)?
    };
    let custom = conn.service.get().custom_output;
    if !plain || custom || matches!(default_type, DefaultType::Other(_)) {
        let headers = headers(request.get(), py)?;
        let fields = answer.fields.clone();
        headers.get().lock(py).set_all(fields);
        return respond_as_set(conn, request, answer);
    }
    let last = conn.service.get().is_draining();
    let plan = HeadPlan {
        default_type,
        lines: Some(&answer.lines),
        last,
        body: Body::Plain,
        length: None,
    };
    let outcome = match &answer.body {
        AnswerBody::Bytes(body) => {
            let body = body.bind(py);
            let piece = Piece::of(body.as_any(), body.as_bytes());
            conn.put(request, Some(plan), piece, true)
        }
        AnswerBody::File(span) => {
            let parts = [Part::from(span.clone())];
            conn.put_file(request, Some(plan), span.len(), parts, true)
        }
    };
    after(request, conn, outcome);
    Ok(())
}

/// The body of an `Answer` whose fields are among the response's already.
fn respond_as_set(conn: &Arc<Conn>, request: &Bound<'_, Request>, answer: &Answer) -> PyResult<()> {
    let py = request.py();
    let custom = conn.service.get().custom_output;
    match &answer.body {
        AnswerBody::Bytes(body) => {
            let body = body.bind(py);
            let (data, bytes) = (body.as_any(), body.as_bytes());
            if custom {
                return crate::dispatch::respond_whole(conn, request, data, bytes, None);
            }
            let extent = Extent::Kept(bytes, &answer.forms);
            respond_bytes(conn, request, data, bytes, &extent)
        }
        AnswerBody::File(span) => {
            let body = Bound::new(py, FileBody::from(span.clone()))?;
            if custom {
                return crate::dispatch::respond_file(conn, request, &body, None);
            }
            respond_span(conn, request, &body, &Extent::KeptFile(span, &answer.forms))
        }
    }
}
