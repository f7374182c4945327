//! The part of our event loop that every step of a coroutine goes through: its queues, its timers, and its turns.
//!
//! A program that waits costs a few calls of the loop each time, and asyncio makes them in Python. Here they are native:
//! a turn waits in the engine, takes the timers that are due, and makes the calls that were asked for before it began.
//! What else a loop can do is asyncio's, of which `sennit.internet._engines` makes the one loop.

mod handle;
mod queues;
mod views;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::clock;
use crate::engine::{Engine, Shared};
use crate::lock::Lock;
use crate::turn;

pub use handle::{Handle, TimerHandle};
use queues::{Entry, Queues, TimedEntry};
pub use views::{ReadyHandles, ScheduledHandles};

fn future_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static FUTURE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    FUTURE.import(py, "asyncio", "Future")
}

/// See `_engine.pyi`.
#[pyclass(frozen, subclass, module = "sennit._engine")]
pub struct EventLoopBase {
    queues: Arc<Queues>,
    /// What it waits in.
    engine: OnceLock<Arc<Shared>>,
    closed: AtomicBool,
    /// The keyword arguments of its Futures.
    keywords: Lock<Option<Py<PyDict>>>,
}

impl EventLoopBase {
    /// Its queues.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    fn check_open(&self) -> PyResult<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err("Event loop is closed"));
        }
        Ok(())
    }

    fn add<'py>(
        slf: &Bound<'py, Self>,
        callback: Bound<'py, PyAny>,
        arguments: Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Handle>> {
        let event_loop = slf.get();
        event_loop.check_open()?;
        let handle = Handle::new(slf, callback, arguments, context)?;
        let handle = Bound::new(slf.py(), handle)?;
        let entry = Entry::Ours(handle.clone().unbind());
        event_loop.queues.push(slf.py(), entry);
        Ok(handle)
    }

    fn add_timer<'py>(
        slf: &Bound<'py, Self>,
        when: f64,
        callback: Bound<'py, PyAny>,
        arguments: Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, TimerHandle>> {
        let event_loop = slf.get();
        event_loop.check_open()?;
        let handle = Handle::timed(slf, callback, arguments, context)?;
        let timer = Bound::new(slf.py(), TimerHandle::new(handle, when))?;
        let entry = TimedEntry::Ours(timer.as_super().clone().unbind());
        event_loop.queues.schedule(slf.py(), when, entry);
        Ok(timer)
    }

    /// Wait for something to do; a handler that the engine calls meanwhile may give some, or stop the loop.
    fn wait(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let queues = &slf.get().queues;
        let engine = slf.get().engine.get();
        let engine = engine.ok_or_else(|| PyRuntimeError::new_err("the loop has no engine"))?;
        let stopping = || {
            slf.getattr(intern!(py, "_stopping"))
                .and_then(|stopping| stopping.is_truthy())
        };
        turn::settle_ready(py, engine);
        let mut timeout = match queues.idle_time(py, clock::monotonic()) {
            Some(Duration::ZERO) => Some(Duration::ZERO),
            _ if stopping()? => Some(Duration::ZERO),
            timeout => timeout,
        };
        loop {
            let done = turn::run(py, engine, timeout)?;
            if !done.foreign.is_empty() {
                slf.call_method1(intern!(py, "_serveDescriptors"), (done.foreign,))?;
                return Ok(());
            }
            if timeout == Some(Duration::ZERO) || done.interrupted || stopping()? {
                return Ok(());
            }
            timeout = queues.idle_time(py, clock::monotonic());
            if timeout == Some(Duration::ZERO) {
                return Ok(());
            }
        }
    }
}

#[pymethods]
impl EventLoopBase {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            queues: Arc::new(Queues::new()),
            engine: OnceLock::new(),
            closed: AtomicBool::new(false),
            keywords: Lock::new(None),
        }
    }

    #[pyo3(name = "_setUp")]
    fn set_up(&self, engine: &Bound<'_, Engine>) -> PyResult<(ReadyHandles, ScheduledHandles)> {
        self.engine
            .set(engine.get().shared())
            .map_err(|_| PyRuntimeError::new_err("a loop is set up once"))?;
        Ok((
            ReadyHandles(Arc::clone(&self.queues)),
            ScheduledHandles(Arc::clone(&self.queues)),
        ))
    }

    #[pyo3(name = "_end")]
    fn end(&self, py: Python<'_>) {
        self.closed.store(true, Ordering::Relaxed);
        let keywords = self.keywords.lock(py).take();
        drop(keywords);
    }

    fn time(&self) -> f64 {
        clock::monotonic()
    }

    #[pyo3(signature = (callback, *args, context=None))]
    fn call_soon<'py>(
        slf: &Bound<'py, Self>,
        callback: Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Handle>> {
        Self::add(slf, callback, args, context)
    }

    #[pyo3(name = "_call_soon")]
    fn call_soon_with<'py>(
        slf: &Bound<'py, Self>,
        callback: Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Handle>> {
        Self::add(slf, callback, args, context)
    }

    #[pyo3(signature = (delay, callback, *args, context=None))]
    fn call_later<'py>(
        slf: &Bound<'py, Self>,
        delay: f64,
        callback: Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, TimerHandle>> {
        Self::add_timer(slf, clock::monotonic() + delay, callback, args, context)
    }

    #[pyo3(signature = (when, callback, *args, context=None))]
    fn call_at<'py>(
        slf: &Bound<'py, Self>,
        when: f64,
        callback: Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, TimerHandle>> {
        Self::add_timer(slf, when, callback, args, context)
    }

    fn create_future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let known = {
            let keywords = slf.get().keywords.lock(py);
            keywords.as_ref().map(|k| k.bind(py).clone())
        };
        let keywords = match known {
            Some(keywords) => keywords,
            None => {
                let keywords = PyDict::new(py);
                keywords.set_item(intern!(py, "loop"), slf)?;
                let kept = keywords.clone().unbind();
                let old = slf.get().keywords.lock(py).replace(kept);
                drop(old);
                keywords
            }
        };
        future_class(py)?.call((), Some(&keywords))
    }

    #[pyo3(name = "_waitForWork")]
    fn wait_for_work(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let queues = &slf.get().queues;
        queues.tidy(py);
        Self::wait(slf)?;
        queues.take_due(py, clock::monotonic());
        Ok(())
    }

    /// What is asked for by the calls is for the next turn, after the engine has had its own.
    #[pyo3(name = "_run_once")]
    fn run_once(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::wait_for_work(slf)?;
        let py = slf.py();
        let queues = &slf.get().queues;
        for _ in 0..queues.ready_count(py) {
            let Some(entry) = queues.pop(py) else {
                break;
            };
            entry.run(py)?;
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let look = |keywords: &Option<Py<PyDict>>| visit.call(keywords);
        self.keywords.visit(look).unwrap_or(Ok(()))?;
        self.queues.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.queues.clear_ready(py);
        self.queues.clear_timers(py);
        let keywords = self.keywords.lock(py).take();
        drop(keywords);
    }
}
