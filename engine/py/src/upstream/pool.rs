//! The connections to one upstream in one engine: those at rest, and the requests that wait for one.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};

use pyo3::prelude::*;

use super::exchange::{Exchange, Fault};
use super::face::Server;
use super::link::Link;
use crate::engine::Shared;
use crate::lock::Lock;

/// See the module. It doesn't own its links: the engine does.
pub struct Pool {
    /// Whose connections they are.
    pub server: Arc<Server>,
    /// Whose poller watches them.
    pub engine: Weak<Shared>,
    /// The thread that its loop was last seen in.
    pub thread: AtomicUsize,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    /// Tokens of links at rest; the one that has rested for the shortest time is last, and is used first.
    idle: Vec<u64>,
    /// Links that are connected or try to be.
    open: usize,
    /// Tokens of links that may not connect yet, since there are as many as allowed.
    parked: VecDeque<u64>,
    /// They are being given leave further up the stack.
    opening: bool,
    /// Memory for the output of a link.
    spare: Option<Vec<u8>>,
}

impl Pool {
    /// An empty one.
    pub fn new(server: Arc<Server>, engine: Weak<Shared>, thread: usize) -> Self {
        Self {
            server,
            engine,
            thread: AtomicUsize::new(thread),
            state: Lock::new(State::default()),
        }
    }

    /// Find a connection for `exchange`, one that is at rest if there is one. A second try is made on a new one.
    pub fn serve(self: &Arc<Self>, py: Python<'_>, exchange: Exchange) {
        while let Some(link) = self.take_idle(py).filter(|_| !exchange.retried) {
            // One that can't be tried again looks first whether the upstream has closed meanwhile.
            if exchange.retriable || link.is_silent(py) {
                return link.take_on(py, exchange);
            }
            link.close(py);
        }
        let Some(engine) = self.engine.upgrade() else {
            return exchange.refuse(py, &self.server, &Fault::Stopping);
        };
        let link = engine.add_link(py, self);
        let may_connect = {
            let mut state = self.state.lock(py);
            let most = self.server.options.max_connections;
            let full = most.is_some_and(|most| state.open >= most);
            if full {
                state.parked.push_back(link.token);
            } else {
                state.open += 1;
            }
            !full
        };
        link.hold(py, exchange);
        if may_connect {
            link.connect(py);
        }
    }

    fn take_idle(&self, py: Python<'_>) -> Option<Arc<Link>> {
        let engine = self.engine.upgrade()?;
        loop {
            let token = self.state.lock(py).idle.pop()?;
            if let Some(link) = engine.link(py, token) {
                return Some(link);
            }
        }
    }

    /// A link has ended an exchange well: it rests, or goes on with a request that waits.
    pub fn release(&self, py: Python<'_>, link: &Arc<Link>) {
        if let Some(exchange) = self.next_parked(py) {
            return link.take_on(py, exchange);
        }
        let full = {
            let mut state = self.state.lock(py);
            let full = state.idle.len() >= self.server.options.max_idle;
            if !full {
                state.idle.push(link.token);
            }
            full
        };
        if full {
            link.close(py);
        }
    }

    /// Take the exchange of the link that has waited longest for leave to connect.
    fn next_parked(&self, py: Python<'_>) -> Option<Exchange> {
        let engine = self.engine.upgrade()?;
        loop {
            let token = self.state.lock(py).parked.pop_front()?;
            if let Some(exchange) = engine.link(py, token).and_then(|link| link.give_up(py)) {
                return Some(exchange);
            }
        }
    }

    /// A link has gone: another may connect in its place. One that can't, and so is gone at once, leaves it to the call
    /// further up the stack to go on with the next.
    pub fn closed(&self, py: Python<'_>, token: u64, was_open: bool) {
        {
            let mut state = self.state.lock(py);
            state.idle.retain(|other| *other != token);
            state.parked.retain(|other| *other != token);
            state.open -= usize::from(was_open);
            if std::mem::replace(&mut state.opening, true) {
                return;
            }
        }
        while let Some(next) = self.next_to_open(py) {
            match self.engine.upgrade().and_then(|e| e.link(py, next)) {
                Some(link) => link.connect(py),
                None => self.state.lock(py).open -= 1,
            }
        }
        self.state.lock(py).opening = false;
    }

    /// Give the link that has waited longest leave to connect, if another one may.
    fn next_to_open(&self, py: Python<'_>) -> Option<u64> {
        let mut state = self.state.lock(py);
        let most = self.server.options.max_connections;
        if most.is_some_and(|most| state.open >= most) {
            return None;
        }
        let next = state.parked.pop_front()?;
        state.open += 1;
        Some(next)
    }

    /// The upstream's addresses are there, or there are none.
    pub fn resolved(&self, py: Python<'_>, reason: &str) {
        let Some(engine) = self.engine.upgrade() else {
            return;
        };
        for link in engine.links_of(py, self) {
            link.resolved(py, reason);
        }
    }

    /// Close what is at rest.
    pub fn close_idle(&self, py: Python<'_>) {
        while let Some(link) = self.take_idle(py) {
            link.close(py);
        }
    }

    /// Memory for a link's output.
    pub fn take_spare(&self, py: Python<'_>) -> Option<Vec<u8>> {
        self.state.lock(py).spare.take()
    }

    /// Take that memory back.
    pub fn give_spare(&self, py: Python<'_>, spare: Vec<u8>) {
        self.state.lock(py).spare = Some(spare);
    }

    /// Links that are connected or try to be.
    pub fn open(&self, py: Python<'_>) -> usize {
        self.state.lock(py).open
    }

    /// Links at rest.
    pub fn resting(&self, py: Python<'_>) -> usize {
        self.state.lock(py).idle.len()
    }
}
