//! `wsgi.errors`, and the `wsgi.input` of a request without a body: one object each for all requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::lock::Lock;
use crate::text::type_name;

/// `wsgi.errors`: each line becomes an error in the log.
#[pyclass(frozen, module = "sennit._engine")]
pub struct ErrorStream {
    /// Called with each line.
    log: Py<PyAny>,
    /// The beginnings of lines whose ends are to come, by the threads that write them.
    rests: Lock<Vec<(ThreadId, String)>>,
    /// How many there are.
    open: AtomicUsize,
}

impl ErrorStream {
    /// A stream whose lines go to `log`.
    pub fn new(log: Py<PyAny>) -> Self {
        Self {
            log,
            rests: Lock::new(Vec::new()),
            open: AtomicUsize::new(0),
        }
    }

    /// Log what this thread has left without a line end. Costs next to nothing where nobody writes.
    pub fn end_line(&self, py: Python<'_>) -> PyResult<()> {
        if self.open.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        match self.take_rest(py) {
            Some(rest) => self.log.call1(py, (rest,)).map(drop),
            None => Ok(()),
        }
    }

    fn take_rest(&self, py: Python<'_>) -> Option<String> {
        let thread = std::thread::current().id();
        let mut rests = self.rests.lock(py);
        let place = rests.iter().position(|(owner, _)| *owner == thread)?;
        let (_, rest) = rests.swap_remove(place);
        self.open.store(rests.len(), Ordering::Relaxed);
        Some(rest)
    }

    fn keep_rest(&self, py: Python<'_>, rest: String) {
        let mut rests = self.rests.lock(py);
        rests.push((std::thread::current().id(), rest));
        self.open.store(rests.len(), Ordering::Relaxed);
    }
}

#[pymethods]
impl ErrorStream {
    fn write(&self, text: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = text.py();
        let Ok(text) = text.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!(
                "wsgi.errors takes str, not {}",
                type_name(text)
            )));
        };
        let mut pending = self.take_rest(py).unwrap_or_default();
        pending.push_str(&text.to_string_lossy());
        let mut lines: Vec<&str> = pending.split('\n').collect();
        let rest = lines.pop().unwrap_or_default();
        if !rest.is_empty() {
            self.keep_rest(py, rest.to_owned());
        }
        for line in lines {
            self.log.call1(py, (line,))?;
        }
        text.len()
    }

    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(&line?)?;
        }
        Ok(())
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.end_line(py)
    }
}

/// `wsgi.input` where there is no body.
#[pyclass(frozen, module = "sennit._engine")]
pub struct EmptyInput;

#[pymethods]
impl EmptyInput {
    #[pyo3(signature = (_size=None, /))]
    fn read<'py>(&self, py: Python<'py>, _size: Option<isize>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, b"")
    }

    #[pyo3(signature = (_size=None, /))]
    fn read1<'py>(&self, py: Python<'py>, _size: Option<isize>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, b"")
    }

    fn readinto(&self, _buffer: &Bound<'_, PyAny>) -> usize {
        0
    }

    #[pyo3(signature = (_size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, _size: Option<isize>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, b"")
    }

    #[pyo3(signature = (_hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, _hint: Option<isize>) -> Bound<'py, PyList> {
        PyList::empty(py)
    }

    fn readable(&self) -> bool {
        true
    }

    fn close(&self) {}

    #[getter]
    fn closed(&self) -> bool {
        false
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self) -> Option<Py<PyBytes>> {
        None
    }
}
