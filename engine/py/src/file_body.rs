//! `FileBody`: ranges of an open file as the body of a response.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sennit_net::FileSpan;

use crate::engine::own_descriptor;
use crate::lock::Lock;

/// What is read at a time where the bytes themselves are asked for.
const PIECE: usize = 128 << 10;

/// Bytes, and a range of the file after them.
pub struct Part {
    /// What is sent first.
    pub before: Vec<u8>,
    /// And then this.
    pub span: FileSpan,
}

impl Part {
    fn len(&self) -> u64 {
        self.before.len() as u64 + self.span.len()
    }
}

impl From<FileSpan> for Part {
    fn from(span: FileSpan) -> Self {
        let before = Vec::new();
        Self { before, span }
    }
}

impl From<FileSpan> for FileBody {
    fn from(span: FileSpan) -> Self {
        Self {
            parts: Lock::new(VecDeque::from([Part::from(span)])),
        }
    }
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct FileBody {
    parts: Lock<VecDeque<Part>>,
}

impl FileBody {
    /// Ranges of the file that `file` is of, each after some bytes.
    fn of(file: &FileSpan, parts: Vec<(Vec<u8>, u64, u64)>) -> PyResult<Self> {
        let ends = parts
            .iter()
            .map(|(_, start, length)| start.checked_add(*length));
        // What the kernel counts in is signed.
        if ends
            .into_iter()
            .any(|end| end.is_none_or(|end| i64::try_from(end).is_err()))
        {
            return Err(PyValueError::new_err("no file is as long as that"));
        }
        let parts = parts.into_iter().map(|(before, start, length)| Part {
            before,
            span: file.range(start, length),
        });
        Ok(Self {
            parts: Lock::new(parts.filter(|part| part.len() > 0).collect()),
        })
    }

    /// Take what is left of it; the file is the taker's then.
    pub fn take(&self, py: Python<'_>) -> VecDeque<Part> {
        std::mem::take(&mut *self.parts.lock(py))
    }

    /// How many bytes are left.
    pub fn len(&self, py: Python<'_>) -> u64 {
        self.parts.lock(py).iter().map(Part::len).sum()
    }

    /// All that is left, where that is one range and nothing before it; ValueError otherwise.
    pub fn whole(&self, py: Python<'_>) -> PyResult<FileSpan> {
        match self.parts.lock(py).make_contiguous() {
            [part] if part.before.is_empty() => Ok(part.span.clone()),
            _ => Err(PyValueError::new_err("not one range of a file")),
        }
    }

    /// The next piece: its bytes, or where they are.
    fn next_part(&self, py: Python<'_>) -> Option<Result<Vec<u8>, FileSpan>> {
        let mut parts = self.parts.lock(py);
        while let Some(part) = parts.front_mut() {
            if !part.before.is_empty() {
                let before = std::mem::take(&mut part.before);
                if part.span.is_empty() {
                    parts.pop_front();
                }
                return Some(Ok(before));
            }
            let mut piece = part.span.clone();
            piece.truncate(PIECE as u64);
            part.span.advance(PIECE as u64);
            if part.span.is_empty() {
                parts.pop_front();
            }
            if !piece.is_empty() {
                return Some(Err(piece));
            }
        }
        None
    }
}

#[pymethods]
impl FileBody {
    #[new]
    fn new(fd: i32, parts: Vec<(Vec<u8>, u64, u64)>) -> PyResult<Self> {
        let file = FileSpan::new(Arc::new(own_descriptor(fd)?), 0, 0);
        Self::of(&file, parts)
    }

    fn again(&self, py: Python<'_>, parts: Vec<(Vec<u8>, u64, u64)>) -> PyResult<Self> {
        Self::of(&self.whole(py)?, parts)
    }

    #[getter]
    fn length(&self, py: Python<'_>) -> u64 {
        self.len(py)
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut span = match self.next_part(py) {
            None => return Ok(None),
            Some(Ok(before)) => return Ok(Some(PyBytes::new(py, &before))),
            Some(Err(span)) => span,
        };
        let read = py.detach(|| span.read(PIECE));
        if !span.is_empty() {
            // The file has become shorter: whatever came after this place would be at a wrong one.
            drop(self.take(py));
        }
        match read {
            Ok(bytes) => Ok(Some(PyBytes::new(py, &bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Let the file go.
    fn close(&self, py: Python<'_>) {
        drop(self.take(py));
    }
}
