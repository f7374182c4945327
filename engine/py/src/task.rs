//! Coroutine handlers: stepped at once, and a Task's business only as long as they wait.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use pyo3::exceptions::{PyException, PyStopIteration};
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::asgi::Exchange;
use crate::dispatch;
use crate::engine::Shared;
use crate::errors;
use crate::lock::Lock;
use crate::request::Request;
use crate::service::Service;

/// What is done with a coroutine's result.
enum Purpose {
    /// It is what a render method returns.
    Respond,
    /// It is the resource that traversal has found.
    Render,
    /// It says nothing: the coroutine is an ASGI application's.
    Application(Py<Exchange>),
}

/// What makes of a handler's coroutine the one that a Task can run: where Twisted's own Deferreds may be awaited, which
/// asyncio knows nothing of.
static ADAPTER: Lock<Option<Py<PyAny>>> = Lock::new(None);

/// Have each coroutine passed through `adapter` before a Task runs it.
#[pyfunction]
#[pyo3(signature = (adapter))]
pub fn adapt_coroutines(py: Python<'_>, adapter: Option<Py<PyAny>>) {
    let old = std::mem::replace(&mut *ADAPTER.lock(py), adapter);
    drop(old);
}

/// Run a handler's coroutine for `request`.
pub fn start(
    request: &Bound<'_, Request>,
    coroutine: &Bound<'_, PyAny>,
    resource: Option<&Bound<'_, PyAny>>,
    cancel_on_disconnect: bool,
) -> PyResult<()> {
    run(
        request,
        coroutine,
        resource,
        Purpose::Respond,
        cancel_on_disconnect,
    )
}

/// Run a traversal that had to wait for a child; what it finds is rendered.
pub fn start_traversal(request: &Bound<'_, Request>, coroutine: &Bound<'_, PyAny>) -> PyResult<()> {
    run(request, coroutine, None, Purpose::Render, true)
}

/// Run an ASGI application's coroutine.
pub fn start_application(
    request: &Bound<'_, Request>,
    coroutine: &Bound<'_, PyAny>,
    resource: &Bound<'_, PyAny>,
    exchange: &Bound<'_, Exchange>,
) -> PyResult<()> {
    let purpose = Purpose::Application(exchange.clone().unbind());
    run(request, coroutine, Some(resource), purpose, true)
}

/// The request that a Task of ours runs `coroutine` for, if it came to `service`.
pub fn request_of(
    service: &Bound<'_, Service>,
    coroutine: &Bound<'_, PyAny>,
) -> Option<Py<Request>> {
    let py = service.py();
    let handling = coroutine.cast::<Handling>().ok()?.get();
    let conn = handling.request.get().last_conn(py)?;
    conn.service
        .is(service)
        .then(|| handling.request.clone_ref(py))
}

fn run(
    request: &Bound<'_, Request>,
    coroutine: &Bound<'_, PyAny>,
    resource: Option<&Bound<'_, PyAny>>,
    purpose: Purpose,
    cancellable: bool,
) -> PyResult<()> {
    let py = request.py();
    let adapter = ADAPTER.lock(py).as_ref().map(|a| a.clone_ref(py));
    let adapted = match adapter {
        Some(adapter) => adapter.call1(py, (coroutine,))?,
        None => coroutine.clone().unbind(),
    };
    let handling = Handling {
        request: request.clone().unbind(),
        resource: resource.map(|r| r.clone().unbind()),
        coroutine: adapted,
        purpose,
        ended: AtomicBool::new(false),
    };
    let engine = request
        .get()
        .conn(py)
        .and_then(|conn| conn.engine.upgrade());
    let handling = Bound::new(py, handling)?;
    let task = new_task(handling.as_any(), coroutine, engine.as_deref())?;
    let ended = handling.get().ended.load(Ordering::Relaxed);
    if ended || (request.get().is_over(py) && !request.get().is_lost(py)) {
        return Ok(());
    }
    let left = Request::with_current(request, |state| {
        let waiting = state.waiting();
        let old = (
            waiting.task.replace(task.clone().unbind()),
            std::mem::replace(&mut waiting.resource, resource.map(|r| r.clone().unbind())),
        );
        waiting.uncancellable = !cancellable;
        old
    });
    let client_gone = left.is_none() && request.get().is_lost(py);
    drop(left);
    let unbound = resource.map(|r| r.clone().unbind());
    if client_gone && cancellable && cancels_on_disconnect(py, unbound.as_ref()) {
        task.call_method0(intern!(py, "cancel"))?;
    }
    Ok(())
}

/// A Task of the running loop: started at once where Python can (3.12), so that `asyncio.current_task()`, time-outs and
/// context variables are right from its first step.
fn new_task<'py>(
    handling: &Bound<'py, PyAny>,
    coroutine: &Bound<'py, PyAny>,
    engine: Option<&Shared>,
) -> PyResult<Bound<'py, PyAny>> {
    static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static TASK: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = handling.py();
    let running = RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?;
    let event_loop = match running.call0() {
        Ok(event_loop) => event_loop,
        Err(error) => {
            coroutine.call_method0(intern!(py, "close"))?;
            return Err(error);
        }
    };
    static EAGER: OnceLock<bool> = OnceLock::new();
    if !EAGER.get_or_init(|| py.version_info() >= (3, 12)) {
        return event_loop.call_method1(intern!(py, "create_task"), (handling,));
    }
    let make = || {
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "loop"), &event_loop)?;
        keywords.set_item(intern!(py, "eager_start"), true)?;
        PyResult::Ok(keywords)
    };
    let keywords = match engine {
        Some(engine) => engine.task_keywords(&event_loop, make)?,
        None => make()?,
    };
    TASK.import(py, "asyncio", "Task")?
        .call((handling,), Some(&keywords))
}

/// Whether the handler of `resource` is cancelled when its client leaves: unless its `cancelOnDisconnect` is false.
pub fn cancels_on_disconnect(py: Python<'_>, resource: Option<&Py<PyAny>>) -> bool {
    let Some(resource) = resource else {
        return true;
    };
    match resource
        .bind(py)
        .getattr_opt(intern!(py, "cancelOnDisconnect"))
    {
        Ok(Some(wish)) => wish.is_truthy().unwrap_or(true),
        Ok(None) => true,
        Err(error) => {
            errors::log(py, "cancelOnDisconnect", error);
            true
        }
    }
}

/// What the Task runs: the handler's coroutine, and then what is to be done with its result, in the same step. A
/// callback on the Task would come a turn of the loop later.
///
/// It is a coroutine by `collections.abc.Coroutine`; what debuggers ask of it is the handler's.
#[pyclass(frozen, module = "sennit._engine")]
struct Handling {
    request: Py<Request>,
    resource: Option<Py<PyAny>>,
    coroutine: Py<PyAny>,
    purpose: Purpose,
    /// The handler has returned or raised.
    ended: AtomicBool,
}

impl Handling {
    /// The handler has returned.
    fn returned(&self, result: &Bound<'_, PyAny>) {
        self.ended.store(true, Ordering::Relaxed);
        let py = result.py();
        let request = self.request.bind(py);
        match &self.purpose {
            Purpose::Respond => {
                let resource = self.resource.as_ref().map(|r| r.bind(py));
                dispatch::respond(request, result, resource);
            }
            Purpose::Render => {
                if let Some(conn) = request.get().conn(py) {
                    dispatch::render(&conn, request, result);
                }
            }
            Purpose::Application(exchange) => exchange.get().returned(py),
        }
    }

    /// The handler has raised. The Task ends as if nothing had happened, since the answer is made here; but a cancelled
    /// Task is to be cancelled, and what would stop the program (SystemExit and the like) stops it.
    fn raised(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyStopIteration>(py) {
            let value = error.value(py).getattr(intern!(py, "value"))?;
            self.returned(&value);
            return Ok(());
        }
        self.ended.store(true, Ordering::Relaxed);
        let ordinary = error.is_instance_of::<PyException>(py);
        if let Purpose::Application(exchange) = &self.purpose {
            exchange.get().raised(py, error.clone_ref(py));
        } else {
            let resource = self.resource.as_ref().map(|r| r.bind(py));
            dispatch::failed(self.request.bind(py), error.clone_ref(py), resource);
        }
        if ordinary {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// One step of the handler: what it yields, `None` when it has ended.
    fn step(&self, py: Python<'_>, value: *mut ffi::PyObject) -> PyResult<Option<Py<PyAny>>> {
        let mut result: *mut ffi::PyObject = std::ptr::null_mut();
        // SAFETY: both objects are live for the call; `result` becomes a new reference unless the outcome is an error.
        let (outcome, result) = unsafe {
            let outcome: c_int =
                ffi::PyIter_Send(self.coroutine.as_ptr(), value, &raw mut result) as c_int;
            (outcome, Bound::from_owned_ptr_or_opt(py, result))
        };
        match result {
            Some(result) if outcome == ffi::PySendResult::PYGEN_NEXT as c_int => {
                Ok(Some(result.unbind()))
            }
            Some(result) => {
                self.returned(&result);
                Ok(None)
            }
            None => self.raised(py, PyErr::fetch(py)).map(|()| None),
        }
    }
}

#[pymethods]
impl Handling {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.step(py, py.None().as_ptr())
    }

    fn send(&self, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let yielded = self.step(value.py(), value.as_ptr())?;
        yielded.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (*args))]
    fn throw(&self, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let py = args.py();
        match self
            .coroutine
            .bind(py)
            .call_method1(intern!(py, "throw"), args)
        {
            Ok(yielded) => Ok(yielded.unbind()),
            Err(error) => {
                self.raised(py, error)?;
                Err(PyStopIteration::new_err(()))
            }
        }
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.coroutine
            .call_method0(py, intern!(py, "close"))
            .map(drop)
    }

    /// Its name, frame, code and so on are the handler's.
    fn __getattr__(&self, name: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let name = name.cast::<pyo3::types::PyString>()?;
        self.coroutine
            .bind(name.py())
            .getattr(name)
            .map(Bound::unbind)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.request)?;
        visit.call(&self.resource)?;
        if let Purpose::Application(exchange) = &self.purpose {
            visit.call(exchange)?;
        }
        visit.call(&self.coroutine)
    }
}
