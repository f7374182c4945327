//! What `call_soon` and `call_later` give: a call to come.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use super::EventLoopBase;
use crate::errors;
use crate::lock::Lock;

/// What is called.
struct Call {
    callback: Py<PyAny>,
    arguments: Py<PyTuple>,
}

/// See `_engine.pyi`.
#[pyclass(frozen, subclass, weakref, module = "sennit._engine")]
pub struct Handle {
    event_loop: Py<EventLoopBase>,
    context: Py<PyAny>,
    /// Nothing, once it is cancelled.
    call: Lock<Option<Call>>,
}

/// A copy of the context variables as they are here.
fn copied_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: the call gives a new reference to a context, or an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }
}

impl Handle {
    /// `callback(*arguments)`, to be called in `context` (`None`: as it is here).
    pub fn new(
        event_loop: &Bound<'_, EventLoopBase>,
        callback: Bound<'_, PyAny>,
        arguments: Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let context = match context {
            Some(context) => context,
            None => copied_context(event_loop.py())?,
        };
        let call = Call {
            callback: callback.unbind(),
            arguments: arguments.unbind(),
        };
        Ok(Self {
            event_loop: event_loop.clone().unbind(),
            context: context.unbind(),
            call: Lock::new(Some(call)),
        })
    }

    /// Whether it has been cancelled.
    pub fn is_cancelled(&self, py: Python<'_>) -> bool {
        self.call.lock(py).is_none()
    }

    /// Forget the call; gives whether there was one.
    fn forget(&self, py: Python<'_>) -> bool {
        let call = self.call.lock(py).take();
        call.is_some()
    }

    /// Callback and arguments, unless it is cancelled.
    fn call<'py>(&self, py: Python<'py>) -> Option<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let call = self.call.lock(py);
        let call = call.as_ref()?;
        Some((
            call.callback.bind(py).clone(),
            call.arguments.bind(py).clone(),
        ))
    }

    fn call_in_context(
        &self,
        callback: &Bound<'_, PyAny>,
        arguments: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let py = callback.py();
        let context = self.context.as_ptr();
        // SAFETY: the object is alive; one that is no context, or is entered already, gives an exception.
        if unsafe { ffi::PyContext_Enter(context) } != 0 {
            return Err(PyErr::fetch(py));
        }
        let called = callback.call(arguments, None);
        // SAFETY: it was entered in this thread just above.
        if unsafe { ffi::PyContext_Exit(context) } != 0 {
            return Err(PyErr::fetch(py));
        }
        called.map(drop)
    }

    /// Make the call, unless it is cancelled. What it raises goes to the loop's exception handler, except what stops
    /// the program.
    pub fn run(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let handle = slf.get();
        let Some((callback, arguments)) = handle.call(py) else {
            return Ok(());
        };
        let Err(error) = handle.call_in_context(&callback, &arguments) else {
            return Ok(());
        };
        if error.is_instance_of::<PySystemExit>(py)
            || error.is_instance_of::<PyKeyboardInterrupt>(py)
        {
            return Err(error);
        }
        let report = intern!(py, "_reportFailure");
        let raised = errors::raised(py, &error);
        handle
            .event_loop
            .bind(py)
            .call_method1(report, (slf, callback, arguments, raised))
            .map(drop)
    }

    /// `<Handle f() at file.py:1>`, with `more` before the callback.
    fn description(&self, py: Python<'_>, name: &str, more: &str) -> PyResult<String> {
        static FORMAT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let Some((callback, arguments)) = self.call(py) else {
            return Ok(format!("<{name} cancelled{more}>"));
        };
        let format = FORMAT.import(py, "asyncio.format_helpers", "_format_callback_source")?;
        let source = format.call1((callback, arguments))?;
        Ok(format!("<{name}{more} {source}>"))
    }
}

#[pymethods]
impl Handle {
    /// So that `isinstance` takes it for what it stands in for.
    #[getter(__class__)]
    fn class<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyType>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        CLASS.import(py, "asyncio", "Handle")
    }

    fn cancel(&self, py: Python<'_>) {
        self.forget(py);
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        self.is_cancelled(py)
    }

    fn get_context(&self, py: Python<'_>) -> Py<PyAny> {
        self.context.clone_ref(py)
    }

    #[pyo3(name = "_run")]
    fn run_method(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::run(slf)
    }

    #[getter(_cancelled)]
    fn cancelled_attribute(&self, py: Python<'_>) -> bool {
        self.is_cancelled(py)
    }

    #[getter(_callback)]
    fn callback_attribute<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.call(py).map(|(callback, _)| callback)
    }

    #[getter(_args)]
    fn arguments_attribute<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        self.call(py).map(|(_, arguments)| arguments)
    }

    #[getter(_loop)]
    fn event_loop_attribute(&self, py: Python<'_>) -> Py<EventLoopBase> {
        self.event_loop.clone_ref(py)
    }

    #[getter(_context)]
    fn context_attribute(&self, py: Python<'_>) -> Py<PyAny> {
        self.context.clone_ref(py)
    }

    /// Only asyncio's handles, which a loop in debug mode makes, know where they were made.
    #[getter(_source_traceback)]
    fn source_traceback_attribute(&self) -> Option<Py<PyAny>> {
        None
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.description(py, "Handle", "")
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.context)?;
        let look = |call: &Option<Call>| match call {
            Some(call) => {
                visit.call(&call.callback)?;
                visit.call(&call.arguments)
            }
            None => Ok(()),
        };
        self.call.visit(look).unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.forget(py);
    }
}

/// See `_engine.pyi`.
#[pyclass(frozen, extends = Handle, module = "sennit._engine")]
pub struct TimerHandle {
    when: f64,
    /// It is among the loop's timers.
    scheduled: AtomicBool,
}

impl TimerHandle {
    /// One that is among the timers.
    pub fn new(handle: Handle, when: f64) -> PyClassInitializer<Self> {
        PyClassInitializer::from(handle).add_subclass(Self {
            when,
            scheduled: AtomicBool::new(true),
        })
    }

    /// It has been taken from among the timers.
    pub fn leave(&self) {
        self.scheduled.store(false, Ordering::Relaxed);
    }
}

#[pymethods]
impl TimerHandle {
    #[getter(__class__)]
    fn class<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyType>> {
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        CLASS.import(py, "asyncio", "TimerHandle")
    }

    fn cancel(slf: &Bound<'_, Self>) {
        let py = slf.py();
        let handle = slf.as_super().get();
        if handle.forget(py) && slf.get().scheduled.load(Ordering::Relaxed) {
            handle.event_loop.get().queues().note_cancelled(py);
        }
    }

    fn when(&self) -> f64 {
        self.when
    }

    #[getter(_when)]
    fn when_attribute(&self) -> f64 {
        self.when
    }

    #[getter(_scheduled)]
    fn scheduled_attribute(&self) -> bool {
        self.scheduled.load(Ordering::Relaxed)
    }

    /// Timers are in the order of their times, and each is equal to itself alone.
    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operation: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let answer = match (operation, other.cast::<Self>()) {
            (CompareOp::Eq, _) => slf.is(other),
            (CompareOp::Ne, _) => !slf.is(other),
            (_, Ok(other)) => {
                let order = slf.get().when.total_cmp(&other.get().when);
                operation.matches(order)
            }
            (_, Err(_)) => return Ok(py.NotImplemented()),
        };
        Ok(answer.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(slf: &Bound<'_, Self>) -> usize {
        // Objects lie at multiples of 16.
        slf.as_ptr() as usize >> 4
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let when = format!(" when={}", slf.get().when);
        slf.as_super()
            .get()
            .description(slf.py(), "TimerHandle", &when)
    }
}
