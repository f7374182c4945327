//! What `receive` and `send` return: awaitables that are done, and one that waits.
//!
//! Each is a coroutine by `collections.abc.Coroutine`, so that `asyncio.create_task(receive())` works too.

use pyo3::exceptions::PyStopIteration;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyIterator, PyTuple};

use super::exchange::{Exchange, Polled};
use super::files::Transfer;
use crate::lock::Lock;

/// What was sent is on its way: there is nothing to wait for, and the result is `None`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Sent;

/// A message that is there already.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Received {
    message: Lock<Option<Py<PyAny>>>,
}

/// What is waited for.
pub enum Awaited {
    /// A message for the application.
    Message,
    /// Room for more of the response.
    Room,
    /// Room, and then more of a file.
    File(Transfer),
    /// The other tasks of the loop: this one has had its turn.
    Turn,
}

/// Waits for its exchange.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Waiting {
    exchange: Py<Exchange>,
    state: Lock<Wait>,
}

struct Wait {
    awaited: Option<Awaited>,
    /// The iterator of the Future that wakes us.
    future: Option<Py<PyAny>>,
}

/// The one `Sent` that there is.
pub fn sent(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static SENT: PyOnceLock<Py<Sent>> = PyOnceLock::new();
    SENT.get_or_try_init(py, || Py::new(py, Sent))
        .map(|sent| sent.clone_ref(py).into_any())
}

/// A `Received` with `message`.
pub fn received(py: Python<'_>, message: Py<PyAny>) -> PyResult<Py<PyAny>> {
    let message = Lock::new(Some(message));
    Ok(Py::new(py, Received { message })?.into_any())
}

/// A `Waiting` for what is `awaited`.
pub fn waiting(exchange: &Bound<'_, Exchange>, awaited: Awaited) -> PyResult<Py<PyAny>> {
    let state = Lock::new(Wait {
        awaited: Some(awaited),
        future: None,
    });
    let waiting = Waiting {
        exchange: exchange.clone().unbind(),
        state,
    };
    Ok(Py::new(exchange.py(), waiting)?.into_any())
}

/// The exception that `throw` was called with.
fn thrown(args: &Bound<'_, PyTuple>) -> PyErr {
    let first = match args.get_item(1).ok().filter(|value| !value.is_none()) {
        Some(value) => Ok(value),
        None => args.get_item(0),
    };
    match first {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

#[pymethods]
impl Sent {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[expect(clippy::unused_self, reason = "it is a method of the protocol")]
    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (*args))]
    fn throw(&self, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        Err(thrown(args))
    }

    fn close(&self) {}
}

#[pymethods]
impl Received {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let message = self.message.lock(py).take();
        match message {
            Some(message) => Err(PyStopIteration::new_err((message,))),
            None => Ok(None),
        }
    }

    fn send(&self, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let message = self.message.lock(value.py()).take();
        Err(PyStopIteration::new_err((message,)))
    }

    #[pyo3(signature = (*args))]
    fn throw(&self, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        Err(thrown(args))
    }

    fn close(&self) {}

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.message.visit(|m| visit.call(m)).unwrap_or(Ok(()))
    }
}

/// How a step of a `Waiting` ends.
enum Step {
    Yield(Py<PyAny>),
    Done(Option<Py<PyAny>>),
}

impl Waiting {
    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        loop {
            let future = self.state.lock(py).future.take();
            if let Some(future) = future {
                let mut iterator = future.bind(py).cast::<PyIterator>()?.clone();
                if let Some(yielded) = iterator.next() {
                    self.state.lock(py).future = Some(future);
                    return Ok(Step::Yield(yielded?.unbind()));
                }
            }
            let Some(awaited) = self.state.lock(py).awaited.take() else {
                return Ok(Step::Done(None));
            };
            let exchange = self.exchange.bind(py);
            if matches!(awaited, Awaited::Turn) {
                return Ok(Step::Yield(py.None()));
            }
            let (polled, awaited) = match awaited {
                Awaited::File(mut transfer) => (transfer.go_on(exchange)?, Awaited::File(transfer)),
                Awaited::Room => (exchange.get().poll_room(py)?, awaited),
                Awaited::Message | Awaited::Turn => (Exchange::poll_message(exchange)?, awaited),
            };
            match polled {
                Polled::Ready(result) => return Ok(Step::Done(result)),
                Polled::Turn => {
                    self.state.lock(py).awaited = Some(awaited);
                    return Ok(Step::Yield(py.None()));
                }
                Polled::Pending => {
                    let for_room = !matches!(awaited, Awaited::Message);
                    let future = Exchange::new_waiter(exchange, for_room)?;
                    let mut state = self.state.lock(py);
                    state.awaited = Some(awaited);
                    state.future = Some(future);
                }
            }
        }
    }
}

#[pymethods]
impl Waiting {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.step(py)? {
            Step::Yield(object) => Ok(Some(object)),
            Step::Done(None) => Ok(None),
            Step::Done(Some(message)) => Err(PyStopIteration::new_err((message,))),
        }
    }

    fn send(&self, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match self.step(value.py())? {
            Step::Yield(object) => Ok(object),
            Step::Done(message) => Err(PyStopIteration::new_err((message,))),
        }
    }

    #[pyo3(signature = (*args))]
    fn throw(&self, args: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        self.close(args.py());
        Err(thrown(args))
    }

    fn close(&self, py: Python<'_>) {
        let (awaited, future) = {
            let mut state = self.state.lock(py);
            (state.awaited.take(), state.future.take())
        };
        drop((awaited, future));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        self.state
            .visit(|state| visit.call(&state.future))
            .unwrap_or(Ok(()))
    }
}

/// A Future of the running loop.
pub fn new_future(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    RUNNING_LOOP
        .import(py, "asyncio", "get_running_loop")?
        .call0()?
        .call_method0(intern!(py, "create_future"))
}
