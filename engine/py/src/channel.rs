//! `Channel`: a connection without a socket. The same code serves it; bytes are given to it and taken from it.

use std::sync::{Arc, Weak};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::batch::Batch;
use crate::clock;
use crate::conn::{Conn, Transport};
use crate::connection::address_from;
use crate::service::Service;

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine", weakref)]
pub struct Channel {
    conn: Arc<Conn>,
}

#[pymethods]
impl Channel {
    #[new]
    #[pyo3(signature = (service, peer=None, host=None, secure=false))]
    fn new(
        py: Python<'_>,
        service: Py<Service>,
        peer: Option<&Bound<'_, PyAny>>,
        host: Option<&Bound<'_, PyAny>>,
        secure: bool,
    ) -> PyResult<Self> {
        let local = |port| {
            sennit_net::PeerAddr::V4(std::net::SocketAddrV4::new(
                std::net::Ipv4Addr::LOCALHOST,
                port,
            ))
        };
        let peer = peer.map_or_else(|| Ok(local(0)), address_from)?;
        let host = host.map_or_else(|| Ok(local(80)), address_from)?;
        service.get().admit();
        let conn = Conn::new(
            Transport::Memory,
            service,
            Weak::new(),
            0,
            (peer, host, secure),
        );
        conn.lock(py).rearm(clock::ticks());
        Ok(Self {
            conn: Arc::new(conn),
        })
    }

    fn receive(&self, py: Python<'_>, data: &[u8]) {
        self.conn.receive(py, &mut Batch::default(), data);
        self.settle(py);
    }

    fn receive_eof(&self, py: Python<'_>) {
        self.conn.on_end_of_input(py);
    }

    fn disconnect(&self, py: Python<'_>) {
        self.conn.lose(py, "lost", false);
    }

    fn data_to_send<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.settle(py);
        let taken = self.conn.lock(py).out.take_all();
        let Ok(bytes) = taken else {
            // A file that ends before it should: the response can only be cut.
            self.conn.lose(py, "lost", false);
            return PyBytes::new(py, b"");
        };
        // What was taken makes room for more.
        self.settle(py);
        PyBytes::new(py, &bytes)
    }

    fn tick(&self, py: Python<'_>, seconds: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        let ticks = (seconds * 10.0) as u32;
        {
            let mut state = self.conn.lock(py);
            state.deadline = state.deadline.map(|at| at.wrapping_sub(ticks));
        }
        self.conn.on_timer(py, clock::ticks());
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.settle(py);
        let state = self.conn.lock(py);
        let over = state.facts.close_after && state.request.is_none();
        over || matches!(state.transport, Transport::Closed)
    }
}

impl Channel {
    fn settle(&self, py: Python<'_>) {
        self.conn.lock(py).facts.queued = false;
        self.conn.settle(py);
    }
}
