//! Coroutine handlers: stepped at once, and a Task's business only as long as they wait.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::dispatch;
use crate::errors;
use crate::request::Request;

/// What is done with a coroutine's result.
#[derive(Clone, Copy)]
enum Purpose {
    /// It is what a render method returns.
    Respond,
    /// It is the resource that traversal has found.
    Render,
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

fn run(
    request: &Bound<'_, Request>,
    coroutine: &Bound<'_, PyAny>,
    resource: Option<&Bound<'_, PyAny>>,
    purpose: Purpose,
    cancellable: bool,
) -> PyResult<()> {
    let py = request.py();
    let task = new_task(coroutine)?;
    if task.call_method0(intern!(py, "done"))?.is_truthy()? {
        return settle(request, &task, resource, purpose);
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
    let client_gone = left.is_none() && request.get().lock(py).is_lost();
    drop(left);
    let done = TaskDone {
        request: request.clone().unbind(),
        resource: resource.map(|r| r.clone().unbind()),
        purpose,
    };
    task.call_method1(intern!(py, "add_done_callback"), (Py::new(py, done)?,))?;
    let unbound = resource.map(|r| r.clone().unbind());
    if client_gone && cancellable && cancels_on_disconnect(py, unbound.as_ref()) {
        task.call_method0(intern!(py, "cancel"))?;
    }
    Ok(())
}

/// A Task of the running loop: started at once where Python can (3.12), so that `asyncio.current_task()`, time-outs and
/// context variables are right from its first step.
fn new_task<'py>(coroutine: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static TASK: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = coroutine.py();
    let running = RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?;
    let event_loop = match running.call0() {
        Ok(event_loop) => event_loop,
        Err(error) => {
            coroutine.call_method0(intern!(py, "close"))?;
            return Err(error);
        }
    };
    if !has_eager_tasks(py) {
        return event_loop.call_method1(intern!(py, "create_task"), (coroutine,));
    }
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "loop"), &event_loop)?;
    keywords.set_item(intern!(py, "eager_start"), true)?;
    TASK.import(py, "asyncio", "Task")?
        .call((coroutine,), Some(&keywords))
}

fn has_eager_tasks(py: Python<'_>) -> bool {
    py.version_info() >= (3, 12)
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

/// Use the result of a Task that is done.
fn settle(
    request: &Bound<'_, Request>,
    task: &Bound<'_, PyAny>,
    resource: Option<&Bound<'_, PyAny>>,
    purpose: Purpose,
) -> PyResult<()> {
    let py = request.py();
    let result = match task.call_method0(intern!(py, "result")) {
        Ok(result) => result,
        Err(error) => {
            // With its client gone, a handler's failure is its own cancellation, or nobody's to answer but still to be
            // heard of: `_failed` decides.
            dispatch::failed(request, error, resource);
            return Ok(());
        }
    };
    match purpose {
        Purpose::Respond => dispatch::respond(request, &result, resource),
        Purpose::Render => {
            if let Some(conn) = request.get().conn(py) {
                dispatch::render(&conn, request, &result);
            }
        }
    }
    Ok(())
}

/// The callback of a Task.
#[pyclass(frozen, module = "sennit._engine")]
struct TaskDone {
    request: Py<Request>,
    resource: Option<Py<PyAny>>,
    purpose: Purpose,
}

#[pymethods]
impl TaskDone {
    fn __call__(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        let request = self.request.bind(py);
        let old = Request::with_current(request, |state| {
            state
                .waiting
                .as_mut()
                .and_then(|waiting| waiting.task.take())
        });
        drop(old);
        let resource = self.resource.as_ref().map(|r| r.bind(py));
        settle(request, task, resource, self.purpose)
    }
}
