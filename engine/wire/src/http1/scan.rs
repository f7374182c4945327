//! The line structure of a head that arrives in pieces.
//!
//! A head that is there in one piece is parsed at once and never comes here. Everything else does: the scan goes over
//! each byte once, however the bytes were cut, and is the judge of what is wrong first, so that an offence is named
//! the same whether a head came whole or byte by byte. It looks only at bytes up to the offence.

use memchr::{memchr, memchr2};

use super::line::check_request_line;
use crate::grammar::{is_field_value, is_tchar, is_token};
use crate::{Limits, Violation};

/// How far a head has been looked at. Positions count from the head's first byte.
#[derive(Clone, Debug)]
pub(crate) struct HeadScan {
    /// Everything before is known to be fine.
    position: usize,
    /// Where the line begins in which `position` is.
    line_start: usize,
    /// Complete lines so far, the request line among them.
    lines: usize,
    /// Where the first field line begins.
    fields_start: usize,
    /// The space after the method has been seen.
    method_complete: bool,
}

impl HeadScan {
    /// The scan of a head of which nothing is there.
    pub(crate) const fn new() -> Self {
        HeadScan {
            position: 0,
            line_start: 0,
            lines: 0,
            fields_start: 0,
            method_complete: false,
        }
    }

    /// Whether no byte of a head has been looked at.
    pub(crate) fn is_fresh(&self) -> bool {
        self.position == 0
    }

    /// Goes on where it stopped. `input` begins with the head and has at least the bytes it had before.
    /// Gives the length of the head, its empty line included, once that is there.
    pub(crate) fn run(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, Violation> {
        while let Some(rest) = input.get(self.position..) {
            let hit = memchr2(b'\r', b'\n', rest);
            let at = self.position + hit.unwrap_or(rest.len());
            #[cfg(test)]
            super::tests::work::add(at - self.position + 1);
            self.check_content(input, at, limits)?;
            self.position = at;
            match (input.get(at), input.get(at + 1)) {
                (Some(b'\r'), Some(b'\n')) => {}
                (None, _) | (Some(b'\r'), None) => return Ok(None),
                (Some(b'\r'), Some(_)) => return Err(Violation::BareCarriageReturn),
                // RFC 9112 section 2.2 allows a lone LF as line terminator; what allows it reads other lines than
                // the proxy in front may, so it is refused.
                (Some(_), _) => return Err(Violation::BareLineFeed),
            }
            if at == self.line_start {
                return if self.lines == 0 {
                    Err(Violation::EmptyLineRepeated)
                } else {
                    Ok(Some(at + 2))
                };
            }
            self.end_line(input.get(self.line_start..at).unwrap_or_default(), at + 2)?;
        }
        Ok(None)
    }

    /// Checks what the current line holds so far, up to `at`, against the limits.
    fn check_content(&mut self, input: &[u8], at: usize, limits: &Limits) -> Result<(), Violation> {
        if self.lines == 0 {
            // Not beyond the first byte that is too many: a byte-by-byte arrival doesn't see that far.
            self.check_method_bytes(input, at.min(limits.request_line.saturating_add(1)))?;
            if at > limits.request_line {
                return Err(Violation::RequestLineTooLong);
            }
        } else if at > self.line_start {
            if self.lines > limits.header_count {
                return Err(Violation::TooManyHeaders);
            }
            if at - self.fields_start > limits.header_bytes {
                return Err(Violation::HeadersTooLarge);
            }
        }
        Ok(())
    }

    /// Refuses what can't become a method at its first byte: a TLS handshake on a plain port never sends a line end.
    fn check_method_bytes(&mut self, input: &[u8], end: usize) -> Result<(), Violation> {
        if self.method_complete {
            return Ok(());
        }
        for (index, &byte) in input.iter().enumerate().take(end).skip(self.position) {
            if byte == b' ' && index > 0 {
                self.method_complete = true;
                break;
            }
            if !is_tchar(byte) {
                return Err(Violation::MethodMalformed);
            }
        }
        Ok(())
    }

    /// Takes a complete line, given without its CRLF; the next one begins at `next`.
    fn end_line(&mut self, line: &[u8], next: usize) -> Result<(), Violation> {
        if self.lines == 0 {
            check_request_line(line)?;
            self.fields_start = next;
        } else {
            check_field_line(line)?;
        }
        self.lines += 1;
        self.line_start = next;
        self.position = next;
        Ok(())
    }
}

/// Checks the syntax of one field line, given without its CRLF (RFC 9112 section 5).
fn check_field_line(line: &[u8]) -> Result<(), Violation> {
    // RFC 9112 section 5.2 for lines after the first; section 2.2 for the first one.
    if let Some(b' ' | b'\t') = line.first() {
        return Err(Violation::FieldFolded);
    }
    let colon = memchr(b':', line).ok_or(Violation::ColonMissing)?;
    let (name, value) = line.split_at(colon);
    // RFC 9112 section 5.1: no white space there, it has been read in different ways.
    if let Some(b' ' | b'\t') = name.last() {
        return Err(Violation::SpaceBeforeColon);
    }
    if !is_token(name) {
        return Err(Violation::FieldNameMalformed);
    }
    if !is_field_value(value) {
        return Err(Violation::FieldValueMalformed);
    }
    Ok(())
}
