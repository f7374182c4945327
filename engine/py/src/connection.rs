//! `Connection`: what a program sees of the connection that its request came by.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use sennit_net::PeerAddr;

use crate::conn::Conn;

/// A request's `channel`; see `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Connection {
    conn: Arc<Conn>,
}

impl Connection {
    /// A Python object for `conn`.
    pub fn wrap(py: Python<'_>, conn: Arc<Conn>) -> PyResult<Bound<'_, PyAny>> {
        Ok(Bound::new(py, Self { conn })?.into_any())
    }
}

/// An address as Python's socket module tells it.
pub fn address<'py>(py: Python<'py>, addr: &PeerAddr) -> PyResult<Bound<'py, PyAny>> {
    Ok(match addr {
        PeerAddr::V4(v4) => (v4.ip().to_string(), v4.port())
            .into_pyobject(py)?
            .into_any(),
        PeerAddr::V6(v6) => (v6.ip().to_string(), v6.port(), v6.flowinfo(), v6.scope_id())
            .into_pyobject(py)?
            .into_any(),
        PeerAddr::Unix(Some(path)) => match std::str::from_utf8(path) {
            Ok(text) => PyString::new(py, text).into_any(),
            Err(_) => PyBytes::new(py, path).into_any(),
        },
        PeerAddr::Unix(None) => PyString::new(py, "").into_any(),
        PeerAddr::Unnamed => py.None().into_bound(py),
    })
}

/// The other way round, for channels.
pub fn address_from(object: &Bound<'_, PyAny>) -> PyResult<PeerAddr> {
    if object.is_none() {
        return Ok(PeerAddr::Unnamed);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        let host: String = tuple.get_item(0)?.extract()?;
        let port: u16 = tuple.get_item(1)?.extract()?;
        let ip: std::net::IpAddr = host.parse().map_err(|_| {
            pyo3::exceptions::PyValueError::new_err(format!("not an IP address: {host:?}"))
        })?;
        return Ok(match ip {
            std::net::IpAddr::V4(ip) => PeerAddr::V4(std::net::SocketAddrV4::new(ip, port)),
            std::net::IpAddr::V6(ip) => PeerAddr::V6(std::net::SocketAddrV6::new(ip, port, 0, 0)),
        });
    }
    let path = crate::text::bytes_of(object, crate::text::Encoding::Utf8, "an address")?;
    Ok(PeerAddr::Unix(Some(path.into_owned().into())))
}

#[pymethods]
impl Connection {
    fn get_peer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        address(py, self.conn.peer())
    }
    fn get_host<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        address(py, self.conn.host())
    }
    fn is_secure(&self) -> bool {
        self.conn.is_secure()
    }
    fn lose_connection(&self, py: Python<'_>) {
        self.conn.end_after_output(py);
    }
    fn abort_connection(&self, py: Python<'_>) {
        self.conn.lose(py, "lost", true);
    }
    #[getter]
    fn disconnected(&self, py: Python<'_>) -> bool {
        self.conn.is_closed(py)
    }
}
