//! One body, coded piece by piece or at once.

use std::fmt;
use std::ops::RangeInclusive;

use crate::codecs::{Brotli, Gzip, Zstd};

/// A coding that bodies can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// The coding of a name in the IANA registry, in lower case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name in Content-Encoding.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The levels there are: from fast to small.
    #[must_use]
    pub fn levels(self) -> RangeInclusive<u8> {
        match self {
            Self::Gzip => 0..=9,
            Self::Brotli => 0..=11,
            Self::Zstd => 1..=22,
        }
    }
}

/// A codec could not go on, for want of memory as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(pub(crate) &'static str);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0)
    }
}

impl std::error::Error for Failed {}

/// What is to become of what was taken so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It may wait for more.
    Go,
    /// All of it comes out.
    Flush,
    /// All of it comes out, and nothing is to follow.
    End,
}

/// What a codec does.
pub(crate) trait Codec {
    /// Take `input` and append to `out` what comes of it.
    fn run(&mut self, input: &[u8], step: Step, out: &mut Vec<u8>) -> Result<(), Failed>;
}

enum Kind {
    Gzip(Gzip),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

/// Codes one body.
pub struct Encoder {
    kind: Kind,
    /// Something was taken since all came out.
    holds: bool,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("holds", &self.holds)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder of `level`, brought into the coding's range, for a body of `length` where that is known. A body of
    /// unknown length may last as long as its client: what is kept for it is smaller, at some cost in size.
    ///
    /// # Errors
    /// The codec has no memory.
    pub fn new(coding: Coding, level: u8, length: Option<u64>) -> Result<Self, Failed> {
        let level = level.clamp(*coding.levels().start(), *coding.levels().end());
        let kind = match coding {
            Coding::Gzip => Kind::Gzip(Gzip::new(level)),
            Coding::Brotli => Kind::Brotli(Box::new(Brotli::new(level, length))),
            Coding::Zstd => Kind::Zstd(Zstd::new(level, length)?),
        };
        Ok(Self { kind, holds: false })
    }

    fn run(&mut self, input: &[u8], step: Step, out: &mut Vec<u8>) -> Result<(), Failed> {
        match &mut self.kind {
            Kind::Gzip(codec) => codec.run(input, step, out),
            Kind::Brotli(codec) => codec.run(input, step, out),
            Kind::Zstd(codec) => codec.run(input, step, out),
        }
    }

    /// Take a piece of body; `out` gets what is complete by now, which may be nothing.
    ///
    /// # Errors
    /// The codec can't go on.
    pub fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
        self.holds |= !data.is_empty();
        self.run(data, Step::Go, out)
    }

    /// Whether something was taken since the last flush.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// All that was taken comes out, so that it can be decoded; nothing if nothing was taken since the last time.
    ///
    /// # Errors
    /// The codec can't go on.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Failed> {
        if !std::mem::take(&mut self.holds) {
            return Ok(());
        }
        self.run(&[], Step::Flush, out)
    }

    /// The rest, and the end of the coding.
    ///
    /// # Errors
    /// The codec can't go on.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Failed> {
        self.run(&[], Step::End, out)
    }
}

/// A whole body, coded.
///
/// # Errors
/// The codec has no memory.
pub fn encode_whole(coding: Coding, level: u8, data: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut encoder = Encoder::new(coding, level, Some(data.len() as u64))?;
    // Only what can't be compressed comes out longer, by a few bytes.
    let mut out = Vec::with_capacity(data.len() + 64);
    encoder.run(data, Step::End, &mut out)?;
    if out.len() < out.capacity() / 2 {
        out.shrink_to_fit();
    }
    Ok(out)
}
