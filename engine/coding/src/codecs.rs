//! The codecs, behind one trait.

mod brotli;
mod gzip;
mod zstd;

pub(crate) use brotli::Brotli;
pub(crate) use gzip::Gzip;
pub(crate) use zstd::Zstd;

/// Codec states kept for the next bodies of a thread.
const KEPT: usize = 4;

/// Room for output is made in such pieces, or larger ones where more is to be expected.
const ROOM: usize = 4096;

/// What the output may need for `input` bytes, at a usual ratio.
fn room_for(input: usize) -> usize {
    ROOM.max(input / 4)
}
