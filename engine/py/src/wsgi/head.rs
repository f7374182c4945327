//! What an application gives to `start_response`, checked and encoded.

use pyo3::exceptions::{PyRuntimeWarning, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PySequence, PyString, PyTuple};

use crate::text::{latin1_bytes, type_name};

/// The head of a response.
#[derive(Default)]
pub struct Head {
    /// The status code.
    pub code: u16,
    /// The reason, where it isn't the usual one.
    pub reason: Option<Box<[u8]>>,
    /// The fields as they stand on the wire, but for those that frame the message.
    pub lines: Vec<u8>,
    /// Content-Length.
    pub length: Option<u64>,
    /// The application wants the connection closed: the one thing about it that it may have a reason to wish for.
    pub close: bool,
    /// A cookie is among the fields.
    pub cookies: bool,
}

/// What becomes of a field.
enum Kind {
    Plain,
    Cookie,
    Length,
    Connection,
    /// `Server` and `Date` are the server's, the others concern the connection, which an application must leave alone
    /// (PEP 3333, "Other HTTP Features").
    NotTheApplications,
}

impl Head {
    /// Check and encode; raises TypeError and ValueError for what can't be sent. `lines` is a buffer to be used.
    pub fn new(
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        mut lines: Vec<u8>,
    ) -> PyResult<Self> {
        lines.clear();
        let mut head = Self {
            lines,
            ..Self::default()
        };
        head.set_status(status)?;
        if let Ok(list) = headers.cast::<PyList>() {
            for header in list.iter() {
                head.add_header(&header)?;
            }
        } else {
            let sequence = other_sequence(headers)?;
            for header in sequence.try_iter()? {
                head.add_header(&header?)?;
            }
        }
        Ok(head)
    }

    fn set_status(&mut self, status: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(text) = status.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!(
                "the status must be str, not {}",
                type_name(status)
            )));
        };
        let parsed = latin1_bytes(text).and_then(parse_status);
        let Some((code, reason)) = parsed else {
            return Err(PyValueError::new_err(format!(
                "the status must be a code from 200 on and a phrase, not {}",
                text.repr()?
            )));
        };
        self.code = code;
        self.reason = reason
            .filter(|reason| *reason != sennit_wire::reason_phrase(code))
            .map(Box::from);
        Ok(())
    }

    fn add_header(&mut self, header: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(pair) = header.cast::<PyTuple>() {
            if pair.len() == 2 {
                let (name, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
                return self.add_field(header, &name, &value);
            }
        } else if let Ok(pair) = header.cast::<PyList>() {
            warn(
                header.py(),
                &format!("a header should be a tuple, not a list: {}", header.repr()?),
            )?;
            if pair.len() == 2 {
                return self.add_field(header, &pair.get_item(0)?, &pair.get_item(1)?);
            }
        }
        Err(no_pair(header))
    }

    fn add_field(
        &mut self,
        header: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (Ok(name), Ok(value)) = (name.cast::<PyString>(), value.cast::<PyString>()) else {
            return Err(no_pair(header));
        };
        let Some(bytes) = latin1_bytes(value).filter(|bytes| sennit_wire::is_field_value(bytes))
        else {
            return Err(PyValueError::new_err(format!(
                "{} can't be the value of a header (RFC 9110 section 5.5)",
                value.repr()?
            )));
        };
        let named = latin1_bytes(name).and_then(|name| Some((name, kind_of(name)?)));
        let Some((name, kind)) = named else {
            return Err(PyValueError::new_err(format!(
                "{} can't be the name of a header (RFC 9110 section 5.1)",
                name.repr()?
            )));
        };
        match kind {
            Kind::Plain => {}
            Kind::Cookie => self.cookies = true,
            Kind::Connection => {
                self.close |= has_close(bytes);
                return Ok(());
            }
            Kind::Length => return self.set_length(bytes),
            Kind::NotTheApplications => return Ok(()),
        }
        self.lines.reserve(name.len() + bytes.len() + 4);
        for piece in [name, b": ", bytes, b"\r\n"] {
            self.lines.extend_from_slice(piece);
        }
        Ok(())
    }

    fn set_length(&mut self, value: &[u8]) -> PyResult<()> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value)
            .ok()
            .filter(|_| digits)
            .and_then(|text| text.parse().ok());
        match (length, self.length) {
            (Some(length), before) if before.is_none_or(|before| before == length) => {
                self.length = Some(length);
                Ok(())
            }
            _ => Err(PyValueError::new_err(format!(
                "{:?} can't be the Content-Length (RFC 9110 section 8.6)",
                String::from_utf8_lossy(value)
            ))),
        }
    }

    /// The fields, one by one.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.lines.as_slice();
        std::iter::from_fn(move || {
            let end = memchr::memchr(b'\r', rest)?;
            let line = rest.get(..end)?;
            rest = rest.get(end + 2..)?;
            let colon = memchr::memchr(b':', line)?;
            Some((line.get(..colon)?, line.get(colon + 2..)?))
        })
    }
}

/// The code and the phrase of a status line's end.
fn parse_status(status: &[u8]) -> Option<(u16, Option<&[u8]>)> {
    let (code, rest) = status.split_first_chunk::<3>()?;
    let mut number = 0;
    for digit in code {
        number = number * 10 + u16::from(digit.is_ascii_digit().then_some(digit - b'0')?);
    }
    let reason = match rest.split_first() {
        None => None,
        Some((b' ', reason)) if sennit_wire::is_field_value(reason) => Some(reason),
        Some(_) => return None,
    };
    (number >= 200).then_some((number, reason.filter(|reason| !reason.is_empty())))
}

/// `None` for what is no name (RFC 9110 section 5.1).
fn kind_of(name: &[u8]) -> Option<Kind> {
    // The usual ones as they are usually written: no need to look at each byte.
    match name {
        b"Content-Type" | b"Location" | b"Vary" | b"Cache-Control" | b"ETag" | b"Expires"
        | b"Last-Modified" | b"X-Frame-Options" => return Some(Kind::Plain),
        b"Content-Length" => return Some(Kind::Length),
        b"Set-Cookie" => return Some(Kind::Cookie),
        _ => {}
    }
    if !sennit_wire::is_token(name) {
        return None;
    }
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    let refused = match name.len() {
        2 => is(b"te"),
        4 => is(b"date"),
        6 => is(b"server"),
        7 => is(b"upgrade"),
        8 => is(b"trailers"),
        10 if is(b"set-cookie") => return Some(Kind::Cookie),
        10 if is(b"connection") => return Some(Kind::Connection),
        10 => is(b"keep-alive"),
        14 if is(b"content-length") => return Some(Kind::Length),
        17 => is(b"transfer-encoding"),
        _ => false,
    };
    Some(if refused {
        Kind::NotTheApplications
    } else {
        Kind::Plain
    })
}

fn has_close(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|member| member.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn no_pair(header: &Bound<'_, PyAny>) -> PyErr {
    match header.repr() {
        Ok(shown) => PyTypeError::new_err(format!("a header must be a pair of str, not {shown}")),
        Err(error) => error,
    }
}

/// PEP 3333 asks for a list; other sequences do no harm.
fn other_sequence<'a, 'py>(headers: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyAny>> {
    let kind = type_name(headers);
    let text = headers.is_instance_of::<PyString>() || headers.is_instance_of::<PyBytes>();
    if text || headers.cast::<PySequence>().is_err() {
        return Err(PyTypeError::new_err(format!(
            "the headers must be a list of pairs, not {kind}"
        )));
    }
    warn(
        headers.py(),
        &format!("the headers should be a list, not {kind}"),
    )?;
    Ok(headers)
}

/// Warn of what the caller of `start_response` does.
fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    let text = std::ffi::CString::new(text.replace('\0', "?"))?;
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 1)
}
