//! A response head: how it is parsed, and what it answers about itself.

use std::fmt;
use std::mem::MaybeUninit;

use super::super::fields::{span, FieldSpan};
use super::super::head::Version;
use super::hops::Hops;
use crate::grammar::{decimal, is_token, list_members};
use crate::{Limits, Violation};

/// Heads with up to this many fields are tokenized on the stack; only larger limits and heads need the heap for it.
const INLINE_FIELDS: usize = 128;

/// How a response's end is told (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// There is no body: the code, or HEAD, says so.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Whatever comes until the connection is closed.
    Close,
}

/// A response head that obeys RFC 9112: a copy of its bytes, and where things stand in them.
#[derive(Clone)]
pub struct ResponseHead {
    /// The bytes of the head, and behind them a packed [`FieldSpan`] per field.
    store: Vec<u8>,
    length: u32,
    reason_start: u32,
    reason_len: u32,
    code: u16,
    version: Version,
    delimiter: Delimiter,
    facts: Facts,
}

impl ResponseHead {
    /// The status code, 100 to 999.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The reason phrase, empty if there is none.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        span(&self.store, self.reason_start, self.reason_len)
    }

    /// The version in the status line.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How the body's end is told.
    #[must_use]
    pub fn delimiter(&self) -> Delimiter {
        self.delimiter
    }

    /// Whether the server lets the connection persist (RFC 9112 section 9.3) and the body's end can be told without
    /// closing it.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        let said = self.version == Version::Http11 || self.facts.keep_alive;
        said && !self.facts.close && self.delimiter != Delimiter::Close
    }

    /// Whether there is a Date field.
    #[must_use]
    pub fn has_date(&self) -> bool {
        self.facts.has_date
    }

    /// Whether there is a Server field.
    #[must_use]
    pub fn has_server(&self) -> bool {
        self.facts.has_server
    }

    /// Name and value of each field in the order of the wire; the name as sent, the value without white space at its
    /// ends.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let packed = self.store.get(self.length as usize..).unwrap_or_default();
        packed
            .chunks_exact(FieldSpan::PACKED)
            .map(|packed| FieldSpan::unpack(packed).of(&self.store))
    }

    /// The value of the first field with that name, which has to be given in lower case.
    #[must_use]
    pub fn field(&self, lower_name: &[u8]) -> Option<&[u8]> {
        self.fields()
            .find(|(name, _)| name.eq_ignore_ascii_case(lower_name))
            .map(|(_, value)| value)
    }

    /// Which fields are not to be passed on.
    #[must_use]
    pub fn hops(&self) -> Hops {
        if self.facts.names_fields {
            Hops::of(self.fields())
        } else {
            Hops::default()
        }
    }
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = span(&self.store, 0, self.length).escape_ascii();
        write!(
            formatter,
            "ResponseHead({:?}, {:?})",
            bytes.to_string(),
            self.delimiter
        )
    }
}

/// Parses the head that `input` is, its empty line included; its lines have been found to be well-formed as lines.
/// `head_request` says that it answers a HEAD.
pub(super) fn parse(
    input: &[u8],
    head_request: bool,
    limits: &Limits,
) -> Result<ResponseHead, Violation> {
    with_slots(input, limits, |slots| tokenize(input, slots, head_request))
}

/// Gives `tokenize` as many slots as the head that `input` begins with may have fields.
#[inline]
fn with_slots<'b, R>(
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
    head_request: bool,
) -> Result<ResponseHead, Violation> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        slots,
    );
    match parsed {
        Ok(httparse::Status::Complete(length)) if length == input.len() => {
            build(input, &response, head_request)
        }
        Ok(_) => Err(Violation::StatusLineMalformed),
        Err(httparse::Error::TooManyHeaders) => Err(Violation::TooManyHeaders),
        Err(httparse::Error::HeaderName) => Err(Violation::FieldNameMalformed),
        Err(httparse::Error::HeaderValue) => Err(Violation::FieldValueMalformed),
        Err(_) => Err(Violation::StatusLineMalformed),
    }
}

fn build(
    input: &[u8],
    response: &httparse::Response<'_, '_>,
    head_request: bool,
) -> Result<ResponseHead, Violation> {
    if input.len() > u32::MAX as usize {
        return Err(Violation::HeadersTooLarge);
    }
    let code = response.code.unwrap_or(0);
    if code < 100 {
        return Err(Violation::StatusLineMalformed);
    }
    let version = if response.version == Some(0) {
        Version::Http10
    } else {
        Version::Http11
    };
    let reason = response.reason.unwrap_or_default().as_bytes();
    let mut store = Vec::with_capacity(input.len() + response.headers.len() * FieldSpan::PACKED);
    store.extend_from_slice(input);
    let mut facts = Facts::default();
    for header in &*response.headers {
        keep_field(input, header, &mut store).ok_or(Violation::FieldValueMalformed)?;
        facts.note(header.name.as_bytes(), header.value)?;
    }
    Ok(ResponseHead {
        delimiter: facts.delimiter(code, version, head_request)?,
        store,
        length: input.len() as u32,
        // An empty reason is no slice of the input.
        reason_start: if reason.is_empty() {
            0
        } else {
            position_in(input, reason)
        },
        reason_len: reason.len() as u32,
        code,
        version,
        facts,
    })
}

/// Appends the packed span of a field of the head `bytes` to `store`. Gives where its line ends; nothing if it doesn't end
/// in CRLF.
#[inline]
fn keep_field(bytes: &[u8], header: &httparse::Header<'_>, store: &mut Vec<u8>) -> Option<usize> {
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
fn position_in(whole: &[u8], part: &[u8]) -> u32 {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize) as u32
}

/// Skips the white space that was trimmed off a value's end.
#[inline]
fn end_of_line_content(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// What the fields say about the connection and the body.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    content_length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// Connection names other fields.
    names_fields: bool,
    has_date: bool,
    has_server: bool,
}

impl Facts {
    #[inline]
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"date") => self.has_date = true,
            6 if name.eq_ignore_ascii_case(b"server") => self.has_server = true,
            10 if name.eq_ignore_ascii_case(b"connection") => self.note_connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                // RFC 9112 section 6.3 lets a recipient take equal repetitions for one. What sends them has had a
                // header written into it, as likely as not.
                if self.content_length.is_some() {
                    return Err(Violation::ContentLengthRepeated);
                }
                let length = decimal(value).ok_or(Violation::ContentLengthMalformed)?;
                self.content_length = Some(length);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.note_coding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for member in list_members(value) {
            if member.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if member.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else {
                self.names_fields = true;
            }
        }
    }

    /// No coding but `chunked` was asked for (no TE field is sent that would), so no other is understood.
    fn note_coding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.chunked {
            return Err(Violation::CodingRepeated);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(if is_token(value) {
                Violation::CodingUnknown
            } else {
                Violation::CodingMalformed
            });
        }
        self.chunked = true;
        Ok(())
    }

    /// RFC 9112 section 6.3.
    fn delimiter(
        self,
        code: u16,
        version: Version,
        head_request: bool,
    ) -> Result<Delimiter, Violation> {
        if self.chunked && self.content_length.is_some() {
            return Err(Violation::LengthAndCoding);
        }
        if self.chunked && version == Version::Http10 {
            return Err(Violation::CodingOnHttp10);
        }
        Ok(match self.content_length {
            _ if head_request || code < 200 || matches!(code, 204 | 304) => Delimiter::None,
            Some(length) => Delimiter::Length(length),
            None if self.chunked => Delimiter::Chunked,
            None => Delimiter::Close,
        })
    }
}
