//! The queues under the names, and with as much of a deque and a list, as asyncio's own code uses of them.

use std::sync::Arc;

use pyo3::exceptions::PyIndexError;
use pyo3::intern;
use pyo3::prelude::*;

use super::handle::TimerHandle;
use super::queues::{Entry, Queues, TimedEntry};

/// `_ready` of a loop.
#[pyclass(frozen, module = "sennit._engine")]
pub struct ReadyHandles(pub Arc<Queues>);

#[pymethods]
impl ReadyHandles {
    fn append(&self, handle: &Bound<'_, PyAny>) {
        self.0.push(handle.py(), Entry::of(handle));
    }

    fn popleft(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let entry = self.0.pop(py).map(Entry::into_object);
        entry.ok_or_else(|| PyIndexError::new_err("nothing is to be called"))
    }

    fn clear(&self, py: Python<'_>) {
        self.0.clear_ready(py);
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.ready_count(py)
    }
}

/// `_scheduled` of a loop.
#[pyclass(frozen, module = "sennit._engine")]
pub struct ScheduledHandles(pub Arc<Queues>);

#[pymethods]
impl ScheduledHandles {
    /// In its place, that is: timers are called in the order of their times.
    fn append(&self, handle: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = handle.py();
        let when = handle.call_method0(intern!(py, "when"))?.extract()?;
        let entry = match handle.cast::<TimerHandle>() {
            Ok(ours) => TimedEntry::Ours(ours.as_super().clone().unbind()),
            Err(_) => TimedEntry::Asyncio(handle.clone().unbind()),
        };
        self.0.schedule(py, when, entry);
        Ok(())
    }

    fn clear(&self, py: Python<'_>) {
        self.0.clear_timers(py);
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.timer_count(py)
    }
}
