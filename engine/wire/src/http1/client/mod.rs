//! The client's side of HTTP/1: what a proxy needs to ask an upstream server and to read what it answers.
//!
//! [`ResponseReceiver`] reads responses as strictly as [`Receiver`](super::Receiver) reads requests: an answer that could
//! be read in two ways would let one client's response end up with another's (RFC 9112 section 11). [`write_request`] and
//! [`BodyWriter`] put a request out; [`Hops`] says which fields end at this hop, and [`Forwarding`] which are added to say
//! whom the request came from.

mod forwarded;
mod head;
mod hops;
mod receiver;
mod request;
#[cfg(test)]
mod tests;

pub use forwarded::{Forwarding, Origin};
pub use head::{Delimiter, ResponseHead};
pub use hops::Hops;
pub use receiver::{Arrival, ResponseReceiver};
pub use request::{write_request, BodyWriter, RequestParts};
