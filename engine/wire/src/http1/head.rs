//! A request head: how it is parsed in one go, and what it answers about itself.

use std::fmt;
use std::sync::Arc;

use super::fields::{cut_line, span, FieldSpan, Line};
use super::last_head::LastHead;
use super::line::check_target_form;
use crate::grammar::{decimal, is_authority, is_token, list_members, target_run, token_run};
use crate::{Limits, Violation};

/// A head with up to this many fields and bytes needs one allocation.
const USUAL_FIELDS: usize = 16;
const USUAL_LENGTH: usize = 2048;

/// ` HTTP/1.1`: what stands between the target and the end of the request line.
const VERSION_BYTES: usize = 9;

/// Fields whose values are to be kept from everybody but the client.
const SECRETS: [&[u8]; 3] = [b"cookie", b"authorization", b"proxy-authorization"];

/// The version of HTTP a request was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How the length of a request's body is told (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body: neither Content-Length nor Transfer-Encoding was given.
    None,
    /// So many bytes, by Content-Length; may be 0.
    Length(u64),
    /// Chunks, by `Transfer-Encoding: chunked`.
    Chunked,
}

/// A request head that obeys RFC 9112: a copy of its bytes, and where things stand in them. Clones share it.
#[derive(Clone)]
pub struct Head(Arc<Parts>);

/// What a head is made of.
struct Parts {
    /// A packed [`FieldSpan`] per field, and behind them, to need one allocation and not two, the bytes of the head.
    store: Vec<u8>,
    start: u32,
    method_len: u32,
    target_end: u32,
    version: Version,
    framing: Framing,
    keep_alive: bool,
    expects_continue: bool,
    upgrade_requested: bool,
    /// It has one of the [`SECRETS`].
    has_secrets: bool,
}

impl Head {
    /// A head of these parts, in the memory of `old` if nobody else has that one.
    fn of(parts: Parts, old: Option<Head>) -> Self {
        if let Some(mut head) = old {
            if let Some(place) = Arc::get_mut(&mut head.0) {
                *place = parts;
                return head;
            }
        }
        Head(Arc::new(parts))
    }

    /// The memory for what a head stores, emptied, if nobody else has the head.
    fn take_store(&mut self) -> Option<Vec<u8>> {
        let parts = Arc::get_mut(&mut self.0)?;
        let mut store = std::mem::take(&mut parts.store);
        store.clear();
        Some(store)
    }

    /// Whether it has credentials (RFC 9110 section 11) or cookies.
    pub(super) fn has_secrets(&self) -> bool {
        self.0.has_secrets
    }

    /// The method as sent; methods are case-sensitive.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        span(self.bytes(), 0, self.0.method_len)
    }

    /// The request target as sent: bytes 0x21 to 0x7e without `#`, in one of the forms of RFC 9112 section 3.2.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        let start = self.0.method_len + 1;
        span(self.bytes(), start, self.0.target_end - start)
    }

    /// The bytes behind the request line: all field lines and the empty one.
    #[must_use]
    pub fn field_lines(&self) -> &[u8] {
        let start = self.0.target_end as usize + VERSION_BYTES + 2;
        self.bytes().get(start..).unwrap_or_default()
    }

    /// The version in the request line.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// How the body's length is told.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.0.framing
    }

    /// Whether the client lets the connection persist (RFC 9112 section 9.3): on HTTP/1.1 unless `close` is among
    /// the members of Connection, on HTTP/1.0 only with `keep-alive` there and no `close`.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.0.keep_alive
    }

    /// Whether the client waits for a 100 before it sends the body: `Expect: 100-continue` in any case on HTTP/1.1.
    /// Other expectations are ignored, as RFC 9110 section 10.1.1 allows.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.0.expects_continue
    }

    /// Whether the method is HEAD.
    #[must_use]
    pub fn is_head_method(&self) -> bool {
        self.method() == b"HEAD"
    }

    /// Name and value of each field in the order of the wire; the name as sent, the value without spaces and tabs at
    /// its ends.
    pub fn fields(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator + Clone {
        let packed = self.0.store.get(..self.0.start as usize);
        let head = self.bytes();
        packed
            .unwrap_or_default()
            .chunks_exact(FieldSpan::PACKED)
            .map(|packed| FieldSpan::unpack(packed).of(head))
    }

    /// The value of the last field with that name, which has to be given in lower case.
    #[must_use]
    pub fn field(&self, lower_name: &[u8]) -> Option<&[u8]> {
        let mut latest_first = self.fields().rev();
        latest_first
            .find(|(name, _)| name.eq_ignore_ascii_case(lower_name))
            .map(|(_, value)| value)
    }

    /// Whether the client asks to change the protocol: Connection lists `upgrade` and there is an Upgrade field.
    /// Never on HTTP/1.0 (RFC 9110 section 7.8).
    #[must_use]
    pub fn upgrade_requested(&self) -> bool {
        self.0.upgrade_requested
    }

    /// As it was sent, with the empty line.
    pub(super) fn bytes(&self) -> &[u8] {
        let start = self.0.start as usize;
        self.0.store.get(start..).unwrap_or_default()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes().escape_ascii();
        write!(
            formatter,
            "Head({:?}, {:?})",
            bytes.to_string(),
            self.framing()
        )
    }
}

/// Parses the head that `input` begins with. Gives it and its length, or nothing when it isn't all there, or its lines are
/// not as they should be. The one that was parsed before, `last`, may be the same.
///
/// A violation found here is final only where a [`HeadScan`](super::scan::HeadScan) found nothing wrong with the
/// lines of this head: the scan knows which of several offences comes first.
pub(crate) fn parse(
    input: &[u8],
    limits: &Limits,
    last: &mut LastHead,
) -> Result<Option<(Head, usize)>, Violation> {
    if let Some(again) = last.again(input, limits) {
        return Ok(Some(again));
    }
    #[cfg(test)]
    super::tests::work::add(input.len());
    // Positions are kept in 32 bits.
    let within = input.get(..u32::MAX as usize).unwrap_or(input);
    let Some(line) = RequestLine::cut(within) else {
        return Ok(None);
    };
    if line.end() > limits.request_line {
        return Err(Violation::RequestLineTooLong);
    }
    let method = within.get(..line.method_len).unwrap_or_default();
    let target = within.get(line.method_len + 1..line.target_end);
    check_target_form(method, target.unwrap_or_default())?;
    let read = read_fields(within, &line, limits, last.take())?;
    if let Some((head, _)) = &read {
        last.keep(head, limits);
    }
    Ok(read)
}

/// A request line (RFC 9112 section 3), cut.
struct RequestLine {
    method_len: usize,
    target_end: usize,
    version: Version,
}

impl RequestLine {
    /// Cuts the line that `input` begins with. `None` if it isn't all there, or not as it should be.
    #[inline]
    fn cut(input: &[u8]) -> Option<Self> {
        let method_len = token_run(input);
        let [b' ', rest @ ..] = input.get(method_len..)? else {
            return None;
        };
        let target_len = target_run(rest);
        let version = match rest.get(target_len..)?.first_chunk()? {
            b" HTTP/1.1\r\n" => Version::Http11,
            b" HTTP/1.0\r\n" => Version::Http10,
            _ => return None,
        };
        (method_len > 0 && target_len > 0).then_some(RequestLine {
            method_len,
            target_end: method_len + 1 + target_len,
            version,
        })
    }

    /// Where its content ends.
    fn end(&self) -> usize {
        self.target_end + VERSION_BYTES
    }
}

/// Makes the head of its request line and of the fields that follow it in `input`, if possible in the memory of `old`.
fn read_fields(
    input: &[u8],
    line: &RequestLine,
    limits: &Limits,
    mut old: Option<Head>,
) -> Result<Option<(Head, usize)>, Violation> {
    let fields_start = line.end() + 2;
    let mut store = old.as_mut().and_then(Head::take_store).unwrap_or_else(|| {
        let room = USUAL_FIELDS * FieldSpan::PACKED + input.len().min(USUAL_LENGTH);
        Vec::with_capacity(room)
    });
    let mut facts = Facts::default();
    let (mut at, mut fields_end) = (fields_start, fields_start);
    let length = loop {
        match cut_line(input, at) {
            Some(Line::Field { span, end }) => {
                if store.len() / FieldSpan::PACKED >= limits.header_count {
                    return Err(Violation::TooManyHeaders);
                }
                let (name, value) = span.of(input);
                facts.note(name, value)?;
                store.extend_from_slice(&span.pack());
                (at, fields_end) = (end + 2, end);
            }
            Some(Line::Empty { end }) => break end,
            None => return Ok(None),
        }
    };
    if fields_end - fields_start > limits.header_bytes {
        return Err(Violation::HeadersTooLarge);
    }
    let start = store.len() as u32;
    store.extend_from_slice(input.get(..length).unwrap_or(input));
    let version = line.version;
    let parts = Parts {
        framing: facts.framing(version)?,
        keep_alive: !facts.close && (version == Version::Http11 || facts.keep_alive),
        expects_continue: version == Version::Http11 && facts.expects_continue,
        upgrade_requested: version == Version::Http11 && facts.lists_upgrade && facts.has_upgrade,
        has_secrets: facts.has_secrets,
        store,
        start,
        method_len: line.method_len as u32,
        target_end: line.target_end as u32,
        version,
    };
    Ok(Some((Head::of(parts, old), length)))
}

/// What the fields say about the connection and the body, gathered in one pass.
#[derive(Default)]
struct Facts {
    has_host: bool,
    content_length: Option<u64>,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    lists_upgrade: bool,
    has_upgrade: bool,
    expects_continue: bool,
    has_secrets: bool,
}

/// What a Transfer-Encoding field says.
#[derive(Clone, Copy)]
enum Coding {
    Chunked,
    Unknown,
    Malformed,
}

impl Facts {
    #[inline]
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.note_host(value),
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                Ok(())
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.has_upgrade = true;
                Ok(())
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.note_connection(value);
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.note_content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.note_transfer_encoding(value)
            }
            6 | 13 | 19 if SECRETS.iter().any(|known| name.eq_ignore_ascii_case(known)) => {
                self.has_secrets = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// RFC 9112 section 3.2: at most one, valid. An empty one is what a target without authority calls for.
    #[inline]
    fn note_host(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.has_host {
            return Err(Violation::HostRepeated);
        }
        self.has_host = true;
        if value.is_empty() || is_authority(value) {
            Ok(())
        } else {
            Err(Violation::HostMalformed)
        }
    }

    fn note_connection(&mut self, value: &[u8]) {
        for member in list_members(value) {
            match member.len() {
                5 => self.close |= member.eq_ignore_ascii_case(b"close"),
                7 => self.lists_upgrade |= member.eq_ignore_ascii_case(b"upgrade"),
                10 => self.keep_alive |= member.eq_ignore_ascii_case(b"keep-alive"),
                _ => {}
            }
        }
    }

    /// RFC 9112 section 6.3 lets a recipient take equal repetitions for one; requests are refused, there is no honest
    /// client that sends them.
    fn note_content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.content_length.is_some() {
            return Err(Violation::ContentLengthRepeated);
        }
        self.content_length = Some(decimal(value).ok_or(Violation::ContentLengthMalformed)?);
        Ok(())
    }

    fn note_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.coding.is_some() {
            return Err(Violation::CodingRepeated);
        }
        self.coding = Some(if value.eq_ignore_ascii_case(b"chunked") {
            Coding::Chunked
        } else if is_token(value) {
            Coding::Unknown
        } else {
            Coding::Malformed
        });
        Ok(())
    }

    /// RFC 9112 section 6.3, and 3.2 for Host.
    fn framing(&self, version: Version) -> Result<Framing, Violation> {
        if version == Version::Http11 && !self.has_host {
            return Err(Violation::HostMissing);
        }
        let Some(coding) = self.coding else {
            return Ok(self.content_length.map_or(Framing::None, Framing::Length));
        };
        // RFC 9112 section 6.1: HTTP/1.0 has no transfer codings; with a length besides, somebody is being fooled.
        if version == Version::Http10 {
            return Err(Violation::CodingOnHttp10);
        }
        if self.content_length.is_some() {
            return Err(Violation::LengthAndCoding);
        }
        match coding {
            Coding::Chunked => Ok(Framing::Chunked),
            Coding::Unknown => Err(Violation::CodingUnknown),
            Coding::Malformed => Err(Violation::CodingMalformed),
        }
    }
}
