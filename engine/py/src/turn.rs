//! One turn of the engine: wait, then serve the whole batch of what is ready, each with bounded work.
//!
//! Ready connections are served in batches: all of a batch receive, then all are answered, then all send. So the kernel's
//! code and the program's are each run for many connections in a row and find their caches warm, and a client
//! with many connections is woken once. Applications are called when all of the batch's requests have been read, for
//! the same reason. A batch in which programs take their time is sent early. After the batches come
//! connections that program code has written to meanwhile, and deadlines. A busy connection gets one receive a turn, so
//! that it can't starve the others.

use std::ops::Range;
use std::os::fd::RawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use sennit_net::{Eagerness, Events, Interest, Readiness, Received, Spares, Woken};

use crate::batch::{self, Batch};
use crate::clock;
use crate::conn::{Conn, State, Transport};
use crate::engine::{parts, token, Kind, Listening, Shared};
use crate::errors;
use crate::upstream::Link;

/// How long a listener rests when descriptors have run out: accepting again at once would only spin.
const REST: Duration = Duration::from_millis(500);
/// What a batch receives into: one connection may fill it.
const RECEIVE: usize = 128 << 10;
/// With less room than this left, no further connection joins a batch: it would receive in driblets.
const LEAST_ROOM: usize = 32 << 10;
/// Spare output buffers kept, so that idle connections own none.
const SPARES: usize = batch::SIZE;

/// What a turn works with.
pub struct Tools {
    events: Events,
    eagerness: Eagerness,
    buffer: Box<[u8]>,
    arrivals: Vec<Arrival>,
    batch: Batch,
    spares: Spares,
}

/// A ready connection, and what it has received.
struct Arrival {
    conn: Arc<Conn>,
    received: std::io::Result<Received>,
}

impl Tools {
    /// Buffers of the usual sizes.
    pub fn new() -> Self {
        Self {
            events: Events::new(),
            eagerness: Eagerness::new(),
            buffer: vec![0; RECEIVE].into_boxed_slice(),
            arrivals: Vec::with_capacity(batch::SIZE),
            batch: Batch::gathering(),
            spares: Spares::new(SPARES),
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
    let waited = wait(py, shared, &mut tools, timeout);
    let mut done = Done::default();
    if matches!(waited, Ok(Woken::Ready(_))) {
        shared.in_turn.store(true, Ordering::Relaxed);
        serve_all(py, shared, &mut tools, &mut done);
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
    tools: &mut Tools,
    timeout: Option<Duration>,
) -> std::io::Result<Woken> {
    let Tools {
        events, eagerness, ..
    } = tools;
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
    py.detach(|| shared.poller.wait_eagerly(events, timeout, eagerness))
}

fn serve_all(py: Python<'_>, shared: &Arc<Shared>, tools: &mut Tools, done: &mut Done) {
    let mut place = 0;
    let mut room = 0;
    while let Some(event) = tools.events.get(place) {
        place += 1;
        let (kind, index) = parts(event.token);
        match kind {
            Kind::Connection => {
                if let Some(conn) = shared.conn(py, event.token) {
                    room += receive(py, shared, conn, event, tools, room);
                }
                if tools.arrivals.len() == batch::SIZE || room + LEAST_ROOM > tools.buffer.len() {
                    serve_batch(py, tools);
                    room = 0;
                }
            }
            Kind::Link => {
                if let Some(link) = shared.link(py, event.token) {
                    serve_link(py, &link, event, tools, room);
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
    serve_batch(py, tools);
}

/// Receive what has come for `conn` behind the first `used` bytes of the buffer, and take it into the batch. Gives how much
/// there was.
fn receive(
    py: Python<'_>,
    shared: &Shared,
    conn: Arc<Conn>,
    event: Readiness,
    tools: &mut Tools,
    used: usize,
) -> usize {
    let room = tools.buffer.get_mut(used..).unwrap_or_default();
    let mut count = 0;
    let received = match &*conn.lock(py) {
        State {
            transport: Transport::Socket(socket),
            interest,
            ..
        } if (interest.readable && event.readable) || event.hangup => {
            let received = socket.recv(room);
            if let Ok(Received::Bytes(bytes)) = received {
                count = bytes;
                // There may be more, or the end may follow, and of that the poller has told for the last time.
                if count == room.len() || event.hangup {
                    let again = shared.poller.modify(socket, event.token, *interest);
                    debug_assert!(again.is_ok(), "a connection's socket is watched");
                }
            }
            received
        }
        _ => Ok(Received::WouldBlock),
    };
    tools.arrivals.push(Arrival { conn, received });
    count
}

/// Answer what the batch has received, and send. Where time has passed, the answers that are there don't wait for more.
fn serve_batch(py: Python<'_>, tools: &mut Tools) {
    let Tools {
        buffer,
        arrivals,
        batch,
        spares,
        ..
    } = tools;
    let mut looked = clock::moment();
    let mut sent = 0;
    let mut send_if_late = |spares: &mut Spares, place: usize| {
        let now = clock::moment();
        if now != looked {
            looked = now;
            send(py, arrivals, spares, sent..place + 1);
            sent = sent.max(place + 1);
        }
        sent
    };
    let mut start = 0;
    for (place, arrival) in arrivals.iter().enumerate() {
        let bytes = match arrival.received {
            Ok(Received::Bytes(count)) => buffer.get(start..start + count),
            _ => None,
        };
        start += bytes.map_or(0, <[u8]>::len);
        {
            let mut state = arrival.conn.lock(py);
            state.facts.queued = true;
            spares.lend(&mut state.out);
        }
        batch.turn_to(place);
        guarded(py, &arrival.conn, || answer(py, arrival, batch, bytes));
        send_if_late(spares, place);
    }
    for (place, launch) in batch.launches() {
        if let Some(Arrival { conn, .. }) = arrivals.get(place) {
            guarded(py, conn, || launch.go(py));
        }
        send_if_late(spares, place);
    }
    send(py, arrivals, spares, sent..arrivals.len());
    arrivals.clear();
}

fn answer(py: Python<'_>, arrival: &Arrival, batch: &mut Batch, bytes: Option<&[u8]>) {
    let conn = &arrival.conn;
    match (&arrival.received, bytes) {
        (_, Some(bytes)) => {
            if !conn.drop_if_lingering(py, bytes.len()) {
                conn.receive(py, batch, bytes);
            }
        }
        (Ok(Received::Eof), _) => conn.on_end_of_input(py),
        (Ok(_), None) => {}
        (Err(_), None) => conn.lose(py, "lost", false),
    }
}

/// The end of the turn for a part of the batch.
fn send(py: Python<'_>, arrivals: &[Arrival], spares: &mut Spares, part: Range<usize>) {
    let now = clock::ticks();
    for Arrival { conn, .. } in arrivals.get(part).unwrap_or_default() {
        conn.lock(py).facts.queued = false;
        guarded(py, conn, || conn.settle_at(py, now));
        spares.take_back(&mut conn.lock(py).out);
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

/// What a link has received goes out on the client's connection in the same turn.
fn serve_link(py: Python<'_>, link: &Arc<Link>, event: Readiness, tools: &mut Tools, used: usize) {
    let conn = link.conn(py);
    if let Some(conn) = &conn {
        tools.spares.lend(&mut conn.lock(py).out);
    }
    // What is before that, the batch has received.
    let room = tools.buffer.get_mut(used..).unwrap_or_default();
    guarded_link(py, link, || link.serve(py, event, room));
    let Some(conn) = conn else { return };
    guarded(py, &conn, || conn.settle(py));
    tools.spares.take_back(&mut conn.lock(py).out);
}

/// A panic costs the link it came from and the request that it worked for.
fn guarded_link(py: Python<'_>, link: &Arc<Link>, work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        errors::log_panic(py, payload.as_ref());
        let conn = link.conn(py);
        link.close(py);
        if let Some(conn) = conn {
            conn.lose(py, "lost", true);
        }
    }
}

fn accept(py: Python<'_>, shared: &Arc<Shared>, index: usize, listening: &Arc<Listening>) {
    for _ in 0..listening.accepts_per_turn {
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
        if parts(token).0 == Kind::Link {
            let Some(link) = shared.link(py, token) else {
                continue;
            };
            guarded_link(py, &link, || {
                if let Some(at) = link.on_timer(py, now) {
                    shared.schedule(py, token, at);
                }
            });
            continue;
        }
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
