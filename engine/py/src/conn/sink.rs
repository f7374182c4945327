//! Where the body of a request goes as it arrives.

use std::fs::File;
use std::io::{BufWriter, Write};

use pyo3::prelude::*;

/// Where body bytes go.
pub enum Sink {
    /// No body is expected.
    Nothing,
    /// It is collected for a program that is called when all is there.
    Memory(Vec<u8>),
    /// The same, beyond `bodyInMemory`.
    Spool(BufWriter<File>),
    /// The same, in a file object that the program's `Site.getContentFile` gave.
    Given(Py<PyAny>),
    /// It waits for a program that reads it as it comes.
    Stream(Vec<u8>),
    /// It was refused with this status; the program hears of it when it next reads.
    Refused(u16),
    /// It is thrown away, up to so many bytes more.
    Drain(u64),
}

/// What became of a piece of body.
pub enum Poured {
    /// It is stored.
    Stored,
    /// Store it in this file object, outside of the lock.
    WriteTo,
    /// The reader of the stream has news.
    News,
    /// More than may be thrown away has come.
    TooMuch,
    /// It could not be written to disk.
    Failed(std::io::Error),
}

impl Sink {
    /// The sink for a body of `declared` length that is collected, if up to `in_memory` bytes may stay in memory.
    pub fn collecting(declared: Option<u64>, in_memory: u64) -> std::io::Result<Self> {
        match declared {
            Some(length) if length > in_memory => Ok(Self::Spool(spool(&[], &[])?)),
            // All at once: growing as bytes come would copy them again and again. The system gives pages only as they
            // are written to, so a client that declares much and sends little takes little.
            Some(length) => Ok(Self::Memory(Vec::with_capacity(
                usize::try_from(length).unwrap_or(0),
            ))),
            None => Ok(Self::Memory(Vec::new())),
        }
    }

    /// Take a piece of body.
    pub fn pour(&mut self, piece: &[u8], in_memory: u64) -> Poured {
        match self {
            Self::Memory(buffer) => {
                let total = buffer.len() as u64 + piece.len() as u64;
                if total <= in_memory {
                    buffer.extend_from_slice(piece);
                    return Poured::Stored;
                }
                match spool(buffer, piece) {
                    Ok(file) => {
                        *self = Self::Spool(file);
                        Poured::Stored
                    }
                    Err(error) => Poured::Failed(error),
                }
            }
            Self::Spool(file) => match file.write_all(piece) {
                Ok(()) => Poured::Stored,
                Err(error) => Poured::Failed(error),
            },
            Self::Given(_) => Poured::WriteTo,
            Self::Stream(buffer) => {
                buffer.extend_from_slice(piece);
                Poured::News
            }
            Self::Drain(left) => match left.checked_sub(piece.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    Poured::Stored
                }
                None => Poured::TooMuch,
            },
            Self::Nothing | Self::Refused(_) => Poured::Stored,
        }
    }

    /// Whether a streaming program is behind by more than `high_water` bytes.
    pub fn is_full(&self, high_water: usize) -> bool {
        matches!(self, Self::Stream(buffer) if buffer.len() >= high_water)
    }
}

/// A body may come in very small pieces: they are written to the file in larger ones.
const SPOOL_BUFFER: usize = 64 << 10;

fn spool(so_far: &[u8], piece: &[u8]) -> std::io::Result<BufWriter<File>> {
    let mut file = BufWriter::with_capacity(SPOOL_BUFFER, tempfile::tempfile()?);
    file.write_all(so_far)?;
    file.write_all(piece)?;
    Ok(file)
}
