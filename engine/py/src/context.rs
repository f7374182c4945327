//! Context variables: those in which the program works for a request.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::errors;
use crate::request::Request;

/// As long as this lives, the context variables are a request's.
pub struct Entered<'py>(Option<Bound<'py, PyAny>>);

impl<'py> Entered<'py> {
    /// Enter the context that `request` was given, if there is one. Whoever is in it already stays there.
    pub fn of(request: &Bound<'py, Request>) -> Self {
        let py = request.py();
        let context = request.get().context(py);
        Self(context.filter(|context| {
            // SAFETY: the object is alive; for one that is no context, or was entered before, the call fails.
            let entered = unsafe { ffi::PyContext_Enter(context.as_ptr()) } == 0;
            if !entered {
                drop(PyErr::take(py));
            }
            entered
        }))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.0.take() {
            // SAFETY: it was entered in this thread, and whoever has entered another one since has left that.
            if unsafe { ffi::PyContext_Exit(context.as_ptr()) } != 0 {
                let py = context.py();
                errors::log(py, "leaving a request's context", PyErr::fetch(py));
            }
        }
    }
}
