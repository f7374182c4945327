//! `Headers`: the multi-map that requests and responses carry.

use std::borrow::Cow;

use crate::lock::{Guard, Lock};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyMapping, PyString, PyTuple, PyType};
use smallvec::SmallVec;

use crate::text::{bytes_of, harmless, Encoding};

type Bytes = Cow<'static, [u8]>;

struct Field {
    name: Bytes,
    values: SmallVec<[Bytes; 1]>,
}

/// Names in order of first setting, each with its values.
#[derive(Default)]
pub struct HeaderMap {
    fields: Vec<Field>,
}

impl Clone for HeaderMap {
    fn clone(&self) -> Self {
        let copy = |f: &Field| Field {
            name: f.name.clone(),
            values: f.values.clone(),
        };
        Self {
            fields: self.fields.iter().map(copy).collect(),
        }
    }
}

/// Names whose canonical form is not "capital after each hyphen".
const IRREGULAR: [&str; 7] = [
    "Content-MD5",
    "DNT",
    "ETag",
    "P3P",
    "TE",
    "WWW-Authenticate",
    "X-XSS-Protection",
];
/// Names that need no allocation.
const COMMON: [&str; 24] = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Ranges",
    "Allow",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Date",
    "Expires",
    "Host",
    "Last-Modified",
    "Location",
    "Referer",
    "Server",
    "Set-Cookie",
    "Transfer-Encoding",
    "User-Agent",
    "Vary",
];

/// The canonical form of a header name.
pub fn canonical(name: &[u8]) -> Bytes {
    let known = COMMON.iter().chain(IRREGULAR.iter());
    for candidate in known {
        if candidate.len() == name.len() && candidate.as_bytes().eq_ignore_ascii_case(name) {
            return Cow::Borrowed(candidate.as_bytes());
        }
    }
    let mut out = Vec::with_capacity(name.len());
    let mut start = true;
    for b in name {
        out.push(if start {
            b.to_ascii_uppercase()
        } else {
            b.to_ascii_lowercase()
        });
        start = *b == b'-';
    }
    Cow::Owned(out)
}

impl HeaderMap {
    /// The map of a request's field lines.
    pub fn from_fields<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut map = Self::default();
        for (name, value) in fields {
            map.add(name, Cow::Owned(value.to_vec()));
        }
        map
    }

    fn find(&self, name: &[u8]) -> Option<&Field> {
        self.fields
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))
    }

    fn find_mut(&mut self, name: &[u8]) -> Option<&mut Field> {
        self.fields
            .iter_mut()
            .find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// Replace all values of `name`.
    pub fn set(&mut self, name: &[u8], values: SmallVec<[Bytes; 1]>) {
        match self.find_mut(name) {
            Some(field) => field.values = values,
            None => self.fields.push(Field {
                name: canonical(name),
                values,
            }),
        }
    }

    /// Replace all values of `name` by one.
    pub fn set_one(&mut self, name: &[u8], value: Bytes) {
        let mut values = SmallVec::new();
        values.push(value);
        self.set(name, values);
    }

    /// Add a value after those that `name` has.
    pub fn add(&mut self, name: &[u8], value: Bytes) {
        match self.find_mut(name) {
            Some(field) => field.values.push(value),
            None => {
                let mut values = SmallVec::new();
                values.push(value);
                self.fields.push(Field {
                    name: canonical(name),
                    values,
                });
            }
        }
    }

    /// Replace the values of every name that `other` has.
    pub fn set_all(&mut self, other: Self) {
        for field in other.fields {
            self.set(&field.name, field.values);
        }
    }

    /// The values of `name`; `None` where it was never set.
    pub fn get(&self, name: &[u8]) -> Option<&[Bytes]> {
        self.find(name).map(|f| f.values.as_slice())
    }

    /// The last value of `name`.
    pub fn last(&self, name: &[u8]) -> Option<&[u8]> {
        self.get(name)?.last().map(AsRef::as_ref)
    }

    /// Whether `name` was set, even with no value.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// Forget `name`.
    pub fn remove(&mut self, name: &[u8]) {
        self.fields.retain(|f| !f.name.eq_ignore_ascii_case(name));
    }

    /// Each name and value, as they go on the wire.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.fields
            .iter()
            .flat_map(|f| f.values.iter().map(move |v| (f.name.as_ref(), v.as_ref())))
    }
}

/// Header fields; the program's view of a `HeaderMap`.
#[pyclass(frozen, subclass, module = "sennit.web.http_headers", weakref)]
pub struct Headers {
    map: Lock<HeaderMap>,
}

impl Headers {
    /// A Python object around `map`.
    pub fn wrap(py: Python<'_>, map: HeaderMap) -> PyResult<Py<Self>> {
        Py::new(
            py,
            Self {
                map: Lock::new(map),
            },
        )
    }

    /// The map itself, locked: no Python call may be made while it is held.
    pub fn lock(&self, py: Python<'_>) -> Guard<'_, HeaderMap> {
        self.map.lock(py)
    }
}

fn values_of(values: &Bound<'_, PyAny>) -> PyResult<SmallVec<[Bytes; 1]>> {
    if values.is_instance_of::<PyString>() || values.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(
            "header values must be a sequence of bytes or str, not a single value",
        ));
    }
    let mut out = SmallVec::new();
    for value in values.try_iter()? {
        out.push(value_of(&value?)?);
    }
    Ok(out)
}

/// A header value as given by a program: str is UTF-8, CR, LF and NUL become a space.
pub fn value_of(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let bytes = bytes_of(value, Encoding::Utf8, "a header value")?;
    Ok(Cow::Owned(harmless(&bytes).into_owned()))
}

/// A header name as given by a program; `InvalidHeaderName` unless it is a token.
pub fn name_of<'a>(name: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    let bytes = bytes_of(name, Encoding::Latin1, "a header name")?;
    if sennit_wire::is_token(&bytes) {
        return Ok(bytes);
    }
    static INVALID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = INVALID.import(name.py(), "sennit.web._errors", "InvalidHeaderName")?;
    Err(PyErr::from_value(
        class.call1((PyBytes::new(name.py(), &bytes),))?,
    ))
}

/// A `bytes` or, for a `str` key, a `str` object (UTF-8, undecodable bytes as surrogates).
pub fn in_type_of<'py>(key: &Bound<'py, PyAny>, value: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let py = key.py();
    if !key.is_instance_of::<PyString>() {
        return Ok(PyBytes::new(py, value).into_any());
    }
    match std::str::from_utf8(value) {
        Ok(text) => Ok(PyString::new(py, text).into_any()),
        Err(_) => PyBytes::new(py, value)
            .call_method1(pyo3::intern!(py, "decode"), ("utf-8", "surrogateescape")),
    }
}

#[pymethods]
impl Headers {
    #[new]
    #[pyo3(signature = (rawHeaders=None))]
    #[expect(non_snake_case, reason = "the public keyword is Twisted's")]
    fn new(rawHeaders: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut map = HeaderMap::default();
        if let Some(raw) = rawHeaders {
            for item in raw.cast::<PyMapping>()?.items()?.iter() {
                let (name, values) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
                map.set(&name_of(&name)?, values_of(&values)?);
            }
        }
        Ok(Self {
            map: Lock::new(map),
        })
    }

    #[pyo3(name = "setRawHeaders")]
    fn set_raw_headers(&self, name: &Bound<'_, PyAny>, values: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let name = name_of(name)?;
        let values = values_of(values)?;
        self.lock(py).set(&name, values);
        Ok(())
    }

    #[pyo3(name = "addRawHeader")]
    fn add_raw_header(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let name = name_of(name)?;
        let value = value_of(value)?;
        self.lock(py).add(&name, value);
        Ok(())
    }

    #[pyo3(name = "getRawHeaders", signature = (name, default=None))]
    fn get_raw_headers<'py>(
        &self,
        name: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        let key = bytes_of(name, Encoding::Latin1, "a header name")?;
        let values: Option<Vec<Bytes>> = self.lock(py).get(&key).map(<[Bytes]>::to_vec);
        match values {
            Some(values) if !values.is_empty() => {
                let list = PyList::empty(py);
                for value in &values {
                    list.append(in_type_of(name, value)?)?;
                }
                Ok(list.into_any())
            }
            _ => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    #[pyo3(name = "getAllRawHeaders")]
    fn get_all_raw_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let copy = self.lock(py).clone();
        let list = PyList::empty(py);
        for field in &copy.fields {
            let values = PyList::new(py, field.values.iter().map(|v| PyBytes::new(py, v)))?;
            list.append(PyTuple::new(
                py,
                [PyBytes::new(py, &field.name).into_any(), values.into_any()],
            )?)?;
        }
        list.try_iter()
    }

    #[pyo3(name = "hasHeader")]
    fn has_header(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = name.py();
        let name = bytes_of(name, Encoding::Latin1, "a header name")?;
        Ok(self.lock(py).contains(&name))
    }

    #[pyo3(name = "removeHeader")]
    fn remove_header(&self, name: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = name.py();
        let name = bytes_of(name, Encoding::Latin1, "a header name")?;
        self.lock(py).remove(&name);
        Ok(())
    }

    #[pyo3(name = "copy")]
    fn copy(&self, py: Python<'_>) -> Self {
        Self {
            map: Lock::new(self.lock(py).clone()),
        }
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        self.copy(py)
    }

    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copy = self.lock(py).clone();
        let dict = PyDict::new(py);
        for field in &copy.fields {
            let values = PyList::new(py, field.values.iter().map(|v| PyBytes::new(py, v)))?;
            dict.set_item(PyBytes::new(py, &field.name), values)?;
        }
        Ok(dict)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Ok(other) = other.cast::<Headers>() else {
            return Ok(py.NotImplemented());
        };
        let equal = self.as_dict(py)?.eq(other.get().as_dict(py)?)?;
        Ok(equal.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Headers({})", self.as_dict(py)?.repr()?))
    }
}
