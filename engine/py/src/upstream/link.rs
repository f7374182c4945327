//! One connection to an upstream.
//!
//! ```text
//!          connect()            connected             answer complete
//!   Held ------------> Connecting -------> Active <---------------------> Idle
//!     (waits for leave or addresses)         |      next request           |
//!                                            `--------> Closed <-----------'
//! ```

use std::sync::Arc;

use pyo3::prelude::*;
use sennit_net::{Interest, OutQueue, Readiness, Received, Socket};
use sennit_wire::http1::client::{Arrival, BodyWriter, ResponseHead, ResponseReceiver};
use sennit_wire::Violation;

use super::encode;
use super::exchange::{Exchange, Fault};
use super::pool::Pool;
use crate::clock;
use crate::conn::Conn;
use crate::lock::{Guard, Lock};
use crate::request::Request;
use crate::settings::Ticks;

/// Pieces of a body moved in one go before the other connections have their turn.
const TURN_PIECES: usize = 32;

/// How far a link is; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Without a socket: it may not connect yet, or doesn't know where.
    Held,
    /// The upstream has not accepted it yet.
    Connecting,
    /// An exchange is under way.
    Active,
    /// Nothing is.
    Idle,
    /// It is over.
    Closed,
}

/// How an upstream has ended its half while its last bytes could not be passed on yet.
pub(super) enum Ending {
    Orderly,
    Failed(std::io::Error),
}

/// A link's state; see the module's rule about the lock.
pub struct LinkState {
    pub(super) phase: Phase,
    pub(super) socket: Option<Socket>,
    pub(super) receiver: ResponseReceiver,
    pub(super) body: BodyWriter,
    pub(super) out: OutQueue,
    /// What came in and could not be used yet.
    pub(super) input: Vec<u8>,
    pub(super) exchange: Option<Exchange>,
    pub(super) interest: Interest,
    /// The poller watches the socket.
    pub(super) watched: bool,
    /// The client is behind with taking the answer.
    pub(super) paused: bool,
    /// There is more of the request's body than one turn may move.
    pub(super) more_body: bool,
    /// Sending has failed; an answer may have come all the same.
    pub(super) unsendable: bool,
    pub(super) ending: Option<Ending>,
    /// The answer lets the connection persist.
    pub(super) keep_alive: bool,
    /// It has served before.
    pub(super) used: bool,
    /// It counts among the pool's open ones.
    pub(super) counted: bool,
    pub(super) next_address: usize,
    pub(super) progress: Ticks,
    pub(super) wheel_at: Option<Ticks>,
}

/// A connection to an upstream.
pub struct Link {
    state: Lock<LinkState>,
    pub(super) pool: Arc<Pool>,
    /// The engine's number for it.
    pub token: u64,
}

impl LinkState {
    /// Send what waits. A failure is not the end: the upstream may have answered before it closed.
    fn flush(&mut self) {
        let Some(socket) = self.socket.as_ref().filter(|_| !self.out.is_empty()) else {
            return;
        };
        let before = self.out.len();
        match self.out.flush(socket) {
            Ok(_) if self.out.len() < before => self.progress = clock::ticks(),
            Ok(_) => {}
            Err(_) => {
                self.out.clear();
                self.unsendable = true;
            }
        }
    }

    /// Whether the next request may use it.
    fn may_serve_again(&self) -> bool {
        self.keep_alive
            && !self.unsendable
            && self.body.is_complete()
            && self.out.is_empty()
            && self.ending.is_none()
            && self.watched
    }
}

impl Link {
    /// One that does nothing yet.
    pub fn new(pool: Arc<Pool>, token: u64) -> Self {
        let state = LinkState {
            phase: Phase::Held,
            socket: None,
            receiver: ResponseReceiver::new(),
            body: BodyWriter::ended(),
            out: OutQueue::new(),
            input: Vec::new(),
            exchange: None,
            interest: Interest::READ,
            watched: false,
            paused: false,
            more_body: false,
            unsendable: false,
            ending: None,
            keep_alive: false,
            used: false,
            counted: false,
            next_address: 0,
            progress: clock::ticks(),
            wheel_at: None,
        };
        Self {
            state: Lock::new(state),
            pool,
            token,
        }
    }

    /// The state, locked.
    pub(super) fn lock(&self, py: Python<'_>) -> Guard<'_, LinkState> {
        self.state.lock(py)
    }

    /// Whether it belongs to `pool`.
    pub fn is_of(&self, pool: &Pool) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.pool), pool)
    }

    /// The connection that it works for.
    pub fn conn(&self, py: Python<'_>) -> Option<Arc<Conn>> {
        let state = self.lock(py);
        state.exchange.as_ref().map(|e| Arc::clone(&e.conn))
    }

    /// Whether the upstream has neither sent anything nor closed while it was at rest.
    pub fn is_silent(&self, py: Python<'_>) -> bool {
        let state = self.lock(py);
        state.socket.as_ref().is_some_and(Socket::is_silent)
    }

    /// Take `exchange`, to be sent when it is connected.
    pub fn hold(self: &Arc<Self>, py: Python<'_>, exchange: Exchange) {
        exchange.conn.set_link(py, self);
        {
            let mut state = self.lock(py);
            state.progress = clock::ticks();
            state.exchange = Some(exchange);
        }
        self.watch(py);
    }

    /// Give the exchange of a link that waits for leave to connect to another one.
    pub fn give_up(&self, py: Python<'_>) -> Option<Exchange> {
        let exchange = self.lock(py).exchange.take();
        self.close(py);
        exchange
    }

    /// Send `exchange`'s request.
    pub fn take_on(self: &Arc<Self>, py: Python<'_>, exchange: Exchange) {
        exchange.conn.set_link(py, self);
        let spare = self.pool.take_spare(py);
        let mut out = {
            let mut state = self.lock(py);
            if let Some(spare) = spare {
                state.out.give_spare(spare);
            }
            std::mem::take(state.out.tail())
        };
        let body = encode::head(py, &mut out, &exchange);
        {
            let mut state = self.lock(py);
            *state.out.tail() = out;
            state.body = body;
            state.receiver.begin(exchange.is_head);
            state.phase = Phase::Active;
            state.paused = false;
            state.more_body = false;
            state.keep_alive = false;
            state.progress = clock::ticks();
            state.exchange = Some(exchange);
        }
        self.go_on(py);
    }

    /// Send what waits, now or, while the client's connection is being worked on, when that settles.
    pub(super) fn go_on(self: &Arc<Self>, py: Python<'_>) {
        let busy = self.conn(py).is_some_and(|conn| conn.lock(py).facts.busy);
        if !busy {
            self.settle(py);
        }
    }

    /// The client has sent more of the body, or all.
    pub fn more_body(self: &Arc<Self>, py: Python<'_>) {
        self.fill(py);
        self.go_on(py);
    }

    /// Send what waits and what the client has sent meanwhile; watch for what comes next.
    pub fn settle(self: &Arc<Self>, py: Python<'_>) {
        let mut more = true;
        for _ in 0..TURN_PIECES {
            {
                let mut state = self.lock(py);
                if state.phase != Phase::Active {
                    break;
                }
                state.flush();
            }
            more = self.fill(py);
            if !more {
                break;
            }
        }
        self.lock(py).more_body = more;
        self.watch(py);
    }

    /// Ask the poller and the wheel for what is of interest now.
    pub(super) fn watch(&self, py: Python<'_>) {
        let Some(engine) = self.pool.engine.upgrade() else {
            return;
        };
        let (at, spare) = {
            let mut state = self.lock(py);
            let wanted = match state.phase {
                Phase::Connecting => Interest::WRITE,
                _ => Interest {
                    readable: !state.paused,
                    writable: !state.out.is_empty() || state.more_body,
                    edge: false,
                },
            };
            if let (true, Some(socket)) = (state.watched, &state.socket) {
                let changed = wanted != state.interest;
                if changed && engine.poller.modify(socket, self.token, wanted).is_ok() {
                    state.interest = wanted;
                }
            }
            let at = state.rearm(&self.pool.server.options);
            (at, state.out.take_spare())
        };
        if let Some(spare) = spare {
            self.pool.give_spare(py, spare);
        }
        if let Some(at) = at {
            engine.schedule(py, self.token, at);
        }
    }

    /// The poller has news of it; `buffer` is for what it has received.
    pub fn serve(self: &Arc<Self>, py: Python<'_>, event: Readiness, buffer: &mut [u8]) {
        let phase = self.lock(py).phase;
        match phase {
            Phase::Connecting => return self.try_connected(py),
            Phase::Held | Phase::Closed => return,
            Phase::Active | Phase::Idle => {}
        }
        if event.readable || event.hangup {
            self.read(py, event, buffer);
        }
        let writes = event.writable && self.lock(py).phase == Phase::Active;
        if writes {
            self.settle(py);
        } else {
            self.watch(py);
        }
    }

    fn read(self: &Arc<Self>, py: Python<'_>, event: Readiness, buffer: &mut [u8]) {
        let received = {
            let mut state = self.lock(py);
            if state.paused {
                // Gone both ways, which the poller tells again and again: what it has left is read when there is room.
                if event.hangup {
                    if let (Some(engine), Some(socket)) =
                        (self.pool.engine.upgrade(), &state.socket)
                    {
                        // One that can't be removed is told of once more.
                        let _ = engine.poller.remove(socket);
                    }
                    state.watched = false;
                }
                return;
            }
            match &state.socket {
                Some(socket) => socket.recv(buffer),
                None => return,
            }
        };
        if self.lock(py).phase == Phase::Idle {
            // Its end, or bytes that nobody has asked for: either way it is of no more use.
            return match received {
                Ok(Received::WouldBlock) => {}
                _ => self.close(py),
            };
        }
        match received {
            Ok(Received::Bytes(count)) => {
                self.receive(py, buffer.get(..count).unwrap_or_default());
            }
            Ok(Received::WouldBlock) => {}
            Ok(Received::Eof) => self.ended(py, Ending::Orderly),
            Err(error) => self.ended(py, Ending::Failed(error)),
        }
    }

    /// Work through what came, and what was left over before.
    fn receive(self: &Arc<Self>, py: Python<'_>, fresh: &[u8]) {
        let mut held = {
            let mut state = self.lock(py);
            state.progress = clock::ticks();
            std::mem::take(&mut state.input)
        };
        let left = if held.is_empty() {
            let used = self.work_through(py, fresh);
            fresh.get(used..).unwrap_or_default().to_vec()
        } else {
            held.extend_from_slice(fresh);
            let used = self.work_through(py, &held);
            held.drain(..used.min(held.len()));
            held
        };
        if !left.is_empty() {
            self.lock(py).input = left;
        }
    }

    fn work_through(self: &Arc<Self>, py: Python<'_>, input: &[u8]) -> usize {
        let Some((conn, request)) = self.current(py) else {
            return input.len();
        };
        let request = request.bind(py);
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let step = {
                let mut state = self.lock(py);
                if state.exchange.is_none() {
                    return input.len();
                }
                if state.paused {
                    return used;
                }
                state.receiver.advance(rest, &self.pool.server.limits)
            };
            let (taken, arrival) = match step {
                Ok(progress) => progress,
                Err(violation) => {
                    self.fail(py, Fault::Broken(violation));
                    return input.len();
                }
            };
            used += taken;
            match arrival {
                Arrival::NeedMore => return used,
                Arrival::Interim(head) => conn.pass_interim(py, request, &head),
                Arrival::Head(head) => self.pass_head(py, &conn, request, &head),
                Arrival::Data(range) => {
                    let data = rest.get(range).unwrap_or_default();
                    if conn.pass_data(py, request, data) {
                        self.lock(py).paused = true;
                    }
                }
                Arrival::End => {
                    self.finish(py, used == input.len());
                    return input.len();
                }
            }
        }
    }

    /// Whom it works for.
    fn current(&self, py: Python<'_>) -> Option<(Arc<Conn>, Py<Request>)> {
        let state = self.lock(py);
        let exchange = state.exchange.as_ref()?;
        Some((Arc::clone(&exchange.conn), exchange.request.clone_ref(py)))
    }

    fn pass_head(
        self: &Arc<Self>,
        py: Python<'_>,
        conn: &Arc<Conn>,
        request: &Bound<'_, Request>,
        head: &ResponseHead,
    ) {
        // The request had no Upgrade field: those end here.
        if head.code() == 101 {
            return self.fail(py, Fault::Upgraded);
        }
        {
            let mut state = self.lock(py);
            state.keep_alive = head.keep_alive();
            if let Some(exchange) = &mut state.exchange {
                exchange.head_passed = true;
            }
        }
        conn.pass_head(py, request, head);
    }

    /// The answer is complete; `alone` says that nothing came behind it.
    fn finish(self: &Arc<Self>, py: Python<'_>, alone: bool) {
        let (exchange, trailers, again) = {
            let mut state = self.lock(py);
            let trailers: Vec<(Vec<u8>, Vec<u8>)> = state
                .receiver
                .trailers()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect();
            let again = alone && state.may_serve_again();
            if again {
                state.phase = Phase::Idle;
                state.used = true;
                state.paused = false;
                state.progress = clock::ticks();
            }
            (state.exchange.take(), trailers, again)
        };
        let Some(exchange) = exchange else { return };
        exchange.conn.forget_link(py);
        // First, so that a request that waits in the client's connection finds it.
        if again {
            self.pool.release(py, self);
        } else {
            self.close(py);
        }
        let Exchange { conn, request, .. } = exchange;
        conn.end_passing(py, request.bind(py), trailers);
        conn.service.get().take_back(request.into_bound(py));
    }

    /// The client has taken enough of the answer for more to be read.
    pub fn resume(self: &Arc<Self>, py: Python<'_>) {
        let (unwatched, ending) = {
            let mut state = self.lock(py);
            state.paused = false;
            state.progress = clock::ticks();
            (
                !state.watched && state.socket.is_some(),
                state.ending.take(),
            )
        };
        self.receive(py, &[]);
        if let Some(ending) = ending {
            self.ended(py, ending);
        } else if unwatched {
            self.watch_again(py);
        }
        self.watch(py);
    }

    fn watch_again(&self, py: Python<'_>) {
        let mut state = self.lock(py);
        if let (Some(engine), Some(socket)) = (self.pool.engine.upgrade(), &state.socket) {
            let added = engine.poller.add(socket, self.token, Interest::READ);
            state.watched = added.is_ok();
            state.interest = Interest::READ;
        }
    }

    /// The upstream has closed the connection, or it has failed.
    fn ended(self: &Arc<Self>, py: Python<'_>, ending: Ending) {
        enum Next {
            Finish,
            Fail(bool, Fault),
        }
        let next = {
            let mut state = self.lock(py);
            if state.exchange.is_none() {
                return;
            }
            if state.paused {
                state.ending = Some(ending);
                return;
            }
            let untouched = state.receiver.is_untouched();
            match ending {
                // What a reset cuts off isn't known to be whole, whatever its end was to be.
                Ending::Failed(error) => Next::Fail(untouched, Fault::Lost(error)),
                Ending::Orderly => match state.receiver.end_of_input() {
                    Ok(_) => {
                        state.keep_alive = false;
                        Next::Finish
                    }
                    Err(violation) => Next::Fail(untouched, Fault::Broken(violation)),
                },
            }
        };
        match next {
            Next::Finish => self.finish(py, true),
            Next::Fail(untouched, fault) => self.fail_after(py, untouched, fault),
        }
    }

    /// The exchange can't be completed.
    pub fn fail(self: &Arc<Self>, py: Python<'_>, fault: Fault) {
        self.fail_after(py, false, fault);
    }

    /// As `fail`; `untouched` says that no byte of an answer had come. If the connection had been at rest, the upstream
    /// may have closed it before the request came, and it may be sent once more on a new one.
    fn fail_after(self: &Arc<Self>, py: Python<'_>, untouched: bool, fault: Fault) {
        let (exchange, used) = {
            let mut state = self.lock(py);
            (state.exchange.take(), state.used)
        };
        self.close(py);
        let Some(mut exchange) = exchange else { return };
        let by_closing = matches!(
            fault,
            Fault::Lost(_) | Fault::Broken(Violation::AnswerTruncated)
        );
        if used && untouched && by_closing && exchange.retriable && !exchange.retried {
            exchange.retried = true;
            return self.pool.serve(py, exchange);
        }
        exchange.refuse(py, &self.pool.server, &fault);
    }

    /// Close, whatever is going on.
    pub fn close(&self, py: Python<'_>) {
        let (socket, exchange, counted) = {
            let mut state = self.lock(py);
            if state.phase == Phase::Closed {
                return;
            }
            state.phase = Phase::Closed;
            state.out.clear();
            state.input = Vec::new();
            (state.socket.take(), state.exchange.take(), state.counted)
        };
        drop(socket);
        drop(exchange);
        if let Some(engine) = self.pool.engine.upgrade() {
            engine.forget_link(py, self.token);
        }
        self.pool.closed(py, self.token, counted);
    }
}
