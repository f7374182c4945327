//! Sennit's protocol code: bytes in, steps out; facts in, bytes out.
//!
//! Nothing here knows a socket, a clock or Python. The same state machines are driven by the engine's poller, by a
//! channel that Python feeds, by the tests and by the fuzzers, and any split of the input gives the same steps.
//!
//! - [`http1::Receiver`] reads the request half of an HTTP/1 connection, [`http1::Responder`] frames the response half.
//! - [`Violation`] is what a peer can do wrong; each carries its answer.
//! - [`proxy_header`] reads what a proxy says before the first request, [`origin`] what proxies say in a request's header.
//! - [`AccessRecord`] writes access log lines.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod accesslog;
mod calendar;
mod forwarded;
mod grammar;
pub mod http1;
mod limits;
mod networks;
mod proxy_header;
mod violation;

pub use accesslog::AccessRecord;
pub use calendar::http_date;
pub use forwarded::{origin, Believed, Origin};
pub use grammar::{is_field_value, is_token};
pub use http1::{
    push_http11_status_line, reason_phrase, Ended, Framed, Framing, Head, LastHead, Receiver,
    RequestFacts, Responder, Span, Step, Version, Wrote,
};
pub use limits::Limits;
pub use networks::Network;
pub use proxy_header::{proxy_header, MalformedProxyHeader, ProxiedEnd, ProxiedEnds, ProxyHeader};
pub use violation::Violation;
