//! `Engine`: listening sockets and connections, served inside the thread of an event loop.
//!
//! A turn is one wait on the poller and one pass over what is ready; see `turn`. All state is behind one lock with
//! the rule of `conn`: no Python call while it is held.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::lock::Lock;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use sennit_net::{Interest, Listener, Poller, Socket, Wheel};
use slab::Slab;

use crate::clock;
use crate::conn::{Conn, Transport};
use crate::errors;
use crate::service::Service;
use crate::settings::{self, Ticks};
use crate::turn;
use crate::upstream::{Link, Pool};

/// What a token of the poller stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A listening socket of ours.
    Listener,
    /// A connection of ours.
    Connection,
    /// A descriptor of the event loop's.
    Foreign,
    /// A connection to an upstream.
    Link,
}

/// Tokens: kind in two bits, then a generation, then the place in a slab (or the descriptor's number).
pub fn token(kind: Kind, generation: u32, index: usize) -> u64 {
    let kind = match kind {
        Kind::Listener => 1u64,
        Kind::Connection => 2,
        Kind::Foreign => 3,
        Kind::Link => 0,
    };
    kind << 62 | u64::from(generation & 0x3fff_ffff) << 32 | (index as u64 & 0xffff_ffff)
}

/// The kind and the place of a token.
pub fn parts(token: u64) -> (Kind, usize) {
    let kind = match token >> 62 {
        1 => Kind::Listener,
        2 => Kind::Connection,
        3 => Kind::Foreign,
        _ => Kind::Link,
    };
    let index = (token & 0xffff_ffff) as usize;
    (kind, index)
}

/// A listening socket and whose it is.
pub struct Listening {
    /// The socket.
    pub listener: Listener,
    /// The site.
    pub service: Py<Service>,
    /// How many connections are accepted before others get their turn.
    pub accepts_per_turn: usize,
}

/// What an engine keeps.
pub struct State {
    /// Its listening sockets.
    pub listeners: Slab<Arc<Listening>>,
    /// Its connections.
    pub conns: Slab<Arc<Conn>>,
    /// Its connections to upstreams.
    pub links: Slab<Arc<Link>>,
    /// The deadlines of both.
    pub wheel: Wheel,
    /// Connections to look after at the end of the turn.
    pub ready: Vec<Arc<Conn>>,
    /// Foreign descriptors and what they are watched for.
    pub foreign: Vec<(RawFd, u8)>,
    /// Listeners that are not watched for a while.
    pub resting: Vec<(usize, Instant)>,
    generation: u32,
    flush_hook: Option<Py<PyAny>>,
    flush_pending: bool,
    /// The loop that runs this engine, once a handler has needed a Task of it, and the keyword arguments of its Tasks.
    tasks: Option<(Py<PyAny>, Py<PyDict>)>,
    /// A thread has asked the loop for a turn.
    call_pending: bool,
}

/// What connections know of their engine.
pub struct Shared {
    /// The poller; its methods need no lock.
    pub poller: Poller,
    /// The rest.
    pub state: Lock<State>,
    /// What a turn works with; taken out while one is under way.
    pub tools: Lock<Option<turn::Tools>>,
    /// A turn is under way: what is queued will be looked after at its end.
    pub in_turn: AtomicBool,
}

impl Shared {
    /// Look after `conn` at the end of the turn.
    pub fn queue(self: &Arc<Self>, py: Python<'_>, conn: Arc<Conn>) {
        let hook = {
            let mut state = self.state.lock(py);
            state.ready.push(conn);
            let must_ask = !self.in_turn.load(Ordering::Relaxed) && !state.flush_pending;
            match &state.flush_hook {
                Some(hook) if must_ask => {
                    let hook = hook.clone_ref(py);
                    state.flush_pending = true;
                    Some(hook)
                }
                _ => None,
            }
        };
        if let Some(hook) = hook {
            let flush = Py::new(
                py,
                Flush {
                    shared: Arc::clone(self),
                },
            );
            let asked = flush.and_then(|flush| hook.call1(py, (flush,)));
            errors::log_if_failed(py, "asking the loop for a turn", asked);
        }
    }

    /// The keyword arguments for a Task of `event_loop`, from `make` the first time.
    pub fn task_keywords<'py>(
        &self,
        event_loop: &Bound<'py, PyAny>,
        make: impl FnOnce() -> PyResult<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = event_loop.py();
        if let Some((known, keywords)) = &self.state.lock(py).tasks {
            if known.is(event_loop) {
                return Ok(keywords.bind(py).clone());
            }
        }
        let keywords = make()?;
        let kept = (event_loop.clone().unbind(), keywords.clone().unbind());
        let old = self.state.lock(py).tasks.replace(kept);
        drop(old);
        Ok(keywords)
    }

    /// Let the wheel look at a connection at `at`.
    pub fn schedule(&self, py: Python<'_>, token: u64, at: Ticks) {
        self.state.lock(py).wheel.insert(token, at);
    }

    /// A connection has given its transport up.
    pub fn forget(&self, py: Python<'_>, token: u64) {
        let (_, index) = parts(token);
        let conn = {
            let mut state = self.state.lock(py);
            match state.conns.get(index) {
                Some(conn) if conn.token == token => Some(state.conns.remove(index)),
                _ => None,
            }
        };
        drop(conn);
    }

    /// The connection that `token` stands for, if it still is.
    pub fn conn(&self, py: Python<'_>, token: u64) -> Option<Arc<Conn>> {
        let (_, index) = parts(token);
        let state = self.state.lock(py);
        state
            .conns
            .get(index)
            .filter(|conn| conn.token == token)
            .cloned()
    }

    /// A new link of `pool`, without a socket yet.
    pub fn add_link(&self, py: Python<'_>, pool: &Arc<Pool>) -> Arc<Link> {
        let mut state = self.state.lock(py);
        state.generation = state.generation.wrapping_add(1);
        let generation = state.generation;
        let entry = state.links.vacant_entry();
        let token = token(Kind::Link, generation, entry.key());
        let link = Arc::new(Link::new(Arc::clone(pool), token));
        entry.insert(Arc::clone(&link));
        link
    }

    /// The link that `token` stands for, if it still is.
    pub fn link(&self, py: Python<'_>, token: u64) -> Option<Arc<Link>> {
        let (_, index) = parts(token);
        let state = self.state.lock(py);
        let link = state.links.get(index);
        link.filter(|link| link.token == token).cloned()
    }

    /// The links of one pool.
    pub fn links_of(&self, py: Python<'_>, pool: &Pool) -> Vec<Arc<Link>> {
        let state = self.state.lock(py);
        let all = state.links.iter().map(|(_, link)| link);
        all.filter(|link| link.is_of(pool)).cloned().collect()
    }

    /// A link is closed.
    pub fn forget_link(&self, py: Python<'_>, token: u64) {
        let (_, index) = parts(token);
        let link = {
            let mut state = self.state.lock(py);
            match state.links.get(index) {
                Some(link) if link.token == token => Some(state.links.remove(index)),
                _ => None,
            }
        };
        drop(link);
    }

    /// Serve a connected socket.
    pub fn adopt(
        self: &Arc<Self>,
        py: Python<'_>,
        socket: Socket,
        peer: sennit_net::PeerAddr,
        host: sennit_net::PeerAddr,
        service: Py<Service>,
    ) -> std::io::Result<Option<Arc<Conn>>> {
        if !service.get().admit() {
            return Ok(None);
        }
        let mut state = self.state.lock(py);
        state.generation = state.generation.wrapping_add(1);
        let generation = state.generation;
        let entry = state.conns.vacant_entry();
        let token = token(Kind::Connection, generation, entry.key());
        let added = self.poller.add(&socket, token, Interest::READ_EDGE);
        let engine: Weak<Self> = Arc::downgrade(self);
        let transport = Transport::Socket(socket);
        let conn = Arc::new(Conn::new(
            transport,
            service,
            engine,
            token,
            (peer, host, false),
        ));
        if let Err(error) = added {
            drop(state);
            return Err(error);
        }
        entry.insert(Arc::clone(&conn));
        let deadline = conn.lock(py).rearm(clock::ticks());
        if let Some(at) = deadline {
            state.wheel.insert(token, at);
        }
        Ok(Some(conn))
    }

    /// The connections of one site, or all.
    fn conns_of(&self, py: Python<'_>, service: Option<&Py<Service>>) -> Vec<Arc<Conn>> {
        let state = self.state.lock(py);
        let wanted = |conn: &Arc<Conn>| service.is_none_or(|s| s.is(&conn.service));
        state
            .conns
            .iter()
            .map(|(_, conn)| conn)
            .filter(|conn| wanted(conn))
            .cloned()
            .collect()
    }

    /// Look after `conn` in the loop's thread, soon: for other threads. `call` gets a function to call there, and gives
    /// whether there still is a loop.
    pub fn queue_aside(
        self: &Arc<Self>,
        py: Python<'_>,
        conn: Arc<Conn>,
        call: impl FnOnce(Bound<'_, PyAny>) -> PyResult<bool>,
    ) -> PyResult<bool> {
        {
            let mut state = self.state.lock(py);
            state.ready.push(conn);
            if std::mem::replace(&mut state.call_pending, true) {
                return Ok(true);
            }
        }
        let flush = Flush {
            shared: Arc::clone(self),
        };
        let called = Bound::new(py, flush).and_then(|flush| call(flush.into_any()));
        if !matches!(called, Ok(true)) {
            self.state.lock(py).call_pending = false;
        }
        called
    }

    /// Take note that the flush that was asked for is under way.
    pub fn flush_is_here(&self, py: Python<'_>) {
        let mut state = self.state.lock(py);
        state.flush_pending = false;
        state.call_pending = false;
    }
}

/// What a foreign loop calls soon.
#[pyclass(frozen, module = "sennit._engine")]
struct Flush {
    shared: Arc<Shared>,
}

#[pymethods]
impl Flush {
    fn __call__(&self, py: Python<'_>) {
        self.shared.flush_is_here(py);
        turn::settle_ready(py, &self.shared);
    }
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine", weakref)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Take a descriptor over that Python code gives up.
pub fn own_descriptor(fd: RawFd) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(pyo3::exceptions::PyValueError::new_err(
            "not a file descriptor",
        ));
    }
    // SAFETY: the caller gives the descriptor up to the engine, as the method's contract says, and it is not negative.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Engine {
    /// What its connections know of it.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

#[pymethods]
impl Engine {
    #[new]
    fn new() -> PyResult<Self> {
        let state = State {
            listeners: Slab::new(),
            conns: Slab::new(),
            links: Slab::new(),
            wheel: Wheel::with_slot(clock::origin(), 1),
            ready: Vec::new(),
            foreign: Vec::new(),
            resting: Vec::new(),
            generation: 0,
            flush_hook: None,
            flush_pending: false,
            tasks: None,
            call_pending: false,
        };
        let shared = Shared {
            poller: Poller::new()?,
            state: Lock::new(state),
            tools: Lock::new(Some(turn::Tools::new())),
            in_turn: AtomicBool::new(false),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    fn fileno(&self) -> RawFd {
        self.shared.poller.as_raw_fd()
    }

    #[pyo3(signature = (fd, service, accepts_per_turn=64))]
    fn add_listener(
        &self,
        py: Python<'_>,
        fd: RawFd,
        service: Py<Service>,
        accepts_per_turn: usize,
    ) -> PyResult<usize> {
        let listener = Listener::from_fd(own_descriptor(fd)?)?;
        let mut state = self.shared.state.lock(py);
        let entry = state.listeners.vacant_entry();
        let index = entry.key();
        self.shared.poller.add(
            listener.fd(),
            token(Kind::Listener, 0, index),
            Interest::READ,
        )?;
        entry.insert(Arc::new(Listening {
            listener,
            service,
            accepts_per_turn,
        }));
        Ok(index)
    }

    fn remove_listener(&self, py: Python<'_>, listener: usize) {
        let removed = {
            let mut state = self.shared.state.lock(py);
            state.resting.retain(|(index, _)| *index != listener);
            state.listeners.try_remove(listener)
        };
        if let Some(listening) = removed {
            // Closing ends the watch as well, unless a child process has inherited the socket; a listener at rest is
            // not watched anyway.
            let _ = self.shared.poller.remove(listening.listener.fd());
        }
    }

    fn add_connection(&self, py: Python<'_>, fd: RawFd, service: Py<Service>) -> PyResult<()> {
        let socket = Socket::from_fd(own_descriptor(fd)?)?;
        let peer = socket.peer_addr()?;
        let host = socket.local_addr()?;
        self.shared.adopt(py, socket, peer, host, service)?;
        Ok(())
    }

    fn watch(&self, py: Python<'_>, fd: RawFd, mask: u8) -> PyResult<()> {
        let interest = Interest {
            readable: mask & 1 != 0,
            writable: mask & 2 != 0,
            edge: false,
        };
        if fd < 0 {
            return Err(pyo3::exceptions::PyValueError::new_err(
                "not a file descriptor",
            ));
        }
        // SAFETY: the descriptor is the loop's, which keeps it open until it has called `unwatch`; it is borrowed for
        // this call only.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let index = usize::try_from(fd).unwrap_or_default();
        let token = token(Kind::Foreign, 0, index);
        let mut state = self.shared.state.lock(py);
        match state.foreign.iter_mut().find(|(known, _)| *known == fd) {
            Some(entry) => {
                self.shared.poller.modify(borrowed, token, interest)?;
                entry.1 = mask;
            }
            None => {
                self.shared.poller.add(borrowed, token, interest)?;
                state.foreign.push((fd, mask));
            }
        }
        Ok(())
    }

    fn unwatch(&self, py: Python<'_>, fd: RawFd) {
        let mut state = self.shared.state.lock(py);
        state.foreign.retain(|(known, _)| *known != fd);
        if fd >= 0 {
            // SAFETY: borrowed for this call only; a descriptor that has been closed meanwhile is no longer watched, and
            // the kernel says so, which is as good.
            let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
            let _ = self.shared.poller.remove(borrowed);
        }
    }

    fn wait(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        ready: &Bound<'_, PyAny>,
        scheduled: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<(RawFd, u8)>> {
        let scheduled_before = scheduled.len()?;
        let timeout = timeout.map(|t| Duration::from_secs_f64(t.clamp(0.0, 1e8)));
        let until = timeout.map(|t| Instant::now() + t);
        let mut left = timeout;
        turn::settle_ready(py, &self.shared);
        loop {
            if ready.len()? > 0 || scheduled.len()? != scheduled_before {
                left = Some(Duration::ZERO);
            }
            let done = turn::run(py, &self.shared, left)?;
            let at_once = left == Some(Duration::ZERO);
            if at_once || done.interrupted || !done.foreign.is_empty() {
                return Ok(done.foreign);
            }
            if let Some(until) = until {
                left = Some(until.saturating_duration_since(Instant::now()));
                if left == Some(Duration::ZERO) {
                    return Ok(done.foreign);
                }
            }
            if ready.len()? > 0 || scheduled.len()? != scheduled_before {
                return Ok(done.foreign);
            }
        }
    }

    fn poll(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.flush_is_here(py);
        turn::run(py, &self.shared, Some(Duration::ZERO)).map(drop)
    }

    fn set_flush_hook(&self, py: Python<'_>, hook: Option<Py<PyAny>>) {
        let old = std::mem::replace(&mut self.shared.state.lock(py).flush_hook, hook);
        drop(old);
    }

    fn tick(&self, py: Python<'_>) -> Option<f64> {
        turn::run_timers(py, &self.shared);
        let state = self.shared.state.lock(py);
        state
            .wheel
            .next_wakeup(Instant::now())
            .map(|d| d.as_secs_f64())
    }

    #[pyo3(signature = (service=None, seconds=0.0))]
    fn close_idle(&self, py: Python<'_>, service: Option<Py<Service>>, seconds: f64) {
        let now = clock::ticks();
        let patience = settings::ticks((seconds > 0.0).then_some(seconds)).unwrap_or_default();
        for conn in self.shared.conns_of(py, service.as_ref()) {
            conn.end_if_idle(py, now, patience);
        }
    }

    #[pyo3(signature = (service=None))]
    fn abort_connections(&self, py: Python<'_>, service: Option<Py<Service>>) {
        for conn in self.shared.conns_of(py, service.as_ref()) {
            conn.lose(py, "lost", true);
        }
    }

    #[getter]
    fn connections(&self, py: Python<'_>) -> usize {
        self.shared.state.lock(py).conns.len()
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.in_turn.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err(
                "an engine can't be closed by what it is serving",
            ));
        }
        self.abort_connections(py, None);
        let (given_up, links) = {
            let mut state = self.shared.state.lock(py);
            let links = std::mem::take(&mut state.links);
            let given_up = (
                std::mem::take(&mut state.listeners),
                state.flush_hook.take(),
                state.tasks.take(),
            );
            (given_up, links)
        };
        for (_, link) in &links {
            link.close(py);
        }
        drop((given_up, links));
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let look = |state: &State| {
            if let Some((event_loop, keywords)) = &state.tasks {
                visit.call(event_loop)?;
                visit.call(keywords)?;
            }
            visit.call(&state.flush_hook)
        };
        self.shared.state.visit(look).unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.set_flush_hook(py, None);
        let tasks = self.shared.state.lock(py).tasks.take();
        drop(tasks);
    }
}
