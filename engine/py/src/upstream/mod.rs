//! Requests that are passed on to other servers, and their answers passed back, without Python in between.
//!
//! ```text
//!   client ──▶ Conn ──sink──▶ Link ──out──▶ upstream      body.rs, encode.rs: the request's way
//!   client ◀──out── Conn ◀──ResponseReceiver── Link ◀──   link.rs, conn/passing.rs: the answer's way
//! ```
//!
//! A [`Link`] is one connection to an upstream; it lives in the engine's poller beside the clients' connections, and
//! is owned by the engine alone. A [`Pool`] knows the links of one upstream in one engine: those at rest, and the
//! requests that wait for one. An [`Exchange`] is one request on its way; it is a link's from the moment on when it is
//! accepted, even before that link is connected, so that whoever ends first finds the other through `State::link` of
//! the connection and `LinkState::exchange` of the link.
//!
//! Each way holds the other back: a client that doesn't take its answer stops the link from being read, an upstream
//! that doesn't take the request leaves the body in the connection's sink, which stops the client from being read.
//!
//! The rule of `conn` about locks holds here too. A link's lock is never held together with a connection's; the order
//! with others is link, request, headers.

mod body;
mod encode;
mod exchange;
mod face;
mod link;
mod opening;
mod pool;
mod timing;

pub use exchange::start;
pub use face::{Forward, Upstream};
pub use link::Link;
pub use pool::Pool;
