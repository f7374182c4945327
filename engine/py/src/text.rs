//! What programs may give as text or as bytes.

use std::borrow::Cow;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

/// How a `str` becomes bytes.
#[derive(Clone, Copy)]
pub enum Encoding {
    /// Bodies, header values, reasons, child names.
    Utf8,
    /// Header names.
    Latin1,
}

/// The bytes of a `bytes` or `str` object, without a copy where there need not be one.
pub fn bytes_of<'a>(
    object: &'a Bound<'_, PyAny>,
    encoding: Encoding,
    what: &str,
) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Cow::Borrowed(bytes.as_bytes()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return encode(text, encoding, what);
    }
    Err(PyTypeError::new_err(format!(
        "{what} must be bytes or str, not {}",
        type_name(object)
    )))
}

/// As `bytes_of` with UTF-8, and also for bytearray, memoryview and other buffers (copied).
pub fn body_bytes<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(array) = object.cast::<PyByteArray>() {
        return Ok(Cow::Owned(array.to_vec()));
    }
    if object.hasattr(pyo3::intern!(object.py(), "__buffer__"))?
        || object.is_instance_of::<pyo3::types::PyMemoryView>()
    {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Cow::Borrowed(bytes.as_bytes()));
        }
        let copy = object.py().get_type::<PyBytes>().call1((object,))?;
        return Ok(Cow::Owned(copy.extract::<Vec<u8>>()?));
    }
    bytes_of(object, Encoding::Utf8, "data")
}

fn encode<'a>(
    text: &'a Bound<'_, PyString>,
    encoding: Encoding,
    what: &str,
) -> PyResult<Cow<'a, [u8]>> {
    match encoding {
        Encoding::Utf8 => Ok(Cow::Borrowed(text.to_str()?.as_bytes())),
        Encoding::Latin1 => {
            let text = text.to_str()?;
            if text.is_ascii() {
                return Ok(Cow::Borrowed(text.as_bytes()));
            }
            let bytes: Option<Vec<u8>> = text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).ok())
                .collect();
            bytes.map(Cow::Owned).ok_or_else(|| {
                PyValueError::new_err(format!("{what} has a character outside of ISO-8859-1"))
            })
        }
    }
}

/// The name of an object's type, for messages.
pub fn type_name(object: &Bound<'_, PyAny>) -> String {
    object
        .get_type()
        .name()
        .map_or_else(|_| "object".to_owned(), |name| name.to_string())
}

/// `value` with each run of CR, LF and NUL made one space: such bytes never leave in a header (RFC 9110 section 5.5).
pub fn harmless(value: &[u8]) -> Cow<'_, [u8]> {
    let bad = |b: &u8| matches!(b, b'\r' | b'\n' | 0);
    if !value.iter().any(bad) {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut in_run = false;
    for b in value {
        if bad(b) {
            if !in_run {
                out.push(b' ');
            }
            in_run = true;
        } else {
            out.push(*b);
            in_run = false;
        }
    }
    Cow::Owned(out)
}

/// Percent-decoding (RFC 3986 section 2.1); what is no valid triplet stays as it is.
pub fn percent_decoded(segment: &[u8]) -> Cow<'_, [u8]> {
    if !segment.contains(&b'%') {
        return Cow::Borrowed(segment);
    }
    let mut out = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            if let [high, low, after @ ..] = tail {
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) {
                    out.push(high * 16 + low);
                    rest = after;
                    continue;
                }
            }
        }
        out.push(*first);
    }
    Cow::Owned(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// A `str` of bytes that are taken for ISO-8859-1, as WSGI wants it (PEP 3333, "A Note On String Types").
pub fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let length = isize::try_from(bytes.len()).unwrap_or_default();
    // SAFETY: the bytes are only read during the call, which gives a new reference to a `str`, or an exception.
    unsafe {
        let text = ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), length, std::ptr::null());
        Ok(Bound::from_owned_ptr_or_err(py, text)?.cast_into_unchecked())
    }
}

/// The bytes of a `str` in ISO-8859-1, where they stand; `None` if it has a character outside of that.
pub fn latin1_bytes<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    let object = text.as_ptr();
    // SAFETY: the `str` is alive and never changes. One of this kind has one byte for each character, and CPython makes
    // every `str` of the narrowest kind that its characters fit.
    unsafe {
        if ffi::PyUnicode_KIND(object) != ffi::PyUnicode_1BYTE_KIND {
            return None;
        }
        let length = usize::try_from(ffi::PyUnicode_GET_LENGTH(object)).unwrap_or_default();
        let data = ffi::PyUnicode_DATA(object).cast::<u8>();
        Some(std::slice::from_raw_parts(data, length))
    }
}
