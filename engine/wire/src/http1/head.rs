//! A request head: how it is parsed in one go, and what it answers about itself.

use std::fmt;
use std::mem::MaybeUninit;

use super::line::check_target;
use crate::grammar::{decimal, is_authority, is_token, list_members};
use crate::{Limits, Violation};

/// Heads with up to this many fields are tokenized on the stack; only larger limits and heads need the heap for it.
const INLINE_FIELDS: usize = 128;

/// ` HTTP/1.1`: what stands between the target and the end of the request line.
const VERSION_BYTES: usize = 9;

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

/// Where a field stands in the head's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldSpan {
    pub(super) name_start: u32,
    pub(super) name_len: u32,
    pub(super) value_start: u32,
    pub(super) value_len: u32,
}

impl FieldSpan {
    /// Bytes of a span as it is kept behind a head's bytes.
    pub(super) const PACKED: usize = 16;

    /// One number of all four, so that packing is a single store.
    #[inline]
    pub(super) fn pack(self) -> [u8; Self::PACKED] {
        let names = u64::from(self.name_start) | u64::from(self.name_len) << 32;
        let values = u64::from(self.value_start) | u64::from(self.value_len) << 32;
        (u128::from(names) | u128::from(values) << 64).to_ne_bytes()
    }

    #[inline]
    pub(super) fn unpack(packed: &[u8]) -> Self {
        let number = packed
            .first_chunk()
            .map_or(0, |bytes| u128::from_ne_bytes(*bytes));
        FieldSpan {
            name_start: number as u32,
            name_len: (number >> 32) as u32,
            value_start: (number >> 64) as u32,
            value_len: (number >> 96) as u32,
        }
    }
}

/// A request head that obeys RFC 9112: a copy of its bytes, and where things stand in them.
#[derive(Clone)]
pub struct Head {
    /// The bytes of the head, and behind them, to need one allocation and not two, a packed [`FieldSpan`] per field.
    store: Vec<u8>,
    length: u32,
    method_len: u32,
    target_end: u32,
    version: Version,
    framing: Framing,
    keep_alive: bool,
    expects_continue: bool,
    upgrade_requested: bool,
}

impl Head {
    /// The method as sent; methods are case-sensitive.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        span(&self.store, 0, self.method_len)
    }

    /// The request target as sent: bytes 0x21 to 0x7e without `#`, in one of the forms of RFC 9112 section 3.2.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        let start = self.method_len + 1;
        span(&self.store, start, self.target_end - start)
    }

    /// The bytes behind the request line: all field lines and the empty one.
    #[must_use]
    pub fn field_lines(&self) -> &[u8] {
        let start = self.target_end as usize + VERSION_BYTES + 2;
        self.store
            .get(start..self.length as usize)
            .unwrap_or_default()
    }

    /// The version in the request line.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How the body's length is told.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client lets the connection persist (RFC 9112 section 9.3): on HTTP/1.1 unless `close` is among
    /// the members of Connection, on HTTP/1.0 only with `keep-alive` there and no `close`.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the client waits for a 100 before it sends the body: `Expect: 100-continue` in any case on HTTP/1.1.
    /// Other expectations are ignored, as RFC 9110 section 10.1.1 allows.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
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
        let packed = self.store.get(self.length as usize..).unwrap_or_default();
        packed
            .chunks_exact(FieldSpan::PACKED)
            .map(|packed| self.field_at(FieldSpan::unpack(packed)))
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
        self.upgrade_requested
    }

    fn field_at(&self, field: FieldSpan) -> (&[u8], &[u8]) {
        (
            span(&self.store, field.name_start, field.name_len),
            span(&self.store, field.value_start, field.value_len),
        )
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = span(&self.store, 0, self.length).escape_ascii();
        write!(
            formatter,
            "Head({:?}, {:?})",
            bytes.to_string(),
            self.framing
        )
    }
}

#[inline]
pub(super) fn span(bytes: &[u8], start: u32, len: u32) -> &[u8] {
    let start = start as usize;
    bytes.get(start..start + len as usize).unwrap_or_default()
}

/// Parses the head that `input` begins with. Gives it and its length, or nothing when it is not complete.
///
/// A violation found here is final only where a [`HeadScan`](super::scan::HeadScan) found nothing wrong with the
/// lines of this head: the scan knows which of several offences comes first.
pub(crate) fn parse(input: &[u8], limits: &Limits) -> Result<Option<(Head, usize)>, Violation> {
    #[cfg(test)]
    super::tests::work::add(input.len());
    with_slots(input, limits, |slots| tokenize(input, slots, limits))
}

/// Gives `tokenize` as many slots as the head that `input` begins with may have fields.
#[inline]
pub(super) fn with_slots<'b, R>(
    input: &'b [u8],
    limits: &Limits,
    tokenize: impl FnOnce(&mut [MaybeUninit<httparse::Header<'b>>]) -> R,
) -> R {
    let count = limits.header_count;
    if count <= INLINE_FIELDS {
        let mut slots = [const { MaybeUninit::uninit() }; INLINE_FIELDS];
        tokenize(slots.get_mut(..count).unwrap_or_default())
    } else {
        // Each field line takes at least four bytes, so a large limit needn't mean a large allocation.
        let mut slots = Vec::new();
        slots.resize_with(count.min(input.len() / 4), MaybeUninit::uninit);
        tokenize(&mut slots)
    }
}

fn tokenize<'b>(
    input: &'b [u8],
    slots: &mut [MaybeUninit<httparse::Header<'b>>],
    limits: &Limits,
) -> Result<Option<(Head, usize)>, Violation> {
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(input, slots) {
        Ok(httparse::Status::Complete(length)) => {
            build(input, length, &request, limits).map(|head| Some((head, length)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(Violation::TooManyHeaders),
        Err(httparse::Error::HeaderName) => Err(Violation::FieldNameMalformed),
        Err(httparse::Error::HeaderValue) => Err(Violation::FieldValueMalformed),
        Err(_) => Err(Violation::RequestLineMalformed),
    }
}

/// Makes the head of what `httparse` found in the first `length` bytes of `input`, adding what it doesn't look at:
/// line ends, limits, and what the fields mean for framing.
fn build(
    input: &[u8],
    length: usize,
    request: &httparse::Request<'_, '_>,
    limits: &Limits,
) -> Result<Head, Violation> {
    let bytes = input.get(..length).unwrap_or(input);
    let method = request.method.unwrap_or_default().as_bytes();
    let target = request.path.unwrap_or_default().as_bytes();
    let target_end = method.len() + 1 + target.len();
    let line_end = target_end + VERSION_BYTES;
    // Positions are kept in 32 bits.
    if line_end > limits.request_line || line_end > u32::MAX as usize {
        return Err(Violation::RequestLineTooLong);
    }
    if length > u32::MAX as usize {
        return Err(Violation::HeadersTooLarge);
    }
    // `httparse` takes a lone LF as line end; RFC 9112 section 2.2 allows that, but see `scan`.
    if bytes.get(line_end) != Some(&b'\r') || bytes.get(length - 2) != Some(&b'\r') {
        return Err(Violation::BareLineFeed);
    }
    check_target(method, target)?;
    let mut store = Vec::with_capacity(length + request.headers.len() * FieldSpan::PACKED);
    store.extend_from_slice(bytes);
    let (facts, fields_end) = read_fields(bytes, request.headers, &mut store)?;
    if fields_end.saturating_sub(line_end + 2) > limits.header_bytes {
        return Err(Violation::HeadersTooLarge);
    }
    let version = if request.version == Some(0) {
        Version::Http10
    } else {
        Version::Http11
    };
    Ok(Head {
        framing: facts.framing(version)?,
        keep_alive: !facts.close && (version == Version::Http11 || facts.keep_alive),
        expects_continue: version == Version::Http11 && facts.expects_continue,
        upgrade_requested: version == Version::Http11 && facts.lists_upgrade && facts.has_upgrade,
        store,
        length: length as u32,
        method_len: method.len() as u32,
        target_end: target_end as u32,
        version,
    })
}

/// Notes what the fields of the head `bytes` say and appends their packed spans to `store`. Gives the facts, and where
/// the last field line ends, its CRLF not counted.
#[inline]
fn read_fields(
    bytes: &[u8],
    headers: &[httparse::Header<'_>],
    store: &mut Vec<u8>,
) -> Result<(Facts, usize), Violation> {
    let mut facts = Facts::default();
    let mut end = 0;
    for header in headers {
        end = keep_field(bytes, header, store).ok_or(Violation::BareLineFeed)?;
        facts.note(header.name.as_bytes(), header.value)?;
    }
    Ok((facts, end))
}

/// Appends the packed span of a field of the head `bytes` to `store`. Gives where its line ends; nothing if it doesn't end
/// in CRLF.
#[inline]
pub(super) fn keep_field(
    bytes: &[u8],
    header: &httparse::Header<'_>,
    store: &mut Vec<u8>,
) -> Option<usize> {
    let (name, value) = (header.name.as_bytes(), header.value);
    let field = FieldSpan {
        name_start: position_in(bytes, name),
        name_len: name.len() as u32,
        value_start: position_in(bytes, value),
        value_len: value.len() as u32,
    };
    let end = end_of_line_content(bytes, field.value_start as usize + value.len());
    store.extend_from_slice(&field.pack());
    (bytes.get(end) == Some(&b'\r')).then_some(end)
}

/// Where `part`, a slice out of `whole`, begins in it.
#[inline]
pub(super) fn position_in(whole: &[u8], part: &[u8]) -> u32 {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize) as u32
}

/// Skips the white space that was trimmed off a value's end.
#[inline]
pub(super) fn end_of_line_content(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
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
