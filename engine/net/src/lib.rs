//! Sockets for Sennit's engine: readiness, listeners, streams, output queues and coarse timers.
//!
//! Nothing here knows HTTP or Python. A turn of the engine's loop is one [`Poller::wait`], then for each
//! ready token a [`Socket::recv`] and, when an answer has been written to an [`OutQueue`], a
//! [`OutQueue::flush`]: one system call each, and none of them allocates. Files wait in the queue as a [`FileSpan`]
//! and go from the page cache to the socket. Deadlines live in a [`Wheel`].
//!
//! Linux and Android poll with epoll; other unix systems, and Linux with the feature `portable`, through the
//! `polling` crate behind the same types.

mod addr;
mod connect;
mod file_span;
mod listener;
mod out_queue;
mod poller;
mod retry;
mod socket;
mod wheel;

#[cfg(test)]
mod testing;

pub use addr::PeerAddr;
pub use connect::Connecting;
pub use file_span::FileSpan;
pub use listener::Listener;
pub use out_queue::{Flushed, OutQueue, Spares, COPY_BELOW, FLUSH_LIMIT, SPARE_LIMIT};
pub use poller::{Eagerness, Events, Interest, Poller, Readiness, Woken};
pub use socket::{Received, Sent, Socket};
pub use wheel::{Tick, Wheel, TICK};
