//! The response half of one connection to an upstream.
//!
//! ```text
//!            begin()            final head             last byte
//!   Resting ---------> Awaiting -----------> a body ------------> Complete
//!      ^                 |  ^ 1xx                                    |
//!      |                 `--'                                        |
//!      `------------------------- begin() --------------------------'
//! ```
//!
//! Any violation leads to `Failed`, and there is no way out.

use std::ops::Range;

use memchr::memchr;

use super::super::body::{ChunkDecoder, Decoded};
use super::head::{self, Delimiter, ResponseHead};
use crate::grammar::trim;
use crate::{Limits, Violation};

/// One step of a response's arrival.
#[derive(Debug)]
pub enum Arrival {
    /// Nothing further can be told from the input so far.
    NeedMore,
    /// An interim response (1xx but 101); the final one follows.
    Interim(ResponseHead),
    /// The final head.
    Head(ResponseHead),
    /// Body bytes: where they are in the input that was given. Never empty.
    Data(Range<usize>),
    /// The response is complete; follows the head at once where there is no body.
    End,
}

#[derive(Clone, Debug)]
enum Phase {
    /// No request is on its way: there is nothing to answer.
    Resting,
    Awaiting(HeadScan),
    Fixed {
        left: u64,
    },
    Chunked(ChunkDecoder),
    UntilClose,
    Complete,
    Failed(Violation),
}

/// As many interim responses as one request may be answered with before the final one: nobody sends more than a few,
/// and each makes work for whoever passes them on.
const MOST_INTERIM: u8 = 32;

/// Reads the responses of one connection. It has no buffer: the caller keeps what is not consumed and gives it again with
/// more appended.
#[derive(Clone, Debug)]
pub struct ResponseReceiver {
    phase: Phase,
    head_request: bool,
    interim: u8,
    /// The trailer section of the last chunked body, as it came.
    trailers: Vec<u8>,
}

impl Default for ResponseReceiver {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReceiver {
    /// A receiver on which nothing has been asked yet.
    #[must_use]
    pub fn new() -> Self {
        ResponseReceiver {
            phase: Phase::Resting,
            head_request: false,
            interim: 0,
            trailers: Vec::new(),
        }
    }

    /// A request is on its way; `head_request` says that it is a HEAD. Has no effect within a response.
    pub fn begin(&mut self, head_request: bool) {
        if matches!(self.phase, Phase::Resting | Phase::Complete) {
            self.phase = Phase::Awaiting(HeadScan::new());
            self.head_request = head_request;
            self.interim = 0;
            self.trailers = Vec::new();
        }
    }

    /// Looks at `input`, all bytes that are not consumed so far, and does one step; gives how many bytes are consumed.
    /// How the bytes were cut makes no difference but for the cuts between pieces of data.
    ///
    /// # Errors
    /// What the server did wrong, as soon as it can be told; the same again ever after.
    /// [`Violation::AnswerUnasked`] for bytes that no request has asked for.
    pub fn advance(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, Arrival), Violation> {
        let result = match &mut self.phase {
            Phase::Resting | Phase::Complete if input.is_empty() => Ok((0, Arrival::NeedMore)),
            Phase::Resting | Phase::Complete => Err(Violation::AnswerUnasked),
            Phase::Awaiting(_) => self.advance_head(input, limits),
            Phase::Fixed { left: 0 } => {
                self.phase = Phase::Complete;
                Ok((0, Arrival::End))
            }
            Phase::Fixed { .. } | Phase::UntilClose if input.is_empty() => {
                Ok((0, Arrival::NeedMore))
            }
            Phase::Fixed { left } => {
                let taken =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= taken as u64;
                Ok((taken, Arrival::Data(0..taken)))
            }
            Phase::UntilClose => Ok((input.len(), Arrival::Data(0..input.len()))),
            Phase::Chunked(decoder) => match decoder.decode(input, limits, u64::MAX) {
                Ok((consumed, Decoded::NeedMore)) => Ok((consumed, Arrival::NeedMore)),
                Ok((consumed, Decoded::Data(range))) => Ok((consumed, Arrival::Data(range))),
                Ok((consumed, Decoded::End)) => {
                    self.trailers = decoder.take_trailers();
                    self.phase = Phase::Complete;
                    Ok((consumed, Arrival::End))
                }
                Err(violation) => Err(violation),
            },
            Phase::Failed(violation) => Err(*violation),
        };
        if let Err(violation) = result {
            self.phase = Phase::Failed(violation);
        }
        result
    }

    fn advance_head(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, Arrival), Violation> {
        let Phase::Awaiting(scan) = &mut self.phase else {
            return Ok((0, Arrival::NeedMore));
        };
        let Some(length) = scan.run(input, limits)? else {
            return Ok((0, Arrival::NeedMore));
        };
        let head = head::parse(
            input.get(..length).unwrap_or(input),
            self.head_request,
            limits,
        )?;
        // 101 is final for HTTP: what follows it is another protocol's.
        if head.code() < 200 && head.code() != 101 {
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(Violation::TooManyInterim);
            }
            self.phase = Phase::Awaiting(HeadScan::new());
            return Ok((length, Arrival::Interim(head)));
        }
        self.phase = match head.delimiter() {
            Delimiter::None => Phase::Fixed { left: 0 },
            Delimiter::Length(left) => Phase::Fixed { left },
            Delimiter::Chunked => Phase::Chunked(ChunkDecoder::keeping_trailers()),
            Delimiter::Close => Phase::UntilClose,
        };
        Ok((length, Arrival::Head(head)))
    }

    /// Whether a request is unanswered and no byte of its answer's head has come. One that failed thus on a connection
    /// that had been used before may never have reached the server.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        matches!(&self.phase, Phase::Awaiting(scan) if scan.is_fresh()) && self.interim == 0
    }

    /// Whether nothing is owed: no request yet, or the last one is answered.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Resting | Phase::Complete)
    }

    /// The server has closed its half. Gives whether that ends the response, as it does where nothing else tells its end;
    /// the answer is `false` where nothing was owed.
    ///
    /// # Errors
    /// [`Violation::AnswerTruncated`] within a response, or the violation that was found before.
    pub fn end_of_input(&mut self) -> Result<bool, Violation> {
        match self.phase {
            Phase::Failed(violation) => Err(violation),
            Phase::Resting | Phase::Complete => Ok(false),
            Phase::UntilClose | Phase::Fixed { left: 0 } => {
                self.phase = Phase::Complete;
                Ok(true)
            }
            _ => {
                self.phase = Phase::Failed(Violation::AnswerTruncated);
                Err(Violation::AnswerTruncated)
            }
        }
    }

    /// The trailer fields of the response that has just ended.
    pub fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.trailers.split(|&byte| byte == b'\n');
        lines.filter_map(|line| {
            let colon = memchr(b':', line)?;
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            Some((name, trim(value.strip_suffix(b"\r").unwrap_or(value))))
        })
    }
}

/// How far a head has been looked at: each byte once, however they come, and only up to the first offence.
#[derive(Clone, Debug)]
struct HeadScan {
    /// Everything before is known to be fine.
    position: usize,
    line_start: usize,
    /// Complete lines so far.
    lines: usize,
    fields_start: usize,
}

/// What every response begins with.
const START: &[u8] = b"HTTP/1.";

impl HeadScan {
    const fn new() -> Self {
        HeadScan {
            position: 0,
            line_start: 0,
            lines: 0,
            fields_start: 0,
        }
    }

    fn is_fresh(&self) -> bool {
        self.position == 0
    }

    /// Gives the length of the head, its empty line included, once that is there.
    fn run(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, Violation> {
        // What isn't HTTP at all is refused at its first byte: it may never have a line end.
        if !input.iter().zip(START).all(|(have, wanted)| have == wanted) {
            return Err(Violation::StatusLineMalformed);
        }
        while let Some(rest) = input.get(self.position..) {
            let found = memchr(b'\n', rest);
            let at = self.position + found.unwrap_or(rest.len());
            let line = input.get(self.line_start..at).unwrap_or_default();
            self.check_length(line, at, limits)?;
            self.position = at;
            if found.is_none() {
                return Ok(None);
            }
            // RFC 9112 section 2.2 allows a lone LF; what allows it reads other lines than the next in the chain may.
            let [content @ .., b'\r'] = line else {
                return Err(Violation::BareLineFeed);
            };
            match (content, self.lines) {
                ([], 0) => return Err(Violation::StatusLineMalformed),
                ([], _) => return Ok(Some(at + 1)),
                // RFC 9112 section 5.2
                ([b' ' | b'\t', ..], 1..) => return Err(Violation::FieldFolded),
                _ => {}
            }
            self.lines += 1;
            self.line_start = at + 1;
            self.position = at + 1;
            if self.lines == 1 {
                self.fields_start = at + 1;
            }
        }
        Ok(None)
    }

    /// `line` is the current one as far as it is there, which is up to `at`.
    fn check_length(&self, line: &[u8], at: usize, limits: &Limits) -> Result<(), Violation> {
        let content = line.strip_suffix(b"\r").unwrap_or(line);
        if content.is_empty() {
            return Ok(());
        }
        if self.lines == 0 {
            if content.len() > limits.request_line {
                return Err(Violation::StatusLineTooLong);
            }
        } else if self.lines > limits.header_count {
            return Err(Violation::TooManyHeaders);
        } else if at - (line.len() - content.len()) - self.fields_start > limits.header_bytes {
            return Err(Violation::HeadersTooLarge);
        }
        Ok(())
    }
}
