//! The response half of one exchange: how a response is framed follows from the request and the code, whatever the
//! program does (RFC 9112 section 6, RFC 9110 sections 6.4.1, 8.6 and 15).

use super::head::Version;
use crate::grammar::{decimal, list_members};

/// A field's name and value.
type Field<'a> = (&'a [u8], &'a [u8]);

/// What of a request decides about its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts {
    /// The request's version; the status line says the same one, so that a client of HTTP/1.0 never sees a newer.
    pub version: Version,
    /// Whether the method is HEAD.
    pub head_method: bool,
    /// Whether the client lets the connection persist.
    pub keep_alive: bool,
}

/// How a final head framed its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed {
    /// The connection must be closed after this response.
    pub close: bool,
    /// No body follows; bytes given to [`Responder::data`] are dropped.
    pub body_forbidden: bool,
}

/// What became of body bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// All of them are framed.
    All,
    /// None: the response has no body, no head yet, or is finished.
    Dropped,
    /// Only those that fit the declared Content-Length.
    Overrun,
}

/// How body bytes that are sent without being copied have to be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// So many of the bytes may be sent, from the first on.
    pub take: usize,
    /// What has to be sent after them.
    pub suffix: &'static [u8],
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The connection must be closed: decided with the head, or because the body is shorter than declared.
    pub close: bool,
    /// Fewer bytes were given than the Content-Length declares.
    pub short: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    AwaitingHead,
    Body(Mode),
    Finished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forbidden,
    Length { left: u64 },
    Chunked,
    UntilClose,
}

/// Frames one response.
#[derive(Clone, Copy, Debug)]
pub struct Responder {
    facts: RequestFacts,
    phase: Phase,
    close: bool,
    short: bool,
}

impl Responder {
    /// A responder to a request of which `facts` are known.
    #[must_use]
    pub fn new(facts: RequestFacts) -> Self {
        Responder {
            facts,
            phase: Phase::AwaitingHead,
            close: !facts.keep_alive,
            short: false,
        }
    }

    /// Appends an interim response: `code` is 100 to 199 but 101, which is final. Gives whether it was written: not on
    /// HTTP/1.0 (RFC 9110 section 15.2), not once the final head is out, not for other codes. Fields that frame a
    /// message or rule the connection are left out. Names, values and reason hold no CR, LF or NUL.
    pub fn interim<'a>(
        &mut self,
        out: &mut Vec<u8>,
        code: u16,
        reason: &[u8],
        fields: impl Iterator<Item = Field<'a>>,
    ) -> bool {
        let fits = (100..=199).contains(&code) && code != 101;
        if !fits || self.phase != Phase::AwaitingHead || self.facts.version == Version::Http10 {
            return false;
        }
        push_status_line(out, Version::Http11, code, reason);
        for (name, value) in fields.filter(|(name, _)| Special::of(name) == Special::No) {
            push_field(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
        true
    }

    /// Appends the final head: status line, `fields` in their order, what framing needs, and the empty line.
    ///
    /// `code` is 100 to 999 (anything else is sent as 500); `reason` may be empty. Names, values and reason hold no CR,
    /// LF or NUL. `length` is the length of the whole body where it is known now, `None` where it will be streamed.
    /// `close` says that the server wants to close the connection after this response.
    ///
    /// - Content-Length: one is added for a known length unless the program's says the same; a differing, malformed or
    ///   repeated one is dropped. For HEAD and 304 a well-formed one of the program stands. A streamed body has the
    ///   program's, else it is chunked, on HTTP/1.0 ended by closing. 205 has 0; 204 and 1xx have none.
    /// - Transfer-Encoding and Keep-Alive of the program are dropped.
    /// - Connection: `close` of the program is obeyed. Whether the connection persists is said by the responder alone;
    ///   other members pass. 101 leaves the connection to the protocol that follows.
    ///
    /// A second call writes nothing.
    pub fn head<'a>(
        &mut self,
        out: &mut Vec<u8>,
        code: u16,
        reason: &[u8],
        fields: impl Iterator<Item = Field<'a>> + Clone,
        length: Option<u64>,
        close: bool,
    ) -> Framed {
        self.head_after(out, code, reason, b"", fields, length, close)
    }

    /// As [`Self::head`], with `preset` before the fields: field lines that are encoded already, as for
    /// [`Self::preset_head`].
    #[allow(clippy::too_many_arguments)] // as `head`, and what it adds
    pub fn head_after<'a>(
        &mut self,
        out: &mut Vec<u8>,
        code: u16,
        reason: &[u8],
        preset: &[u8],
        fields: impl Iterator<Item = Field<'a>> + Clone,
        length: Option<u64>,
        close: bool,
    ) -> Framed {
        if self.phase != Phase::AwaitingHead {
            return self.framed();
        }
        let code = sendable(code);
        self.close |= close;
        let mut plan = LengthPlan::new(code, self.facts.head_method, length);
        // All framing fields that may be added fit 128 bytes.
        let size: usize = fields
            .clone()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        out.reserve(size + preset.len() + reason.len() + 128);
        push_status_line(out, self.facts.version, code, reason);
        out.extend_from_slice(preset);
        for (name, value) in fields {
            match Special::of(name) {
                Special::No => push_field(out, name, value),
                Special::ContentLength if plan.takes(value) => push_field(out, name, value),
                Special::Connection => self.push_connection(out, value),
                Special::ContentLength | Special::TransferEncoding | Special::KeepAlive => {}
            }
        }
        self.push_framing(out, code, &plan);
        self.framed()
    }

    /// As [`Self::head`], with field lines that are encoded already: each `name: value` and CRLF, and none of them
    /// Content-Length, Transfer-Encoding, Connection or Keep-Alive. Without a `reason` the status line, too, is at the
    /// beginning of `lines`, as [`push_http11_status_line`] gives it for `code`: for HTTP/1.1 only.
    pub fn preset_head(
        &mut self,
        out: &mut Vec<u8>,
        code: u16,
        reason: Option<&[u8]>,
        lines: [&[u8]; 2],
        length: Option<u64>,
        close: bool,
    ) -> Framed {
        if self.phase != Phase::AwaitingHead {
            return self.framed();
        }
        let code = sendable(code);
        self.close |= close;
        let plan = LengthPlan::new(code, self.facts.head_method, length);
        let [first, second] = lines;
        out.reserve(first.len() + second.len() + reason.map_or(0, <[u8]>::len) + 128);
        if let Some(reason) = reason {
            push_status_line(out, self.facts.version, code, reason);
        }
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        self.push_framing(out, code, &plan);
        self.framed()
    }

    /// Whether the response is an HTTP/1.1 one.
    #[must_use]
    pub fn is_http11(&self) -> bool {
        self.facts.version == Version::Http11
    }

    /// Appends what `plan` still needs and the empty line, and settles how the body is framed.
    fn push_framing(&mut self, out: &mut Vec<u8>, code: u16, plan: &LengthPlan) {
        if let Some(length) = plan.to_add() {
            push_content_length(out, length);
        }
        let mode = match plan.body_length() {
            _ if plan.body_forbidden => Mode::Forbidden,
            Some(left) => Mode::Length { left },
            None if self.facts.version == Version::Http11 => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
                Mode::Chunked
            }
            None => {
                self.close = true;
                Mode::UntilClose
            }
        };
        // A client takes a 1xx for interim and waits on; that ends only with the connection. Not so after 101.
        match code {
            101 => self.close = false,
            100..=199 => self.close = true,
            _ => {}
        }
        if self.close {
            out.extend_from_slice(b"Connection: close\r\n\r\n");
        } else if self.facts.version == Version::Http10 && code != 101 {
            out.extend_from_slice(b"Connection: keep-alive\r\n\r\n");
        } else {
            out.extend_from_slice(b"\r\n");
        }
        self.phase = Phase::Body(mode);
    }

    /// Takes `close` and `keep-alive` out of a Connection field of the program and passes on what else it lists.
    fn push_connection(&mut self, out: &mut Vec<u8>, value: &[u8]) {
        let mut separator: &[u8] = b"Connection: ";
        for member in list_members(value) {
            if member.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if !member.eq_ignore_ascii_case(b"keep-alive") {
                out.extend_from_slice(separator);
                out.extend_from_slice(member);
                separator = b", ";
            }
        }
        if separator == b", " {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn framed(&self) -> Framed {
        Framed {
            close: self.close,
            body_forbidden: !self.takes_data(),
        }
    }

    /// Frames body bytes into `out`, without a copy of its own.
    pub fn data(&mut self, out: &mut Vec<u8>, bytes: &[u8]) -> Wrote {
        if !self.takes_data() {
            return Wrote::Dropped;
        }
        let span = self.frame_data(out, bytes.len());
        out.extend_from_slice(bytes.get(..span.take).unwrap_or(bytes));
        out.extend_from_slice(span.suffix);
        if span.take < bytes.len() {
            Wrote::Overrun
        } else {
            Wrote::All
        }
    }

    /// Frames `len` body bytes that go out without being copied: appends to `out` what has to be sent before them and
    /// says how many of them may be sent, and what after them. Where `take` is 0, nothing has to be sent.
    pub fn frame_data(&mut self, out: &mut Vec<u8>, len: usize) -> Span {
        match &mut self.phase {
            Phase::Body(Mode::Length { left }) => {
                let take = usize::try_from(*left).map_or(len, |left| left.min(len));
                *left -= take as u64;
                Span { take, suffix: b"" }
            }
            // A chunk of no bytes would be the last one.
            Phase::Body(Mode::Chunked) if len > 0 => {
                push_chunk_size(out, len);
                Span {
                    take: len,
                    suffix: b"\r\n",
                }
            }
            Phase::Body(Mode::UntilClose) => Span {
                take: len,
                suffix: b"",
            },
            _ => Span {
                take: 0,
                suffix: b"",
            },
        }
    }

    fn takes_data(&self) -> bool {
        matches!(self.phase, Phase::Body(mode) if mode != Mode::Forbidden)
    }

    /// Ends the body: the last chunk and the trailer fields where it is chunked, else trailers are dropped, and so are
    /// those that would frame, route or rule the connection (RFC 9110 section 6.5.1). Without a head before it, the
    /// connection has to be closed. A second call writes nothing and answers as the first did.
    pub fn finish<'a>(
        &mut self,
        out: &mut Vec<u8>,
        trailers: impl Iterator<Item = Field<'a>>,
    ) -> Ended {
        match self.phase {
            Phase::Body(Mode::Chunked) => {
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.filter(|(name, _)| may_trail(name)) {
                    push_field(out, name, value);
                }
                out.extend_from_slice(b"\r\n");
            }
            Phase::Body(Mode::Length { left }) if left > 0 => {
                self.short = true;
                self.close = true;
            }
            Phase::AwaitingHead => self.close = true,
            _ => {}
        }
        self.phase = Phase::Finished;
        Ended {
            close: self.close,
            short: self.short,
        }
    }

    /// Whether the final head is out.
    #[must_use]
    pub fn head_sent(&self) -> bool {
        self.phase != Phase::AwaitingHead
    }

    /// Whether the body is being sent in chunks.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.phase == Phase::Body(Mode::Chunked)
    }

    /// Whether only closing the connection will end the body.
    #[must_use]
    pub fn is_until_close(&self) -> bool {
        self.phase == Phase::Body(Mode::UntilClose)
    }

    /// Whether the response is finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }
}

/// A code that can stand in a status line: the caller's, or 500 for what is no code at all.
fn sendable(code: u16) -> u16 {
    if (100..=999).contains(&code) {
        code
    } else {
        500
    }
}

/// Which Content-Length a response has, and whether it has a body.
struct LengthPlan {
    /// Codes whose responses never have a Content-Length (RFC 9110 section 8.6).
    length_forbidden: bool,
    body_forbidden: bool,
    /// The program's length tells of a body that isn't sent, so only the program can know it.
    tells_only: bool,
    /// The responder adds none: it would be the length of an empty body (RFC 9110 section 15.4.5).
    never_adds: bool,
    known: Option<u64>,
    stated: Option<u64>,
}

impl LengthPlan {
    fn new(code: u16, head_method: bool, length: Option<u64>) -> Self {
        let interim = code < 200;
        LengthPlan {
            length_forbidden: interim || code == 204,
            body_forbidden: head_method || interim || matches!(code, 204 | 205 | 304),
            tells_only: (head_method && code != 205) || code == 304,
            never_adds: code == 304,
            // RFC 9110 section 15.3.6: no content, and 205 has to say so.
            known: if code == 205 { Some(0) } else { length },
            stated: None,
        }
    }

    /// Whether the program's Content-Length stands as it is; if so, it is the one.
    fn takes(&mut self, value: &[u8]) -> bool {
        if self.length_forbidden || self.stated.is_some() {
            return false;
        }
        let agrees =
            |length: &u64| self.tells_only || self.known.is_none_or(|known| known == *length);
        self.stated = decimal(value).filter(agrees);
        self.stated.is_some()
    }

    fn to_add(&self) -> Option<u64> {
        match self.stated {
            None if !self.length_forbidden && !self.never_adds => self.known,
            _ => None,
        }
    }

    fn body_length(&self) -> Option<u64> {
        self.stated.or(self.known)
    }
}

/// Fields of the program that concern the connection and not the resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    No,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
}

impl Special {
    #[inline]
    fn of(name: &[u8]) -> Self {
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => Special::ContentLength,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => Special::TransferEncoding,
            10 if name.eq_ignore_ascii_case(b"connection") => Special::Connection,
            10 if name.eq_ignore_ascii_case(b"keep-alive") => Special::KeepAlive,
            _ => Special::No,
        }
    }
}

/// Whether a field may stand in a trailer section.
fn may_trail(name: &[u8]) -> bool {
    const NEVER: [&[u8]; 6] = [
        b"host",
        b"trailer",
        b"upgrade",
        b"content-encoding",
        b"content-type",
        b"content-range",
    ];
    Special::of(name) == Special::No && !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))
}

#[inline]
/// Appends the status line of an HTTP/1.1 response with `code`, from 100 to 999, and `reason`, which has no CR, LF or NUL.
pub fn push_http11_status_line(out: &mut Vec<u8>, code: u16, reason: &[u8]) {
    push_status_line(out, Version::Http11, code, reason);
}

fn push_status_line(out: &mut Vec<u8>, version: Version, code: u16, reason: &[u8]) {
    let mut start = match version {
        Version::Http10 => *b"HTTP/1.0 000 ",
        Version::Http11 => *b"HTTP/1.1 000 ",
    };
    let [.., hundreds, tens, ones, _] = &mut start;
    *hundreds = b'0' + (code / 100 % 10) as u8;
    *tens = b'0' + (code / 10 % 10) as u8;
    *ones = b'0' + (code % 10) as u8;
    out.extend_from_slice(&start);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

#[inline]
pub(super) fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[inline]
pub(super) fn push_content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(super) fn push_chunk_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(
            DIGITS
                .get(size >> (4 * place) & 15)
                .copied()
                .unwrap_or(b'0'),
        );
    }
    out.extend_from_slice(b"\r\n");
}
