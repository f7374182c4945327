//! The request half of one connection.
//!
//! ```text
//!            head             last byte of the body
//! AwaitingHead ----> Fixed or Chunked ----> Complete
//!      ^                                       |
//!      `------------ next_request() -----------'
//! ```
//!
//! Any violation leads to `Failed`, and there is no way out: what follows can't be told apart from smuggled bytes.

use std::ops::Range;

use super::body::{ChunkDecoder, Decoded};
use super::head::{self, Framing, Head};
use super::last_head::LastHead;
use super::scan::HeadScan;
use crate::{Limits, Violation};

/// One step of a request's arrival.
#[derive(Debug)]
pub enum Step {
    /// Nothing further can be told from the input so far.
    NeedMore,
    /// The head is complete and obeys the rules.
    Head(Head),
    /// Body bytes: where they are in the input that was given. Never empty.
    Data(Range<usize>),
    /// The request is complete; follows the head at once where there is no body, unless [`Receiver::end_bodiless`] does.
    End,
}

#[derive(Clone, Debug)]
enum Phase {
    AwaitingHead(HeadScan, LeadingLine),
    Fixed { length: u64, left: u64 },
    Chunked(ChunkDecoder),
    Complete,
    Failed(Violation),
}

/// The one empty line that may come before a request line (RFC 9112 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeadingLine {
    Allowed,
    CrSeen,
    Skipped,
}

const AWAITING_HEAD: Phase = Phase::AwaitingHead(HeadScan::new(), LeadingLine::Allowed);

/// Reads the requests of one connection, strictly as RFC 9112 has them. It has no buffer: the caller keeps the bytes
/// that are not consumed and gives them again with more appended.
#[derive(Clone, Debug)]
pub struct Receiver {
    phase: Phase,
    /// Bytes that the current request's body may have.
    body_limit: u64,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// A receiver that waits for a connection's first request.
    #[must_use]
    pub fn new() -> Self {
        Receiver {
            phase: AWAITING_HEAD,
            body_limit: u64::MAX,
        }
    }

    /// Looks at `input`, all bytes that are not consumed so far, and does one step. Gives how many bytes of `input`
    /// are consumed, those of the step's data among them; [`Step::NeedMore`] may consume some, too.
    ///
    /// How the bytes were cut makes no difference but for the cuts between pieces of data. Each byte is looked at a
    /// bounded number of times, however slowly a head arrives. After [`Step::End`] nothing is consumed until
    /// [`Receiver::next_request`].
    ///
    /// # Errors
    /// What the peer did wrong, as soon as it can be told; the same again ever after.
    pub fn advance(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Step), Violation> {
        self.advance_after(&mut LastHead::default(), input, limits)
    }

    /// The same by one who keeps the head that was parsed last, on this connection or on another: it makes no difference
    /// but for the time it takes.
    ///
    /// # Errors
    /// As [`Receiver::advance`].
    pub fn advance_after(
        &mut self,
        last: &mut LastHead,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, Step), Violation> {
        let result = match &mut self.phase {
            Phase::AwaitingHead(..) => self.advance_head(last, input, limits),
            Phase::Fixed { length, .. } if *length > self.body_limit => {
                Err(Violation::BodyTooLarge)
            }
            Phase::Fixed { left: 0, .. } => {
                self.phase = Phase::Complete;
                Ok((0, Step::End))
            }
            Phase::Fixed { .. } if input.is_empty() => Ok((0, Step::NeedMore)),
            Phase::Fixed { left, .. } => {
                let taken =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= taken as u64;
                Ok((taken, Step::Data(0..taken)))
            }
            Phase::Chunked(decoder) => match decoder.decode(input, limits, self.body_limit) {
                Ok((consumed, Decoded::NeedMore)) => Ok((consumed, Step::NeedMore)),
                Ok((consumed, Decoded::Data(range))) => Ok((consumed, Step::Data(range))),
                Ok((consumed, Decoded::End)) => {
                    self.phase = Phase::Complete;
                    Ok((consumed, Step::End))
                }
                Err(violation) => Err(violation),
            },
            Phase::Complete => Ok((0, Step::NeedMore)),
            Phase::Failed(violation) => Err(*violation),
        };
        if let Err(violation) = result {
            self.phase = Phase::Failed(violation);
        }
        result
    }

    fn advance_head(
        &mut self,
        last: &mut LastHead,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, Step), Violation> {
        let Phase::AwaitingHead(scan, leading) = &mut self.phase else {
            return Ok((0, Step::NeedMore));
        };
        let skipped = if scan.is_fresh() {
            skip_leading_line(input, leading)?
        } else {
            0
        };
        let input = input.get(skipped..).unwrap_or_default();
        if input.is_empty() {
            return Ok((skipped, Step::NeedMore));
        }
        let mut parsed = None;
        if scan.is_fresh() {
            // The common case, a head in one piece. If it is wrong, the scan finds out what comes first.
            parsed = head::parse(input, limits, last).unwrap_or_default();
        }
        if parsed.is_none() {
            let Some(length) = scan.run(input, limits)? else {
                return Ok((skipped, Step::NeedMore));
            };
            parsed = head::parse(input.get(..length).unwrap_or(input), limits, last)?;
        }
        // A head that the scan holds for complete and the parser doesn't can't be; refused if it were.
        let (head, length) = parsed.ok_or(Violation::RequestLineMalformed)?;
        self.phase = match head.framing() {
            Framing::None => Phase::Fixed { length: 0, left: 0 },
            Framing::Length(length) => Phase::Fixed {
                length,
                left: length,
            },
            Framing::Chunked => Phase::Chunked(ChunkDecoder::new()),
        };
        Ok((skipped + length, Step::Head(head)))
    }

    /// Sets how many bytes the current request's body may have, `None` for any number. Made for the moment after the
    /// head; without it there is no limit. A declared or announced length over it is [`Violation::BodyTooLarge`] at
    /// the next [`Receiver::advance`], before the bytes arrive.
    pub fn set_body_limit(&mut self, limit: Option<u64>) {
        self.body_limit = limit.unwrap_or(u64::MAX);
    }

    /// Goes to the end of a request that has no body, without the [`Step::End`] that tells of it. Gives whether it is one.
    pub fn end_bodiless(&mut self) -> bool {
        let bodiless = matches!(self.phase, Phase::Fixed { length: 0, .. });
        if bodiless {
            self.phase = Phase::Complete;
        }
        bodiless
    }

    /// How many body bytes are known to be still to come: `None` while a chunked body arrives, 0 outside of bodies.
    #[must_use]
    pub fn body_remaining(&self) -> Option<u64> {
        match self.phase {
            Phase::Fixed { left, .. } => Some(left),
            Phase::Chunked(_) => None,
            Phase::AwaitingHead(..) | Phase::Complete | Phase::Failed(_) => Some(0),
        }
    }

    /// Whether no byte of a next request has been seen; an empty line before it doesn't count.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        matches!(&self.phase, Phase::AwaitingHead(scan, leading) if scan.is_fresh() && *leading != LeadingLine::CrSeen)
    }

    /// Whether the head has been given and the end has not.
    #[must_use]
    pub fn in_body(&self) -> bool {
        matches!(self.phase, Phase::Fixed { .. } | Phase::Chunked(_))
    }

    /// Whether [`Step::End`] has been given for the current request.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.phase, Phase::Complete)
    }

    /// Goes on to the connection's next request, without a body limit. Only has an effect after [`Step::End`].
    pub fn next_request(&mut self) {
        if self.is_complete() {
            *self = Self::new();
        }
    }

    /// Judges the peer's closing of its half at this point.
    ///
    /// # Errors
    /// [`Violation::Truncated`] within a request, and the violation that was found before if there was one.
    pub fn end_of_input(&self) -> Result<(), Violation> {
        match &self.phase {
            Phase::Failed(violation) => Err(*violation),
            Phase::Complete | Phase::Fixed { left: 0, .. } => Ok(()),
            _ if self.is_between_requests() => Ok(()),
            _ => Err(Violation::Truncated),
        }
    }
}

/// Consumes what there is of one leading CRLF; gives the number of bytes.
fn skip_leading_line(input: &[u8], leading: &mut LeadingLine) -> Result<usize, Violation> {
    let mut skipped = 0;
    for &byte in input.iter().take(2) {
        *leading = match (*leading, byte) {
            (LeadingLine::Allowed, b'\r') => LeadingLine::CrSeen,
            (LeadingLine::CrSeen, b'\n') => LeadingLine::Skipped,
            (LeadingLine::CrSeen, _) => return Err(Violation::BareCarriageReturn),
            _ => break,
        };
        skipped += 1;
    }
    match (*leading, input.get(skipped)) {
        (LeadingLine::CrSeen, Some(_)) => Err(Violation::BareCarriageReturn),
        (LeadingLine::Skipped, Some(b'\r')) => Err(Violation::EmptyLineRepeated),
        (_, Some(b'\n')) => Err(Violation::BareLineFeed),
        _ => Ok(skipped),
    }
}
