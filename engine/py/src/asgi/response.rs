//! From an application's messages to a response's bytes.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use sennit_net::FileSpan;

use super::awaitable::sent;
use super::exchange::{says, Exchange, Phase};
use crate::coding::Body;
use crate::conn::{Conn, DefaultType, HeadPlan, Piece};
use crate::dispatch;
use crate::file_body::{FileBody, Part};
use crate::headers::HeaderMap;
use crate::request::{output, Request, RequestState, Standing};
use crate::text::{body_bytes, type_name};

/// What `http.response.start` says.
pub struct Head {
    code: u16,
    /// The fields as they stand on the wire, except those that the engine has a say in.
    lines: Vec<u8>,
    /// Content-Length.
    pub length: Option<u64>,
    /// `Connection: close`.
    close: bool,
    /// Server, Date, and what else Connection may say: names and values.
    special: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Fields of the connection, which are the engine's business and not sent for an application.
const DROPPED: [&[u8]; 4] = [
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"transfer-encoding",
];

impl Head {
    fn of(message: &Bound<'_, PyDict>) -> PyResult<Self> {
        let py = message.py();
        let mut head = Self {
            code: status_of(message)?,
            lines: Vec::with_capacity(192),
            length: None,
            close: false,
            special: Vec::new(),
        };
        if let Some(headers) = message.get_item(intern!(py, "headers"))? {
            each_field(&headers, |name, value| head.take(name, value))?;
        }
        Ok(head)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> PyResult<()> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"date") => self.special.push((name.to_vec(), value.to_vec())),
            6 if is(b"server") => self.special.push((name.to_vec(), value.to_vec())),
            10 if is(b"connection") => self.take_connection(value),
            14 if is(b"content-length") => return self.take_length(value),
            2 | 10 | 16 | 17 if DROPPED.iter().any(|dropped| is(dropped)) => {}
            _ => push_line(&mut self.lines, name, value),
        }
        Ok(())
    }

    fn take_connection(&mut self, value: &[u8]) {
        for member in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            if member.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if !member.eq_ignore_ascii_case(b"keep-alive") && !member.is_empty() {
                self.special.push((b"Connection".to_vec(), member.to_vec()));
            }
        }
    }

    fn take_length(&mut self, value: &[u8]) -> PyResult<()> {
        let length = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse().ok());
        match length {
            Some(length) if self.length.is_none_or(|known| known == length) => {
                self.length = Some(length);
                Ok(())
            }
            _ => Err(PyValueError::new_err(format!(
                "{:?} can't be the content-length of an ASGI response",
                String::from_utf8_lossy(value)
            ))),
        }
    }

    /// How `conn` is to put it out, where it goes there as it is.
    pub fn plan(&self, conn: &Conn) -> HeadPlan<'_> {
        HeadPlan {
            default_type: DefaultType::Nothing,
            lines: Some(&self.lines),
            last: conn.service.get().is_draining() || self.close,
            body: Body::Plain,
            length: self.length,
        }
    }

    /// Whether a body follows for whoever asks with another method than HEAD.
    fn has_body(&self) -> bool {
        !matches!(self.code, 204 | 205 | 304)
    }

    /// The fields, without the length.
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self
            .lines
            .split(|b| *b == b'\n')
            .filter_map(|line| line.strip_suffix(b"\r"))
            .filter_map(|line| {
                let colon = line.iter().position(|b| *b == b':')?;
                Some((line.get(..colon)?, line.get(colon + 2..)?))
            });
        lines.chain(self.special.iter().map(|(n, v)| (&n[..], &v[..])))
    }

    /// The values of Set-Cookie.
    fn cookies(&self) -> Vec<&[u8]> {
        let cookies = self.fields().filter(|(name, _)| is_set_cookie(name));
        cookies.map(|(_, value)| value).collect()
    }

    /// Add all fields but cookies to those that resources above have set; what the application sets goes first.
    fn merge_into(&self, map: &mut HeaderMap) {
        for (name, _) in self.fields().filter(|(name, _)| !is_set_cookie(name)) {
            map.remove(name);
        }
        for (name, value) in self.fields().filter(|(name, _)| !is_set_cookie(name)) {
            map.add(name, value.to_vec().into());
        }
        if self.close {
            map.add(b"Connection", b"close".as_slice().into());
        }
        if let Some(length) = self.length {
            map.set_one(b"Content-Length", length.to_string().into_bytes().into());
        }
    }
}

fn is_set_cookie(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"set-cookie")
}

fn push_line(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for piece in [name, b": ", value, b"\r\n"] {
        lines.extend_from_slice(piece);
    }
}

fn status_of(message: &Bound<'_, PyDict>) -> PyResult<u16> {
    let status = message.get_item(intern!(message.py(), "status"))?;
    let code = status.as_ref().and_then(|status| status.extract().ok());
    match code {
        Some(code @ 200..=999) => Ok(code),
        _ => Err(PyValueError::new_err(format!(
            "the status of an ASGI response is an int from 200 to 999, not {}",
            match &status {
                Some(status) => status.repr()?.to_string(),
                None => "missing".to_owned(),
            }
        ))),
    }
}

/// Give each name and value to `take`. ValueError for what could be taken for more than one field.
fn each_field(
    headers: &Bound<'_, PyAny>,
    mut take: impl FnMut(&[u8], &[u8]) -> PyResult<()>,
) -> PyResult<()> {
    let mut one = |item: &Bound<'_, PyAny>| {
        if let Ok(pair) = item.cast_exact::<PyTuple>() {
            if pair.len() == 2 {
                return field(&pair.get_item(0)?, &pair.get_item(1)?, &mut take);
            }
        }
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair_of(item)?;
        field(&name, &value, &mut take)
    };
    if let Ok(list) = headers.cast_exact::<PyList>() {
        return list.iter().try_for_each(|item| one(&item));
    }
    headers.try_iter()?.try_for_each(|item| one(&item?))
}

fn pair_of<'py>(item: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let members = item.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    match <[Bound<'py, PyAny>; 2]>::try_from(members) {
        Ok([name, value]) => Ok((name, value)),
        Err(_) => Err(PyValueError::new_err(format!(
            "a header of an ASGI response is a pair of bytes, not {}",
            item.repr()?
        ))),
    }
}

fn field(
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    take: &mut impl FnMut(&[u8], &[u8]) -> PyResult<()>,
) -> PyResult<()> {
    let (Ok(name), Ok(value)) = (name.cast::<PyBytes>(), value.cast::<PyBytes>()) else {
        return Err(PyTypeError::new_err(format!(
            "a header of an ASGI response is a pair of bytes, not of {} and {}",
            type_name(name),
            type_name(value)
        )));
    };
    let (name, value) = (name.as_bytes(), value.as_bytes());
    // RFC 9110 sections 5.1 and 5.5.
    if !sennit_wire::is_token(name) || memchr::memchr3(b'\r', b'\n', 0, value).is_some() {
        return Err(PyValueError::new_err(format!(
            "{:?}: {:?} can't be a header of an ASGI response",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        )));
    }
    take(name, value)
}

/// `http.response.start`: kept until there is something of the body.
pub fn start(exchange: &Bound<'_, Exchange>, message: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let head = Head::of(message)?;
    let announces_trailers = says(message, intern!(py, "trailers"))?;
    let mut state = exchange.get().lock(py);
    state.announces_trailers = announces_trailers;
    state.phase = Phase::Head(Box::new(head));
    drop(state);
    sent(py)
}

/// `http.response.body`.
pub fn body(exchange: &Bound<'_, Exchange>, message: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let data = message.get_item(intern!(py, "body"))?;
    let last = !says(message, intern!(py, "more_body"))?;
    let sent_length = match &data {
        None => put(exchange, None, b"", last, None)?,
        Some(data) => match data.cast::<PyBytes>() {
            Ok(bytes) => put(exchange, Some(data), bytes.as_bytes(), last, None)?,
            Err(_) if data.is_instance_of::<PyString>() => {
                return Err(PyTypeError::new_err(
                    "the body of an ASGI response is bytes, not str",
                ));
            }
            Err(_) => put(exchange, None, &body_bytes(data)?, last, None)?,
        },
    };
    if last && !matches!(exchange.get().lock(py).phase, Phase::Trailers) {
        return sent(py);
    }
    Exchange::after_sending(exchange, sent_length)
}

/// `http.response.trailers`.
pub fn trailers(
    exchange: &Bound<'_, Exchange>,
    message: &Bound<'_, PyDict>,
) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let mut fields = Vec::new();
    if let Some(headers) = message.get_item(intern!(py, "headers"))? {
        each_field(&headers, |name, value| {
            fields.push((name.to_vec(), value.to_vec()));
            Ok(())
        })?;
    }
    let more = says(message, intern!(py, "more_trailers"))?;
    let this = exchange.get();
    {
        let mut state = this.lock(py);
        for (name, value) in fields {
            state.trailers.add(&name, value.into());
        }
    }
    if !more {
        let request = this.request(py);
        // Only for a client that has said that it takes them.
        let takes = request.get().with_head(py, |head| {
            head.field(b"te")
                .is_some_and(|te| te.split(|b| *b == b',').any(is_trailers))
        });
        if takes {
            let trailers = std::mem::take(&mut this.lock(py).trailers);
            let mut state = request.get().lock(py);
            state.rare.get_or_insert_default().trailers = Some(trailers);
        }
        finish(request, &this.conn(py)?)?;
        this.end(py);
    }
    sent(py)
}

fn is_trailers(member: &[u8]) -> bool {
    member.trim_ascii().eq_ignore_ascii_case(b"trailers")
}

/// `http.response.early_hint`: 103 (RFC 8297).
pub fn early_hint(
    exchange: &Bound<'_, Exchange>,
    message: &Bound<'_, PyDict>,
) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let mut fields = Vec::new();
    if let Some(links) = message.get_item(intern!(py, "links"))? {
        let name = PyBytes::new(py, b"Link");
        for link in links.try_iter()? {
            let link = link?;
            field(name.as_any(), &link, &mut |_, _| Ok(()))?;
            fields.push((name.clone(), link));
        }
    }
    let fields = PyList::new(py, fields)?;
    output::write_interim(exchange.get().request(py), 103, Some(fields.as_any()))?;
    sent(py)
}

/// What goes out next of a body.
enum Next<'a, 'py> {
    /// Bytes, and the object that they are of.
    Bytes(Option<&'a Bound<'py, PyAny>>, &'a [u8]),
    /// A range of a file.
    File(FileSpan),
}

/// The head, where it is still to go out, and whether the response ends with what it goes out with.
type Beginning = (Option<Box<Head>>, bool);

impl Exchange {
    /// Take note of `count` bytes of the body: the last, or, with `is_all`, a part of the last of which all are counted
    /// with the first. RuntimeError for a body that doesn't keep to its declared length.
    fn note(&self, py: Python<'_>, count: u64, last: bool, is_all: bool) -> PyResult<Beginning> {
        let asked_by_head = self.is_asked_by_head(py);
        let mut state = self.lock(py);
        let begins = matches!(state.phase, Phase::Head(_));
        if let Phase::Head(head) = &state.phase {
            state.left = head.length.filter(|_| head.has_body() && !asked_by_head);
        }
        if !is_all || begins {
            state.left = left_after(state.left, count, last || is_all)?;
        }
        let ends = last && !state.announces_trailers;
        let next = match (ends, last) {
            (true, _) => Phase::Over,
            (false, true) => Phase::Trailers,
            (false, false) => Phase::Body,
        };
        Ok(match std::mem::replace(&mut state.phase, next) {
            Phase::Head(head) => (Some(head), ends),
            _ => (None, ends),
        })
    }

    fn is_asked_by_head(&self, py: Python<'_>) -> bool {
        let request = self.request(py).get();
        request.with_head(py, |head| head.is_head_method())
    }

    /// Whether a body follows the head.
    pub fn has_body(&self, py: Python<'_>) -> bool {
        !self.is_asked_by_head(py)
            && match &self.lock(py).phase {
                Phase::Head(head) => head.has_body(),
                _ => true,
            }
    }
}

/// Put a piece of the body out, with the head before the first. `total` is the length of the whole body, where `bytes`
/// is not all of it but the length is known. Gives the number of bytes.
pub fn put(
    exchange: &Bound<'_, Exchange>,
    data: Option<&Bound<'_, PyAny>>,
    bytes: &[u8],
    last: bool,
    total: Option<u64>,
) -> PyResult<u64> {
    let py = exchange.py();
    let this = exchange.get();
    let conn = this.conn(py)?;
    let request = this.request(py);
    let count = total.unwrap_or(bytes.len() as u64);
    let (head, ends) = this.note(py, count, last, total.is_some())?;
    match head {
        Some(mut head) => {
            if total.is_some() && !this.lock(py).announces_trailers {
                head.length = head.length.or(total);
            }
            // For HEAD an application may leave the body out: its length is not known then, rather than 0.
            let unknown =
                ends && bytes.is_empty() && head.length.is_none() && this.is_asked_by_head(py);
            let next = Next::Bytes(data, bytes);
            let plain = begin(request, &conn, head, next, ends && !unknown)?;
            this.lock(py).is_plain = plain;
            if unknown {
                finish(request, &conn)?;
            }
        }
        None if this.lock(py).is_plain => {
            let outcome = conn.put(request, None, piece_of(data, bytes), ends);
            output::after(request, &conn, outcome);
        }
        None => {
            write(request, &conn, data, bytes)?;
            if ends {
                finish(request, &conn)?;
            }
        }
    }
    if ends {
        this.end(py);
    }
    Ok(bytes.len() as u64)
}

/// Put a range of a file out, with the head before it if it is the first of the body. Gives it back, with nothing done,
/// where its bytes have to pass through something else on their way.
pub fn put_file(
    exchange: &Bound<'_, Exchange>,
    span: FileSpan,
    last: bool,
) -> PyResult<Option<FileSpan>> {
    let py = exchange.py();
    let this = exchange.get();
    let conn = this.conn(py)?;
    let request = this.request(py);
    let plain = {
        let state = this.lock(py);
        match &state.phase {
            Phase::Head(head) => {
                is_untouched(&request.get().lock(py)) && goes_straight(request, &conn, head)
            }
            _ => state.is_plain,
        }
    };
    if !plain && (!last || this.lock(py).announces_trailers) {
        return Ok(Some(span));
    }
    match this.note(py, span.len(), last, false)? {
        (Some(head), ends) => {
            let plain = begin(request, &conn, head, Next::File(span), ends)?;
            this.lock(py).is_plain = plain;
        }
        (None, ends) if plain => {
            let length = span.len();
            let outcome = conn.put_file(request, None, length, [Part::from(span)], ends);
            output::after(request, &conn, outcome);
        }
        (None, _) => respond_file(request, &conn, span)?,
    }
    if matches!(this.lock(py).phase, Phase::Over) {
        this.end(py);
    }
    Ok(None)
}

fn respond_file(request: &Bound<'_, Request>, conn: &Arc<Conn>, span: FileSpan) -> PyResult<()> {
    let body = Bound::new(request.py(), FileBody::from(span))?;
    dispatch::respond_file(conn, request, &body, None)
}

/// What is left of a declared length. RuntimeError for a body that doesn't keep to it.
fn left_after(left: Option<u64>, count: u64, last: bool) -> PyResult<Option<u64>> {
    let Some(left) = left else {
        return Ok(None);
    };
    match left.checked_sub(count) {
        None => Err(PyRuntimeError::new_err(
            "the body of an ASGI response is longer than its content-length",
        )),
        Some(1..) if last => Err(PyRuntimeError::new_err(
            "the body of an ASGI response is shorter than its content-length",
        )),
        rest => Ok(rest),
    }
}

/// Whether nobody above the application has set anything of the response.
fn is_untouched(state: &RequestState) -> bool {
    state.response_headers.is_none() && state.extra_fields.is_none() && state.rare.is_none()
}

/// Whether a response that is untouched goes to the connection as it is: nothing of the program's, and no coding, lies
/// in between.
fn goes_straight(request: &Bound<'_, Request>, conn: &Conn, head: &Head) -> bool {
    let service = conn.service.get();
    // The length that a 304 tells is that of a body that isn't sent: it goes out as a field.
    let tells_length = head.code == 304 && head.length.is_some();
    let changes = service.custom_output || service.codes() || !head.special.is_empty();
    let open = matches!(request.get().standing(request.py()), Standing::Open);
    open && !changes && !tells_length
}

/// Put the head out, and the next of the body with it, or have both kept until the connection is settled. Gives whether they
/// go straight to the connection.
fn begin(
    request: &Bound<'_, Request>,
    conn: &Arc<Conn>,
    head: Box<Head>,
    next: Next<'_, '_>,
    last: bool,
) -> PyResult<bool> {
    let py = request.py();
    let untouched = {
        let mut state = request.get().lock(py);
        state.set_code(head.code);
        is_untouched(&state)
    };
    if untouched && goes_straight(request, conn, &head) {
        let head = match &next {
            Next::Bytes(Some(data), _) if last => match data.cast::<PyBytes>() {
                Ok(body) => conn.keep_answer(request, head, body),
                Err(_) => Some(head),
            },
            _ => Some(head),
        };
        let Some(head) = head else {
            return Ok(true);
        };
        let plan = Some(head.plan(conn));
        let outcome = match next {
            Next::Bytes(data, bytes) => conn.put(request, plan, piece_of(data, bytes), last),
            Next::File(span) => conn.put_file(request, plan, span.len(), [Part::from(span)], last),
        };
        output::after(request, conn, outcome);
        return Ok(true);
    }
    let headers = output::headers(request.get(), py)?;
    let (has_type, cookies) = {
        let mut map = headers.get().lock(py);
        head.merge_into(&mut map);
        (map.contains(b"content-type"), head.cookies())
    };
    // Cookies that are set otherwise take the place of those that are set as fields.
    let jar = request.getattr(intern!(py, "cookies"))?;
    for cookie in cookies {
        jar.call_method1(intern!(py, "append"), (PyBytes::new(py, cookie),))?;
    }
    if !has_type {
        request.setattr(intern!(py, "defaultContentType"), py.None())?;
    }
    match next {
        Next::Bytes(data, bytes) if last => {
            let data = object_of(py, data, bytes);
            dispatch::respond_whole(conn, request, &data, bytes, None)?;
        }
        Next::Bytes(data, bytes) => write(request, conn, data, bytes)?,
        Next::File(span) => respond_file(request, conn, span)?,
    }
    Ok(false)
}

fn piece_of<'a>(data: Option<&Bound<'_, PyAny>>, bytes: &'a [u8]) -> Piece<'a> {
    match data {
        Some(data) => Piece::of(data, bytes),
        None => Piece::copied(bytes),
    }
}

fn object_of<'py>(
    py: Python<'py>,
    data: Option<&Bound<'py, PyAny>>,
    bytes: &[u8],
) -> Bound<'py, PyAny> {
    match data {
        Some(data) => data.clone(),
        None => PyBytes::new(py, bytes).into_any(),
    }
}

/// Write as a program does: through what others have put in between.
fn write(
    request: &Bound<'_, Request>,
    conn: &Arc<Conn>,
    data: Option<&Bound<'_, PyAny>>,
    bytes: &[u8],
) -> PyResult<()> {
    let py = request.py();
    if bytes.is_empty() && request.get().lock(py).started {
        return Ok(());
    }
    let data = object_of(py, data, bytes);
    if conn.service.get().custom_output {
        return request
            .call_method1(intern!(py, "write"), (data,))
            .map(drop);
    }
    output::write(request, &data)
}

/// End a response whose body is out.
fn finish(request: &Bound<'_, Request>, conn: &Arc<Conn>) -> PyResult<()> {
    if conn.service.get().custom_output {
        return request
            .call_method0(intern!(request.py(), "finish"))
            .map(drop);
    }
    output::finish(request)
}
