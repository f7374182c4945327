//! The call of an application in the loop's thread. Where many connections are answered together, their requests are read
//! first and then their applications called: each part of the engine is run for many in a row, and finds its code in the
//! processor's caches. What the application is told is made just before its call, so that one environ after the other
//! has the same memory.

use std::sync::Arc;

use pyo3::prelude::*;

use super::Gateway;
use crate::conn::Conn;
use crate::dispatch;
use crate::request::Request;

/// A request that its application is to be called for.
pub struct Launch {
    gateway: Py<Gateway>,
    conn: Arc<Conn>,
    request: Py<Request>,
}

impl Launch {
    /// The call of the gateway's application for a request of `conn`.
    pub fn new(
        gateway: &Bound<'_, Gateway>,
        conn: Arc<Conn>,
        request: &Bound<'_, Request>,
    ) -> Self {
        Self {
            gateway: gateway.clone().unbind(),
            conn,
            request: request.clone().unbind(),
        }
    }

    /// Call the application, and send what it gives.
    pub fn go(self, py: Python<'_>) {
        let Self {
            gateway,
            conn,
            request,
        } = self;
        let gateway = gateway.bind(py);
        let request = request.into_bound(py);
        let resource = gateway.as_any();
        let done = match gateway.get().call_here(&request, &conn) {
            Ok(Some(pieces)) => {
                dispatch::try_respond(&conn, &request, pieces.bind(py).as_any(), Some(resource))
            }
            done => done.map(drop),
        };
        if let Err(error) = done {
            dispatch::failed(&request, error, Some(resource));
        }
        conn.service.get().take_back(request);
    }
}
