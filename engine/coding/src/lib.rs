//! Content codings (RFC 9110 section 8.4.1): which one a client wants, what is worth coding, and gzip, brotli and zstd.
//!
//! Nothing here knows a socket or Python: bytes in, bytes out.
//!
//! - [`negotiate`] reads Accept-Encoding.
//! - [`is_compressible`] and [`matches_pattern`] look at media types.
//! - [`Encoder`] codes a body piece by piece, [`encode_whole`] at once. What codecs need to begin anew is kept for the
//!   next one of the same thread: making it costs more than coding a small body.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod accept;
mod codecs;
mod encoder;
mod media;

pub use accept::{negotiate, Negotiated};
pub use encoder::{encode_whole, Coding, Encoder, Failed};
pub use media::{essence, is_compressible, matches_pattern};
