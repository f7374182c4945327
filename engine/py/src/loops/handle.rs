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
enum Call {
    /// `callback(*arguments)`, in a context.
    Any {
        callback: Py<PyAny>,
        arguments: Py<PyTuple>,
        context: Py<PyAny>,
    },
    /// What `asyncio.sleep` asks for: a result for its Future. All that follows from it has a context of its own.
    Wake {
        future: Py<PyAny>,
        result: Py<PyAny>,
    },
}

/// How far a handle has come.
enum Stage {
    Waiting(Call),
    /// Called: it holds nothing any more.
    Called,
    Cancelled,
}

impl Call {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Any {
                callback,
                arguments,
                context,
            } => Self::Any {
                callback: callback.clone_ref(py),
                arguments: arguments.clone_ref(py),
                context: context.clone_ref(py),
            },
            Self::Wake { future, result } => Self::Wake {
                future: future.clone_ref(py),
                result: result.clone_ref(py),
            },
        }
    }

    fn run(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Any {
                callback,
                arguments,
                context,
            } => call_in_context(callback.bind(py), arguments.bind(py), context.bind(py)),
            Self::Wake { future, result } => {
                let future = future.bind(py);
                if !future.call_method0(intern!(py, "cancelled"))?.is_truthy()? {
                    future.call_method1(intern!(py, "set_result"), (result,))?;
                }
                Ok(())
            }
        }
    }

    /// What is called, and with what.
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        Ok(match self {
            Self::Any {
                callback,
                arguments,
                ..
            } => (callback.bind(py).clone(), arguments.bind(py).clone()),
            Self::Wake { future, result } => {
                let arguments = [future.bind(py), result.bind(py)];
                (wake_function(py)?.clone(), PyTuple::new(py, arguments)?)
            }
        })
    }
}

/// The callback of the timers of `asyncio.sleep`.
fn wake_function(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FUNCTION.import(py, "asyncio.futures", "_set_result_unless_cancelled")
}

fn call_in_context(
    callback: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    context: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = callback.py();
    // SAFETY: the object is alive; one that is no context, or is entered already, gives an exception.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(py));
    }
    let called = callback.call(arguments, None);
    // SAFETY: it was entered in this thread just above.
    if unsafe { ffi::PyContext_Exit(context.as_ptr()) } != 0 {
        return Err(PyErr::fetch(py));
    }
    called.map(drop)
}

/// See `_engine.pyi`.
///
/// The garbage collector doesn't know handles: there are many, and what they hold they give up once they are called or
/// cancelled. Until then a loop holds them, and the collector is told of what they hold by the loop.
#[pyclass(frozen, subclass, weakref, module = "sennit._engine")]
pub struct Handle {
    event_loop: Py<EventLoopBase>,
    stage: Lock<Stage>,
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
        let call = Call::Any {
            callback: callback.unbind(),
            arguments: arguments.unbind(),
            context: context.unbind(),
        };
        Ok(Self::of(event_loop, call))
    }

    /// What a timer calls: as `new`, but `asyncio.sleep` is known.
    pub fn timed(
        event_loop: &Bound<'_, EventLoopBase>,
        callback: Bound<'_, PyAny>,
        arguments: Bound<'_, PyTuple>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = event_loop.py();
        if context.is_none() && callback.is(wake_function(py)?) && arguments.len() == 2 {
            let future = arguments.get_borrowed_item(0)?;
            if future.is_exact_instance(super::future_class(py)?) {
                let call = Call::Wake {
                    future: future.to_owned().unbind(),
                    result: arguments.get_item(1)?.unbind(),
                };
                return Ok(Self::of(event_loop, call));
            }
        }
        Self::new(event_loop, callback, arguments, context)
    }

    fn of(event_loop: &Bound<'_, EventLoopBase>, call: Call) -> Self {
        Self {
            event_loop: event_loop.clone().unbind(),
            stage: Lock::new(Stage::Waiting(call)),
        }
    }

    /// Whether it has been cancelled.
    pub fn is_cancelled(&self, py: Python<'_>) -> bool {
        matches!(*self.stage.lock(py), Stage::Cancelled)
    }

    fn come_to(&self, py: Python<'_>, stage: Stage) -> Stage {
        std::mem::replace(&mut *self.stage.lock(py), stage)
    }

    /// The call, to be made now, if there is still one to make.
    fn take_call(&self, py: Python<'_>) -> Option<Call> {
        let mut stage = self.stage.lock(py);
        match std::mem::replace(&mut *stage, Stage::Called) {
            Stage::Waiting(call) => Some(call),
            over => {
                *stage = over;
                None
            }
        }
    }

    /// Forget the call; gives whether there was one.
    fn forget(&self, py: Python<'_>) -> bool {
        let before = self.come_to(py, Stage::Cancelled);
        matches!(before, Stage::Waiting(_))
    }

    fn call(&self, py: Python<'_>) -> Option<Call> {
        match &*self.stage.lock(py) {
            Stage::Waiting(call) => Some(call.clone_ref(py)),
            _ => None,
        }
    }

    /// Show the garbage collector what a handle holds that nobody but its loop has.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        let look = |stage: &Stage| match stage {
            Stage::Waiting(Call::Any {
                callback,
                arguments,
                context,
            }) => {
                visit.call(callback)?;
                visit.call(arguments)?;
                visit.call(context)
            }
            Stage::Waiting(Call::Wake { future, result }) => {
                visit.call(future)?;
                visit.call(result)
            }
            _ => Ok(()),
        };
        self.stage.visit(look).unwrap_or(Ok(()))
    }

    /// Make the call, unless it is cancelled. What it raises goes to the loop's exception handler, except what stops
    /// the program.
    pub fn run(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let Some(call) = slf.get().take_call(py) else {
            return Ok(());
        };
        let Err(error) = call.run(py) else {
            return Ok(());
        };
        if error.is_instance_of::<PySystemExit>(py)
            || error.is_instance_of::<PyKeyboardInterrupt>(py)
        {
            return Err(error);
        }
        Self::report(slf, call, &error)
    }

    /// Have the loop's exception handler told of what a call has raised. It sees the handle as it was before.
    fn report(slf: &Bound<'_, Self>, call: Call, error: &PyErr) -> PyResult<()> {
        let py = slf.py();
        let (callback, arguments) = call.parts(py)?;
        let before = slf.get().come_to(py, Stage::Waiting(call));
        let report = intern!(py, "_reportFailure");
        let raised = errors::raised(py, error);
        let reported = slf
            .get()
            .event_loop
            .bind(py)
            .call_method1(report, (slf, callback, arguments, raised));
        // The exception handler may have cancelled it.
        if slf.get().take_call(py).is_some() {
            slf.get().come_to(py, before);
        }
        reported.map(drop)
    }

    /// `<Handle f() at file.py:1>`, with `more` before the callback.
    fn description(&self, py: Python<'_>, name: &str, more: &str) -> PyResult<String> {
        static FORMAT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let Some(call) = self.call(py) else {
            let stage = if self.is_cancelled(py) {
                "cancelled"
            } else {
                "called"
            };
            return Ok(format!("<{name} {stage}{more}>"));
        };
        let format = FORMAT.import(py, "asyncio.format_helpers", "_format_callback_source")?;
        let source = format.call1(call.parts(py)?)?;
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

    fn get_context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.call(py) {
            Some(Call::Any { context, .. }) => Ok(context.into_bound(py)),
            _ => copied_context(py),
        }
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
    fn callback_attribute<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let parts = self.call(py).map(|call| call.parts(py)).transpose()?;
        Ok(parts.map(|(callback, _)| callback))
    }

    #[getter(_args)]
    fn arguments_attribute<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let parts = self.call(py).map(|call| call.parts(py)).transpose()?;
        Ok(parts.map(|(_, arguments)| arguments))
    }

    #[getter(_loop)]
    fn event_loop_attribute(&self, py: Python<'_>) -> Py<EventLoopBase> {
        self.event_loop.clone_ref(py)
    }

    /// Only asyncio's handles, which a loop in debug mode makes, know where they were made.
    #[getter(_source_traceback)]
    fn source_traceback_attribute(&self) -> Option<Py<PyAny>> {
        None
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.description(py, "Handle", "")
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
