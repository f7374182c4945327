//! A request to an upstream: its head, and how its body is framed.

use super::super::head::Framing;
use super::super::response::Span;
use super::super::response::{push_chunk_size, push_content_length, push_field};

/// What a request's head is made of. All parts are free of CR, LF and NUL; the target's pieces follow one another.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// The method, a token.
    pub method: &'a [u8],
    /// The target in pieces; of nothing at all `/` is made.
    pub target: [&'a [u8]; 3],
    /// The value of Host.
    pub host: &'a [u8],
    /// How the body's length is told.
    pub framing: Framing,
}

/// Appends a request's head to `out`: `fields` are those that are passed on, in their order, and none of them Host or one
/// that frames the message; `add_lines` appends more field lines, each with its CRLF. Gives what frames its body.
pub fn write_request<'a>(
    out: &mut Vec<u8>,
    parts: &RequestParts<'_>,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    add_lines: impl FnOnce(&mut Vec<u8>),
) -> BodyWriter {
    out.reserve(1024);
    out.extend_from_slice(parts.method);
    out.push(b' ');
    if parts.target.iter().all(|piece| piece.is_empty()) {
        out.push(b'/');
    }
    for piece in parts.target {
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    push_field(out, b"Host", parts.host);
    for (name, value) in fields {
        push_field(out, name, value);
    }
    add_lines(out);
    let mode = match parts.framing {
        Framing::None => Mode::Ended,
        Framing::Length(length) => {
            push_content_length(out, length);
            Mode::Length { left: length }
        }
        Framing::Chunked => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            Mode::Chunked
        }
    };
    out.extend_from_slice(b"\r\n");
    BodyWriter { mode }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Length { left: u64 },
    Chunked,
    Ended,
}

/// Frames the body of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyWriter {
    mode: Mode,
}

impl BodyWriter {
    /// Frames nothing: for a connection on which no request has begun.
    #[must_use]
    pub const fn ended() -> Self {
        BodyWriter { mode: Mode::Ended }
    }

    /// Frames `len` bytes of body: appends to `out` what has to be sent before them, and says how many of them may be
    /// sent and what after them. Never more than the declared length.
    pub fn frame_data(&mut self, out: &mut Vec<u8>, len: usize) -> Span {
        match &mut self.mode {
            Mode::Length { left } => {
                let take = usize::try_from(*left).map_or(len, |left| left.min(len));
                *left -= take as u64;
                Span { take, suffix: b"" }
            }
            // A chunk of no bytes would be the last one.
            Mode::Chunked if len > 0 => {
                push_chunk_size(out, len);
                Span {
                    take: len,
                    suffix: b"\r\n",
                }
            }
            Mode::Chunked | Mode::Ended => Span {
                take: 0,
                suffix: b"",
            },
        }
    }

    /// Ends the body. Gives whether it is as long as was declared; if not, the connection is of no more use.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        match std::mem::replace(&mut self.mode, Mode::Ended) {
            Mode::Length { left } => left == 0,
            Mode::Chunked => {
                out.extend_from_slice(b"0\r\n\r\n");
                true
            }
            Mode::Ended => true,
        }
    }

    /// Whether nothing more belongs to this request.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.mode, Mode::Ended | Mode::Length { left: 0 })
    }
}
