//! One turn of the engine: wait, then serve the whole batch of what is ready, each with bounded work.
//!
//! The order within a turn: accept; for each ready connection receive, answer, send; connections that program code
//! has written to meanwhile; deadlines. A busy connection gets one receive a turn, so that it can't starve the others.

use std::os::fd::RawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use sennit_net::{Events, Interest, Readiness, Received, Woken};

use crate::conn::{Conn, Transport};
use crate::engine::{parts, token, Kind, Listening, Shared};
use crate::errors;

/// Connections accepted from one socket in a turn.
const TURN_ACCEPTS: usize = 64;
/// How long a listener rests when descriptors have run out: accepting again at once would only spin.
const REST: Duration = Duration::from_millis(500);
/// What is received from one connection at a time.
const RECEIVE: usize = 128 << 10;
/// Spare output buffers kept, so that idle connections own none.
const SPARES: usize = 4;

/// What a turn works with.
pub struct Tools {
    events: Events,
    buffer: Box<[u8]>,
    spares: Vec<Vec<u8>>,
}

impl Tools {
    /// Buffers of the usual sizes.
    pub fn new() -> Self {
        Self {
            events: Events::new(),
            buffer: vec![0; RECEIVE].into_boxed_slice(),
            spares: Vec::with_capacity(SPARES),
        }
    }
}

/// What a turn has come to.
#[derive(Default)]
pub struct Done {
    /// Foreign descriptors that are ready, with selector masks.
    pub foreign: Vec<(RawFd, u8)>,
    /// A signal has arrived.
    pub interrupted: bool,
}

/// Wait for up to `timeout` and serve what is ready. A turn within a turn (a handler that runs the loop) does nothing.
pub fn run(py: Python<'_>, shared: &Arc<Shared>, timeout: Option<Duration>) -> PyResult<Done> {
    let Some(mut tools) = shared.tools.lock(py).take() else {
        return Ok(Done::default());
    };
    let waited = wait(py, shared, &mut tools.events, timeout);
    let mut done = Done::default();
    if matches!(waited, Ok(Woken::Ready(_))) {
        shared.in_turn.store(true, Ordering::Relaxed);
        serve_batch(py, shared, &mut tools, &mut done);
        shared.in_turn.store(false, Ordering::Relaxed);
    }
    *shared.tools.lock(py) = Some(tools);
    if matches!(waited?, Woken::Interrupted) {
        done.interrupted = true;
        py.check_signals()?;
    }
    run_timers(py, shared);
    settle_ready(py, shared);
    Ok(done)
}

fn wait(
    py: Python<'_>,
    shared: &Shared,
    events: &mut Events,
    timeout: Option<Duration>,
) -> std::io::Result<Woken> {
    if timeout == Some(Duration::ZERO) {
        return shared.poller.wait(events, timeout);
    }
    let next_deadline = {
        let state = shared.state.lock(py);
        if !state.ready.is_empty() {
            drop(state);
            return shared.poller.wait(events, Some(Duration::ZERO));
        }
        let rest = (!state.resting.is_empty()).then_some(REST);
        match (state.wheel.next_wakeup(Instant::now()), rest) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    };
    let timeout = match (timeout, next_deadline) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    py.detach(|| shared.poller.wait(events, timeout))
}

fn serve_batch(py: Python<'_>, shared: &Arc<Shared>, tools: &mut Tools, done: &mut Done) {
    let mut place = 0;
    while let Some(event) = tools.events.get(place) {
        place += 1;
        let (kind, index) = parts(event.token);
        match kind {
            Kind::Connection => {
                if let Some(conn) = shared.conn(py, event.token) {
                    guarded(py, &conn, || serve(py, &conn, event, tools));
                }
            }
            Kind::Listener => {
                let listening = shared.state.lock(py).listeners.get(index).cloned();
                if let Some(listening) = listening {
                    accept(py, shared, index, &listening);
                }
            }
            Kind::Foreign => note_foreign(py, shared, index, event, done),
        }
    }
}

fn note_foreign(py: Python<'_>, shared: &Shared, index: usize, event: Readiness, done: &mut Done) {
    let Ok(fd) = RawFd::try_from(index) else {
        return;
    };
    let known = shared
        .state
        .lock(py)
        .foreign
        .iter()
        .find(|(f, _)| *f == fd)
        .map(|(_, mask)| *mask);
    let Some(wanted) = known else { return };
    let ready =
        u8::from(event.readable || event.hangup) | u8::from(event.writable || event.hangup) << 1;
    if ready & wanted != 0 {
        done.foreign.push((fd, ready & wanted));
    }
}

/// A panic costs the connection it came from, and no other.
fn guarded(py: Python<'_>, conn: &Arc<Conn>, work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        errors::log_panic(py, payload.as_ref());
        conn.lock(py).facts.busy = false;
        conn.lose(py, "lost", true);
    }
}

fn serve(py: Python<'_>, conn: &Arc<Conn>, event: Readiness, tools: &mut Tools) {
    if event.readable || event.hangup {
        let received = {
            let mut state = conn.lock(py);
            if let Some(spare) = tools.spares.pop() {
                state.out.give_spare(spare);
            }
            match &state.transport {
                Transport::Socket(socket) if state.interest.readable || event.hangup => {
                    socket.recv(&mut tools.buffer)
                }
                _ => Ok(Received::WouldBlock),
            }
        };
        match received {
            Ok(Received::Bytes(count)) => {
                let bytes = tools.buffer.get(..count).unwrap_or_default();
                if !conn.drop_if_lingering(py, count) {
                    conn.receive(py, bytes);
                }
            }
            Ok(Received::Eof) => return conn.on_end_of_input(py),
            Ok(Received::WouldBlock) => {}
            Err(_) => return conn.lose(py, "lost", false),
        }
    }
    conn.settle(py);
    if tools.spares.len() < SPARES {
        if let Some(spare) = conn.lock(py).out.take_spare() {
            tools.spares.push(spare);
        }
    }
}

fn accept(py: Python<'_>, shared: &Arc<Shared>, index: usize, listening: &Arc<Listening>) {
    for _ in 0..TURN_ACCEPTS {
        match listening.listener.accept() {
            Ok(Some((socket, peer))) => {
                let host = socket.local_addr().unwrap_or(sennit_net::PeerAddr::Unnamed);
                let service = listening.service.clone_ref(py);
                if shared.adopt(py, socket, peer, host, service).is_err() {
                    return rest(py, shared, index, listening);
                }
            }
            Ok(None) => return,
            Err(_) => return rest(py, shared, index, listening),
        }
    }
}

/// Descriptors or memory have run out: leave the socket alone for a moment.
fn rest(py: Python<'_>, shared: &Arc<Shared>, index: usize, listening: &Listening) {
    errors::warn_program(
        py,
        "accepting connections failed (too many open files?); resting for a moment",
    );
    let token = token(Kind::Listener, 0, index);
    if shared
        .poller
        .modify(listening.listener.fd(), token, Interest::NONE)
        .is_ok()
    {
        shared
            .state
            .lock(py)
            .resting
            .push((index, Instant::now() + REST));
    }
}

fn end_rests(py: Python<'_>, shared: &Arc<Shared>) {
    let rested: Vec<usize> = {
        let mut state = shared.state.lock(py);
        let now = Instant::now();
        let (rested, resting) = state
            .resting
            .drain(..)
            .partition(|(_, until)| *until <= now);
        state.resting = resting;
        rested
            .into_iter()
            .map(|(index, _): (usize, Instant)| index)
            .collect()
    };
    for index in rested {
        let listening = shared.state.lock(py).listeners.get(index).cloned();
        if let Some(listening) = listening {
            // If this fails the socket is gone, and so is its watch.
            let _ = shared.poller.modify(
                listening.listener.fd(),
                token(Kind::Listener, 0, index),
                Interest::READ,
            );
        }
    }
}

/// Look after connections that have been written to, or can go on with their input.
pub fn settle_ready(py: Python<'_>, shared: &Arc<Shared>) {
    let ready = std::mem::take(&mut shared.state.lock(py).ready);
    for conn in &ready {
        conn.lock(py).facts.queued = false;
        guarded(py, conn, || conn.settle(py));
    }
}

/// Act on deadlines that have passed.
pub fn run_timers(py: Python<'_>, shared: &Arc<Shared>) {
    let mut due = Vec::new();
    let now = {
        let mut state = shared.state.lock(py);
        if state.wheel.is_empty() && state.resting.is_empty() {
            return;
        }
        state.wheel.advance(Instant::now(), &mut due);
        state.wheel.now_tick()
    };
    if !shared.state.lock(py).resting.is_empty() {
        end_rests(py, shared);
    }
    for token in due {
        let Some(conn) = shared.conn(py, token) else {
            continue;
        };
        guarded(py, &conn, || {
            if let Some(at) = conn.on_timer(py, now) {
                shared.schedule(py, token, at);
            }
        });
    }
}
