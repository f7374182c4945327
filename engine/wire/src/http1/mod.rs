//! HTTP/1.0 and HTTP/1.1 as RFC 9112 has them: the request half ([`Receiver`]) and the response half ([`Responder`]) of a
//! server, and in [`client`] those of a client.

mod body;
pub mod client;
mod fields;
mod head;
mod last_head;
mod line;
mod request;
mod response;
mod scan;
mod status;
#[cfg(test)]
mod tests;

pub use head::{Framing, Head, Version};
pub use last_head::LastHead;
pub use request::{Receiver, Step};
pub use response::{push_http11_status_line, Ended, Framed, RequestFacts, Responder, Span, Wrote};
pub use status::reason_phrase;
