//! Bodies that go through an encoder of the program's own, and large ones that are coded in slices.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::output::after;
use super::whole::respond_whole;
use super::Request;
use crate::coding::Slices;
use crate::conn::{Conn, HeadPlan, Piece};
use crate::source;
use crate::text::body_bytes;

/// What the program's encoder makes of a piece of body.
pub fn piece(
    request: &Bound<'_, Request>,
    encoder: &Bound<'_, PyAny>,
    bytes: &[u8],
) -> PyResult<Bytes> {
    let py = request.py();
    request.get().lock(py).taken += bytes.len() as u64;
    let data = PyBytes::new(py, bytes);
    let coded = encoder.call_method1(intern!(py, "encode"), (data,));
    let coded = coded.and_then(|coded| Ok(Bytes::from(body_bytes(&coded)?.into_owned())));
    told(request, coded)
}

/// What it still has; it is not asked again.
pub fn end(request: &Bound<'_, Request>, encoder: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let coded = encoder.call_method0(intern!(request.py(), "finish"));
    let coded = coded.and_then(|coded| Ok(Bytes::from(body_bytes(&coded)?.into_owned())));
    let coded = told(request, coded)?;
    forget(request);
    Ok(coded)
}

/// A whole body through the program's encoder.
pub fn whole(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    encoder: &Bound<'_, PyAny>,
    bytes: &[u8],
) -> PyResult<()> {
    let first = piece(request, encoder, bytes)?;
    let rest = end(request, encoder)?;
    let all = PyBytes::new(request.py(), &[first, rest].concat());
    respond_whole(conn, request, all.as_any(), all.as_bytes())
}

/// The length that the program has told is not that of what is sent. After a failure the encoder is not asked again:
/// the page that tells of it goes out as it is.
fn told(request: &Bound<'_, Request>, coded: PyResult<Bytes>) -> PyResult<Bytes> {
    let py = request.py();
    let failed = coded.is_err();
    if !request.get().lock(py).started {
        request.get().change_response(py, |map| {
            map.remove(b"content-length");
            if failed {
                map.remove(b"content-encoding");
            }
        });
    }
    if failed {
        forget(request);
    }
    coded
}

fn forget(request: &Bound<'_, Request>) {
    let old = request.get().lock(request.py()).rare().encoder.take();
    drop(old);
}

/// A large body in slices.
pub fn slices<'py>(data: &Bound<'py, PyAny>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let body = match data.cast_exact::<PyBytes>() {
        Ok(body) => body.clone(),
        Err(_) => PyBytes::new(data.py(), bytes),
    };
    Ok(Bound::new(data.py(), Slices::new(body.unbind()))?.into_any())
}

/// The head now, and the chunks of an iterator as the turns go by.
pub fn stream(
    conn: &Arc<Conn>,
    request: &Bound<'_, Request>,
    plan: Option<HeadPlan<'_>>,
    chunks: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let outcome = conn.put(request, plan, Piece::EMPTY, false);
    after(request, conn, outcome);
    source::start(request, chunks)
}
