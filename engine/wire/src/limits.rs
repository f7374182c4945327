//! How much of each thing a peer may send before it is refused.

/// Bounds of the request half of a connection. A peer that goes over one is refused at the first byte too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line without its CRLF; more is a 414. 8190 as in Apache and gunicorn, a little over the
    /// 8000 that RFC 9112 section 3 asks everyone to support.
    pub request_line: usize,
    /// Bytes of all field lines together, the CRLFs between them counted; more is a 431.
    pub header_bytes: usize,
    /// Number of field lines; more is a 431. Bounds the trailer fields, too.
    pub header_count: usize,
    /// Bytes of a chunk's size line with its extensions, without its CRLF; more is a 400.
    pub chunk_line: usize,
    /// Bytes of all trailer field lines together, CRLFs counted; more is a 431.
    pub trailer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_line: 8190,
            header_bytes: 32768,
            header_count: 100,
            chunk_line: 1024,
            trailer_bytes: 8192,
        }
    }
}
