//! `Upstream` and `Forward`: what Python knows of the servers that requests are passed on to.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sennit_net::PeerAddr;
use sennit_wire::http1::client::Forwarding;
use sennit_wire::Limits;

use super::pool::Pool;
use crate::clock;
use crate::connection::address_from;
use crate::engine::Shared;
use crate::errors;
use crate::lock::Lock;
use crate::settings::{ticks, Ticks};
use crate::text::{bytes_of, Encoding};

/// How large the heads of an upstream's answers may be: larger than a client's, since the program behind it is one's own.
const LIMITS: Limits = Limits {
    request_line: 8190,
    header_bytes: 128 << 10,
    header_count: 256,
    chunk_line: 1024,
    trailer_bytes: 16 << 10,
};

/// What a program can choose about an upstream.
pub struct Options {
    /// Connections kept at rest.
    pub max_idle: usize,
    /// Connections at a time; `None`: no limit.
    pub max_connections: Option<usize>,
    /// How long a request may wait for its connection.
    pub connect_timeout: Option<Ticks>,
    /// How long the upstream may say nothing, or take nothing.
    pub read_timeout: Option<Ticks>,
    /// How long a connection may rest.
    pub idle_timeout: Option<Ticks>,
}

/// Where an upstream is.
struct Addresses {
    known: Arc<[PeerAddr]>,
    /// When to ask for them again; `None`: never.
    stale_at: Option<Ticks>,
    /// The threads that are asking, each for the loop that it runs.
    asking: Vec<usize>,
}

/// A number of the thread that asks for it, while it lives.
fn this_thread() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

/// A server that requests are passed on to.
pub struct Server {
    /// What it is called in the log.
    pub label: String,
    /// What was chosen about it.
    pub options: Options,
    /// What of its answers is refused.
    pub limits: Limits,
    addresses: Lock<Addresses>,
    /// Called with an `Upstream` when its addresses must be found out.
    resolve: Option<Py<PyAny>>,
    pools: Lock<Vec<Arc<Pool>>>,
}

impl Server {
    /// The pool of its connections in `engine`.
    pub fn pool(self: &Arc<Self>, py: Python<'_>, engine: &Arc<Shared>) -> Arc<Pool> {
        let mut pools = self.pools.lock(py);
        let here = |pool: &&Arc<Pool>| std::ptr::eq(pool.engine.as_ptr(), Arc::as_ptr(engine));
        if let Some(pool) = pools.iter().find(here) {
            pool.thread.store(this_thread(), Ordering::Relaxed);
            return Arc::clone(pool);
        }
        // Those of engines that are gone hold nothing that Python owns.
        pools.retain(|pool| pool.engine.strong_count() > 0);
        let engine: Weak<Shared> = Arc::downgrade(engine);
        let pool = Arc::new(Pool::new(Arc::clone(self), engine, this_thread()));
        pools.push(Arc::clone(&pool));
        pool
    }

    /// Its addresses; `None` if they are being asked for, which the pools are told the end of.
    pub fn addresses(self: &Arc<Self>, py: Python<'_>) -> Option<Arc<[PeerAddr]>> {
        let (known, ask) = {
            let mut addresses = self.addresses.lock(py);
            let stale = match addresses.stale_at {
                Some(at) => clock::has_come(at, clock::ticks()),
                None => addresses.known.is_empty(),
            };
            let thread = this_thread();
            let ask = stale && self.resolve.is_some() && !addresses.asking.contains(&thread);
            if ask {
                addresses.asking.push(thread);
            }
            let known = Arc::clone(&addresses.known);
            ((!known.is_empty()).then_some(known), ask)
        };
        if ask {
            self.ask(py);
        }
        known
    }

    /// Whether any address is known.
    pub fn has_addresses(&self, py: Python<'_>) -> bool {
        !self.addresses.lock(py).known.is_empty()
    }

    fn ask(self: &Arc<Self>, py: Python<'_>) {
        let Some(resolve) = &self.resolve else { return };
        let face = Upstream {
            server: Arc::clone(self),
        };
        let asked = Py::new(py, face).and_then(|face| resolve.call1(py, (face,)));
        if let Err(error) = asked {
            errors::log(py, "resolving an upstream's name", error);
            self.resolved(py, Vec::new(), None, "its name could not be asked for");
        }
    }

    /// The addresses are there, or there are none, for `reason`.
    fn resolved(
        self: &Arc<Self>,
        py: Python<'_>,
        found: Vec<PeerAddr>,
        time_to_live: Option<Ticks>,
        reason: &str,
    ) {
        let thread = this_thread();
        let has_asked = {
            let mut addresses = self.addresses.lock(py);
            let asking = addresses.asking.len();
            addresses.asking.retain(|other| *other != thread);
            let has_asked = addresses.asking.len() < asking;
            if !has_asked {
                addresses.asking.clear();
            }
            if !found.is_empty() {
                addresses.known = found.into();
                addresses.stale_at = time_to_live.map(|ttl| clock::ticks().wrapping_add(ttl));
            }
            has_asked
        };
        let pools: Vec<Arc<Pool>> = self.pools.lock(py).clone();
        for pool in pools {
            // Whoever waits in another loop has asked there, and hears of it there.
            if !has_asked || pool.thread.load(Ordering::Relaxed) == thread {
                pool.resolved(py, reason);
            }
        }
    }
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine", weakref)]
pub struct Upstream {
    server: Arc<Server>,
}

#[pymethods]
impl Upstream {
    #[new]
    #[pyo3(signature = (label, address=None, resolve=None, *, max_idle=64, max_connections=None, connect_timeout=None,
        read_timeout=None, idle_timeout=None))]
    #[allow(clippy::too_many_arguments)] // keywords, each by its name
    fn new(
        label: String,
        address: Option<&Bound<'_, PyAny>>,
        resolve: Option<Py<PyAny>>,
        max_idle: usize,
        max_connections: Option<usize>,
        connect_timeout: Option<f64>,
        read_timeout: Option<f64>,
        idle_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let known: Vec<PeerAddr> = match address {
            Some(address) => vec![address_from(address)?],
            None => Vec::new(),
        };
        if known.is_empty() && resolve.is_none() {
            return Err(PyValueError::new_err(
                "neither an address nor a way to find one",
            ));
        }
        let server = Server {
            label,
            options: Options {
                max_idle,
                max_connections: max_connections.map(|most| most.max(1)),
                connect_timeout: ticks(connect_timeout),
                read_timeout: ticks(read_timeout),
                idle_timeout: ticks(idle_timeout),
            },
            limits: LIMITS,
            addresses: Lock::new(Addresses {
                known: known.into(),
                stale_at: None,
                asking: Vec::new(),
            }),
            resolve,
            pools: Lock::new(Vec::new()),
        };
        Ok(Self {
            server: Arc::new(server),
        })
    }

    #[getter]
    fn label(&self) -> &str {
        &self.server.label
    }

    #[pyo3(signature = (addresses, time_to_live=None))]
    fn set_addresses(
        &self,
        py: Python<'_>,
        addresses: &Bound<'_, PyAny>,
        time_to_live: Option<f64>,
    ) -> PyResult<()> {
        let mut found = Vec::new();
        for address in addresses.try_iter()? {
            found.push(address_from(&address?)?);
        }
        self.server
            .resolved(py, found, ticks(time_to_live), "its name has no address");
        Ok(())
    }

    fn not_found(&self, py: Python<'_>, reason: &str) {
        self.server.resolved(py, Vec::new(), None, reason);
    }

    #[getter]
    fn connections(&self, py: Python<'_>) -> usize {
        let pools: Vec<Arc<Pool>> = self.server.pools.lock(py).clone();
        pools.iter().map(|pool| pool.open(py)).sum()
    }

    #[getter]
    fn idle(&self, py: Python<'_>) -> usize {
        let pools: Vec<Arc<Pool>> = self.server.pools.lock(py).clone();
        pools.iter().map(|pool| pool.resting(py)).sum()
    }

    fn close_idle(&self, py: Python<'_>) {
        let pools: Vec<Arc<Pool>> = self.server.pools.lock(py).clone();
        for pool in pools {
            pool.close_idle(py);
        }
    }
}

/// Where requests are passed on to, and how.
pub struct Route {
    /// The server.
    pub server: Arc<Server>,
    /// What their targets begin with.
    pub path: Vec<u8>,
    /// The value of Host; `None`: the client's.
    pub host: Option<Vec<u8>>,
    /// Whether and how the upstream is told whom they come from.
    pub forwarding: Forwarding,
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Forward {
    /// What it stands for.
    pub route: Arc<Route>,
}

#[pymethods]
impl Forward {
    #[new]
    fn new(
        upstream: &Bound<'_, Upstream>,
        path: &Bound<'_, PyAny>,
        host: Option<&Bound<'_, PyAny>>,
        forwarding: &str,
    ) -> PyResult<Self> {
        let mut path = bytes_of(path, Encoding::Utf8, "a path")?.into_owned();
        if !path.is_empty() && !path.starts_with(b"/") {
            path.insert(0, b'/');
        }
        if !path.iter().all(|byte| (0x21..=0x7e).contains(byte)) {
            return Err(PyValueError::new_err(
                "the path of a target is made of visible ASCII characters: quote others",
            ));
        }
        let host = match host {
            Some(host) => Some(crate::headers::value_of(host)?.into_owned()),
            None => None,
        };
        let forwarding = match forwarding {
            "replace" => Forwarding::Replace,
            "append" => Forwarding::Append,
            "off" => Forwarding::Off,
            other => {
                return Err(PyValueError::new_err(format!(
                    "forwarding is \"replace\", \"append\" or \"off\", not {other:?}"
                )))
            }
        };
        Ok(Self {
            route: Arc::new(Route {
                server: Arc::clone(&upstream.get().server),
                path,
                host,
                forwarding,
            }),
        })
    }
}
