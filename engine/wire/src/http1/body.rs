//! The chunked transfer coding (RFC 9112 section 7.1), decoded byte by byte with no buffer.
//!
//! ```text
//! Size -> Extension? -> SizeLf -> Data -> DataCr -> DataLf -> Size ...
//!                          `(size 0)-> LineStart -> Name -> Value -> FieldLf -> LineStart ... -> FinalLf -> the end
//! ```
//!
//! Strict where others have been lenient: no sign, prefix or white space around the size (old servers padded it with
//! spaces; no client does), CRLF only, and both bytes after a chunk's data are checked.

use std::ops::Range;

use crate::grammar::{is_field_byte, is_tchar};
use crate::{Limits, Violation};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A trailer field's first byte, or the CR of the empty line.
    LineStart,
    Name,
    Value,
    FieldLf,
    FinalLf,
}

/// What a look at the input gave.
pub(crate) enum Decoded {
    NeedMore,
    Data(Range<usize>),
    End,
}

/// The state of one chunked body.
#[derive(Clone, Debug)]
pub(crate) struct ChunkDecoder {
    expected: Expected,
    /// Hexadecimal digits of the current size so far.
    digits: u8,
    /// Bytes of the current size line so far.
    line: usize,
    /// The current chunk's size, later what is left of it.
    left: u64,
    /// Bytes of all chunks announced so far.
    announced: u64,
    trailer_bytes: usize,
    trailer_count: usize,
    /// The trailer section so far, where it is wanted; boxed since it seldom is.
    #[allow(clippy::box_collection)]
    trailers: Option<Box<Vec<u8>>>,
}

impl ChunkDecoder {
    pub(crate) fn new() -> Self {
        ChunkDecoder {
            expected: Expected::Size,
            digits: 0,
            line: 0,
            left: 0,
            announced: 0,
            trailer_bytes: 0,
            trailer_count: 0,
            trailers: None,
        }
    }

    /// A decoder that keeps the trailer fields for [`Self::take_trailers`].
    pub(crate) fn keeping_trailers() -> Self {
        ChunkDecoder {
            trailers: Some(Box::default()),
            ..Self::new()
        }
    }

    /// The lines of the trailer section, each with its CRLF.
    pub(crate) fn take_trailers(&mut self) -> Vec<u8> {
        self.trailers.take().map_or_else(Vec::new, |lines| *lines)
    }

    /// Takes framing bytes off `input` up to the next piece of data. Gives how many bytes are consumed, the piece
    /// among them. Chunks may announce `body_limit` bytes in all.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        limits: &Limits,
        body_limit: u64,
    ) -> Result<(usize, Decoded), Violation> {
        for (at, &byte) in input.iter().enumerate() {
            if self.expected == Expected::Data {
                let end = input
                    .len()
                    .min(at.saturating_add(usize::try_from(self.left).unwrap_or(usize::MAX)));
                self.left -= (end - at) as u64;
                if self.left == 0 {
                    self.expected = Expected::DataCr;
                }
                return Ok((end, Decoded::Data(at..end)));
            }
            if self.expected == Expected::FinalLf {
                return match byte {
                    b'\n' => Ok((at + 1, Decoded::End)),
                    _ => Err(Violation::BareCarriageReturn),
                };
            }
            self.expected = match self.expected {
                Expected::Size | Expected::Extension | Expected::SizeLf => {
                    self.size_line(byte, limits, body_limit)?
                }
                Expected::DataCr if byte == b'\r' => Expected::DataLf,
                Expected::DataLf if byte == b'\n' => Expected::Size,
                Expected::DataCr | Expected::DataLf => return Err(Violation::ChunkUnterminated),
                _ => self.trailer(byte, limits)?,
            };
        }
        Ok((input.len(), Decoded::NeedMore))
    }

    /// Takes one byte of a size line: `1*HEXDIG [ ";" extension ] CRLF`.
    fn size_line(
        &mut self,
        byte: u8,
        limits: &Limits,
        body_limit: u64,
    ) -> Result<Expected, Violation> {
        if self.expected == Expected::SizeLf {
            return match byte {
                b'\n' => Ok(self.begin_chunk()),
                _ => Err(Violation::BareCarriageReturn),
            };
        }
        if byte == b'\r' {
            self.end_size(body_limit)?;
            return Ok(Expected::SizeLf);
        }
        if self.line >= limits.chunk_line {
            return Err(Violation::ChunkLineTooLong);
        }
        self.line += 1;
        if self.expected == Expected::Extension {
            return match byte {
                b'\n' => Err(Violation::BareLineFeed),
                _ if is_field_byte(byte) => Ok(Expected::Extension),
                _ => Err(Violation::ChunkExtensionMalformed),
            };
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b';' if self.digits > 0 => return Ok(Expected::Extension),
            b'\n' if self.digits > 0 => return Err(Violation::BareLineFeed),
            _ => return Err(Violation::ChunkSizeMalformed),
        };
        // 16 digits are 64 bits: it can't overflow.
        if self.digits == 16 {
            return Err(Violation::ChunkSizeMalformed);
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(Expected::Size)
    }

    /// The size line's CR is there: judges the size before any of the data arrives.
    fn end_size(&mut self, body_limit: u64) -> Result<(), Violation> {
        if self.digits == 0 {
            return Err(Violation::ChunkSizeMalformed);
        }
        match self.announced.checked_add(self.left) {
            Some(announced) if announced <= body_limit => self.announced = announced,
            _ => return Err(Violation::BodyTooLarge),
        }
        Ok(())
    }

    fn begin_chunk(&mut self) -> Expected {
        self.digits = 0;
        self.line = 0;
        if self.left == 0 {
            Expected::LineStart
        } else {
            Expected::Data
        }
    }

    /// Takes one byte of the trailer section: checked as fields are and counted. A request's is dropped (RFC 9112 section
    /// 7.1.2), since fields that come after the body can't be trusted to mean what they would mean before it.
    fn trailer(&mut self, byte: u8, limits: &Limits) -> Result<Expected, Violation> {
        if self.expected == Expected::LineStart {
            if byte == b'\r' {
                return Ok(Expected::FinalLf);
            }
            self.trailer_count += 1;
        }
        self.trailer_bytes += 1;
        if self.trailer_bytes > limits.trailer_bytes || self.trailer_count > limits.header_count {
            return Err(Violation::TrailersTooLarge);
        }
        if let Some(lines) = &mut self.trailers {
            lines.push(byte);
        }
        match (self.expected, byte) {
            (Expected::FieldLf, b'\n') => Ok(Expected::LineStart),
            (Expected::FieldLf, _) => Err(Violation::BareCarriageReturn),
            (_, b'\n') => Err(Violation::BareLineFeed),
            (Expected::Value, b'\r') => Ok(Expected::FieldLf),
            (Expected::Value, _) if is_field_byte(byte) => Ok(Expected::Value),
            (Expected::Name, b':') => Ok(Expected::Value),
            (Expected::LineStart | Expected::Name, _) if is_tchar(byte) => Ok(Expected::Name),
            _ => Err(Violation::TrailerMalformed),
        }
    }
}
