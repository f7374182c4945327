//! What an ASGI application's scope and body are made of.

use pyo3::prelude::*;
use sennit_wire::Head;

use super::{Body, Request};

impl Request {
    /// Ask the head something.
    pub fn with_head<R: Default>(&self, py: Python<'_>, ask: impl FnOnce(&Head) -> R) -> R {
        self.lock(py).head.as_ref().map(ask).unwrap_or_default()
    }

    /// Make Python objects of the head. It is not in the state meanwhile, so that the lock need not be held.
    pub fn with_head_out<R>(&self, py: Python<'_>, make: impl FnOnce(&Head) -> R) -> Option<R> {
        let head = self.lock(py).head.take()?;
        let made = make(&head);
        self.lock(py).head = Some(head);
        Some(made)
    }

    /// The request's header fields, names in lower case, if the program has had them as an object.
    pub fn changed_headers(&self, py: Python<'_>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let headers = self.lock(py).request_headers.as_ref()?.clone_ref(py);
        let map = headers.get().lock(py);
        let fields = map
            .iter()
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_vec()));
        Some(fields.collect())
    }

    /// A collected body that is in memory and that nobody has looked at.
    pub fn take_memory(&self, py: Python<'_>) -> Option<Vec<u8>> {
        let mut state = self.lock(py);
        if state.content.is_some() {
            return None;
        }
        match std::mem::replace(&mut state.body, Body::Nothing) {
            Body::Nothing => Some(Vec::new()),
            Body::Memory(bytes) => Some(bytes),
            other => {
                state.body = other;
                None
            }
        }
    }

    /// Path segments walked by the engine.
    pub fn depth(&self, py: Python<'_>) -> usize {
        self.lock(py).depth
    }
}
