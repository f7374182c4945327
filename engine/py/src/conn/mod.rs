//! One client connection: a transport below, a protocol on it, a request above.
//!
//! ```text
//!   poller / Channel ──bytes──▶ input.rs ──head, body, end──▶ dispatch ──▶ program
//!                                                                            │
//!   socket / Channel ◀──bytes── output.rs ◀──head, data, finish──────────────┘
//! ```
//!
//! A connection answers its requests strictly one after the other (RFC 9112 section 9.3.2). All of its state is
//! behind one lock, which is only ever held for a moment: **no Python call, and no drop of a Python object, happens
//! under it**, since either may run program code that comes back here. Where two locks are needed the order is
//! connection, request, headers.

mod due;
mod input;
mod loss;
mod output;
mod passing;
mod sink;
mod timing;

use std::sync::{Arc, OnceLock, Weak};

use crate::lock::{Guard, Lock};
use pyo3::prelude::*;
use sennit_coding::Encoder;
use sennit_net::{Interest, OutQueue, PeerAddr, Socket};
use sennit_wire::{Receiver, Responder};

use crate::engine::Shared;
use crate::request::Request;
use crate::service::Service;
use crate::settings::{Settings, Ticks};
use crate::trust::Ends;
use crate::upstream::Link;
use crate::wsgi::Told;

pub use due::Due;
pub use output::{DefaultType, HeadPlan, Outcome, Piece};
pub use passing::Taken;
pub use sink::Sink;
pub use timing::Phase;

/// What carries the bytes.
pub enum Transport {
    /// A connected socket.
    Socket(Socket),
    /// Nothing: a `Channel` gives and takes the bytes.
    Memory,
    /// Nothing any more.
    Closed,
}

/// What only few requests need: kept apart so that an idle connection is small.
#[derive(Default)]
pub struct Waiting {
    /// The running coroutine's Task and the resource that made it.
    pub task: Option<Py<PyAny>>,
    /// The resource being rendered; its `cancelOnDisconnect` says what a loss does to the task.
    pub resource: Option<Py<PyAny>>,
    /// The iterator whose chunks are the body.
    pub iterator: Option<Py<PyAny>>,
    /// The registered producer, and whether it is a push producer.
    pub producer: Option<(Py<PyAny>, bool)>,
    /// To be called once when `read_body` has news.
    pub on_body: Option<Py<PyAny>>,
    /// A file is the rest of the body: the response ends when it has gone out.
    pub sends_file: bool,
    /// The task is not to be cancelled when the client leaves.
    pub uncancellable: bool,
    /// What the body goes through on its way out.
    pub encoder: Option<Box<Encoder>>,
    /// To be called once when output has drained.
    pub on_drain: Option<Py<PyAny>>,
}

/// What is true of a connection now.
#[derive(Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state"
)]
pub struct Facts {
    /// Input is being worked through further up the stack: whoever comes in between only leaves word.
    pub busy: bool,
    /// The current request has gone to the program.
    pub dispatched: bool,
    /// The current request's body has arrived whole.
    pub body_complete: bool,
    /// `100 Continue` is owed as soon as the body is asked for.
    pub owes_continue: bool,
    /// The connection ends after the current response.
    pub close_after: bool,
    /// Whatever the peer still sends is thrown away unread.
    pub deaf: bool,
    /// The peer's bytes are of no interest any more: it is only being let finish (RFC 9112 section 9.6).
    pub lingering: bool,
    /// More than the high-water mark is waiting to be sent.
    pub blocked: bool,
    /// A push producer has been told to pause.
    pub paused: bool,
    /// The kernel did not take all; the poller was asked to tell when it will.
    pub send_stalled: bool,
    /// In the engine's list of connections to look after at the end of the turn.
    pub queued: bool,
    /// An iterator is being asked for chunks further up the stack.
    pub pumping: bool,
    /// Sending has failed under the program's feet: the connection is lost at the end of the turn.
    pub broken: bool,
    /// The peer sends no more.
    pub ended: bool,
    /// Pipelined requests are left for the next turn.
    pub backlog: bool,
    /// A header of the PROXY protocol is to come before anything else.
    pub preamble: bool,
    /// The program has begun to read the body as a stream.
    pub reading: bool,
    /// The program's response overran its declared length; said once.
    pub overrun: bool,
}

/// A connection's state; see the module's rule about the lock.
pub struct State {
    pub transport: Transport,
    pub receiver: Receiver,
    pub responder: Option<Responder>,
    pub request: Option<Py<Request>>,
    pub waiting: Option<Box<Waiting>>,
    /// The current request's answer, if it is complete and to be put out when the connection is settled.
    pub due: Option<Due>,
    /// The connection to the server that the current request is passed on to.
    pub link: Option<Arc<Link>>,
    pub settings: Arc<Settings>,
    /// What came in and could not be used yet.
    pub input: Vec<u8>,
    pub out: OutQueue,
    pub sink: Sink,
    pub facts: Facts,
    /// Body bytes of the current request so far; while lingering: bytes thrown away.
    pub body_received: u64,
    pub interest: Interest,
    pub phase: Phase,
    pub deadline: Option<Ticks>,
    /// When the timer wheel next looks at this connection.
    pub wheel_at: Option<Ticks>,
    /// What was unsent when the client's reading was last looked at.
    pub send_mark: Option<usize>,
    /// `body_received` when the current window of the body's rate began.
    pub window_start: u64,
}

/// A connection.
pub struct Conn {
    state: Lock<State>,
    pub service: Py<Service>,
    pub engine: Weak<Shared>,
    /// The engine's number for it.
    pub token: u64,
    ends: Ends,
    /// What a trusted proxy has said at the beginning that the ends are.
    proxied: OnceLock<Box<Ends>>,
    /// What WSGI applications have been told by it, as a client mostly says the same again.
    pub told: Lock<Option<Box<Told>>>,
}

impl Conn {
    /// A connection over `transport`, with nothing received yet.
    pub fn new(
        transport: Transport,
        service: Py<Service>,
        engine: Weak<Shared>,
        token: u64,
        (peer, host, secure): (PeerAddr, PeerAddr, bool),
    ) -> Self {
        let settings = service.get().settings();
        let trust = settings.trust.as_ref();
        let preamble = trust.is_some_and(|trust| trust.expects_header_of(&peer));
        let state = State {
            transport,
            receiver: Receiver::new(),
            responder: None,
            request: None,
            waiting: None,
            due: None,
            link: None,
            settings,
            input: Vec::new(),
            out: OutQueue::new(),
            sink: Sink::Nothing,
            facts: Facts {
                preamble,
                ..Facts::default()
            },
            body_received: 0,
            interest: Interest::READ_EDGE,
            // The first look makes it `Idle`, with the deadline of that.
            phase: Phase::Program,
            deadline: None,
            wheel_at: None,
            send_mark: None,
            window_start: 0,
        };
        Self {
            state: Lock::new(state),
            service,
            engine,
            token,
            ends: Ends { peer, host, secure },
            proxied: OnceLock::new(),
            told: Lock::new(None),
        }
    }

    fn ends(&self) -> &Ends {
        self.proxied.get().map_or(&self.ends, Box::as_ref)
    }

    /// The client's address, as the connection has it, or a trusted proxy that has opened it.
    pub fn peer(&self) -> &PeerAddr {
        &self.ends().peer
    }

    /// The server's address, likewise.
    pub fn host(&self) -> &PeerAddr {
        &self.ends().host
    }

    /// Whether the client uses TLS, likewise.
    pub fn is_secure(&self) -> bool {
        self.ends().secure
    }

    /// The state, locked. See the module's rule.
    pub fn lock(&self, py: Python<'_>) -> Guard<'_, State> {
        self.state.lock(py)
    }

    /// Whether the connection is over.
    pub fn is_closed(&self, py: Python<'_>) -> bool {
        matches!(self.lock(py).transport, Transport::Closed)
    }

    /// Ask for a look at the end of the engine's turn (output to flush, input to go on with).
    pub fn queue(self: &Arc<Self>, py: Python<'_>) {
        {
            let mut state = self.lock(py);
            if state.facts.queued || matches!(state.transport, Transport::Closed) {
                return;
            }
            state.facts.queued = true;
        }
        if let Some(engine) = self.engine.upgrade() {
            engine.queue(py, Arc::clone(self));
        }
    }
}

impl State {
    /// What only few requests need, made when first needed.
    pub fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    /// Whether a request is current and is `request`.
    pub fn is_current(&self, request: &Bound<'_, Request>) -> bool {
        self.request
            .as_ref()
            .is_some_and(|r| r.as_ptr() == request.as_ptr())
    }

    /// Whether input may be taken from the peer at all: a program that is slow to read its body, or a client that
    /// pipelines without end, is held back by TCP (RFC 9112 section 9.3.2).
    pub fn wants_input(&self) -> bool {
        /// Pipelined bytes kept while their turn has not come.
        const READ_AHEAD: usize = 16 << 10;
        if self.facts.lingering {
            return true;
        }
        if self.facts.ended {
            return false;
        }
        let waits = self.facts.backlog || (self.request.is_some() && self.facts.body_complete);
        let enough = waits && self.input.len() >= READ_AHEAD;
        !enough && !self.sink.is_full(self.settings.high_water)
    }

    /// Whether whoever fills the body has to stop: enough is waiting, or nothing will ever go out again.
    pub fn may_not_fill(&self) -> bool {
        self.facts.blocked || self.facts.broken
    }

    /// Whether as much is waiting to be sent as may wait: no further request is begun.
    pub fn is_clogged(&self) -> bool {
        self.request.is_none() && self.out.len() > self.settings.high_water
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        // One that was never closed: its engine, or its `Channel`, has simply been let go.
        if !matches!(self.state.get_mut().transport, Transport::Closed) {
            self.service.get().release();
        }
    }
}
