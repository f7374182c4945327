//! `Answer`: a whole response, made once and given many times.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use sennit_net::FileSpan;

use crate::coding::Forms;
use crate::headers::{name_of, value_of, HeaderMap};

/// A whole response, made once and given many times: a render method may return one.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The header fields, besides the stock ones.
    pub fields: HeaderMap,
    /// The same as they stand on the wire.
    pub lines: Vec<u8>,
    /// The body.
    pub body: AnswerBody,
    /// The body as it has been coded before.
    pub forms: Forms,
}

/// The body of an answer.
pub enum AnswerBody {
    /// In memory.
    Bytes(Py<PyBytes>),
    /// A file that is kept open.
    File(FileSpan),
}

/// Fields that say how the message is framed: the engine's own business.
const FRAMING: [&[u8]; 4] = [
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"keep-alive",
];

/// Fields as they stand on the wire.
fn lines_of(fields: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in fields.iter() {
        for piece in [name, b": ", value, b"\r\n"] {
            lines.extend_from_slice(piece);
        }
    }
    lines
}

#[pymethods]
impl Answer {
    #[new]
    fn new(code: u16, fields: &Bound<'_, PyAny>, body: Py<PyBytes>) -> PyResult<Self> {
        Self::made(code, fields, AnswerBody::Bytes(body))
    }

    #[getter]
    fn code(&self) -> u16 {
        self.code
    }

    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let pairs = self
            .fields
            .iter()
            .map(|(name, value)| (PyBytes::new(py, name), PyBytes::new(py, value)));
        PyList::new(py, pairs.collect::<Vec<_>>())
    }

    #[getter]
    fn body(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        match &self.body {
            AnswerBody::Bytes(body) => Ok(body.clone_ref(py)),
            AnswerBody::File(span) => {
                let length = usize::try_from(span.len()).unwrap_or(usize::MAX);
                Ok(PyBytes::new(py, &span.clone().read(length)?).unbind())
            }
        }
    }
}

impl Answer {
    /// The answer that says that what this one has is unchanged: no content, and nothing about it (RFC 9110 section
    /// 15.4.5).
    pub fn unchanged(&self, py: Python<'_>) -> Self {
        let mut fields = self.fields.clone();
        fields.remove(b"content-type");
        fields.remove(b"content-encoding");
        Self {
            code: 304,
            lines: lines_of(&fields),
            fields,
            body: AnswerBody::Bytes(PyBytes::new(py, b"").unbind()),
            forms: Forms::default(),
        }
    }

    /// An answer; ValueError for what can't be one.
    pub fn made(code: u16, fields: &Bound<'_, PyAny>, body: AnswerBody) -> PyResult<Self> {
        if !(200..=999).contains(&code) {
            return Err(PyValueError::new_err(format!(
                "{code} can't be a final answer"
            )));
        }
        let mut map = HeaderMap::default();
        for field in fields.try_iter()? {
            let (name, value) = field?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            let name = name_of(&name)?;
            if FRAMING
                .iter()
                .any(|framing| name.eq_ignore_ascii_case(framing))
            {
                return Err(PyValueError::new_err(
                    "an Answer's framing is the engine's business",
                ));
            }
            map.add(&name, value_of(&value)?);
        }
        Ok(Self {
            code,
            lines: lines_of(&map),
            fields: map,
            body,
            forms: Forms::default(),
        })
    }
}
