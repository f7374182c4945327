//! brotli: RFC 7932.

use brotli::enc::encode::{BrotliEncoderOperation, BrotliEncoderStateStruct};
use brotli::enc::StandardAlloc;

use super::room_for;
use crate::encoder::{Codec, Failed, Step};

/// The window of a body of unknown length: 256 KiB.
const STREAM_WINDOW: i32 = 18;
/// The largest window used: 4 MiB, the library's own default.
const LARGEST_WINDOW: i32 = 22;
/// The smallest used: up to 16, the library's levels from 5 on take an implementation that needs 20 ms for 36 KB.
const SMALLEST_WINDOW: i32 = 17;

pub(crate) struct Brotli {
    state: BrotliEncoderStateStruct<StandardAlloc>,
}

impl Brotli {
    pub(crate) fn new(level: u8, length: Option<u64>) -> Self {
        let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
        // The least power of two that the body fits in.
        let fitting = |length: u64| {
            i32::try_from(u64::BITS - length.leading_zeros()).unwrap_or(LARGEST_WINDOW)
        };
        let params = &mut state.params;
        params.quality = i32::from(level);
        params.lgwin = length.map_or(STREAM_WINDOW, |length| {
            fitting(length).clamp(SMALLEST_WINDOW, LARGEST_WINDOW)
        });
        params.size_hint = length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        Self { state }
    }
}

impl Codec for Brotli {
    fn run(&mut self, input: &[u8], step: Step, out: &mut Vec<u8>) -> Result<(), Failed> {
        let operation = match step {
            Step::Go => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
            Step::Flush => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
            Step::End => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
        };
        let mut left = input.len();
        let mut at = 0;
        loop {
            // The library writes to what is there already: zeros, to be cut off again.
            let start = out.len();
            out.resize(start + room_for(left), 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let (mut room_left, mut written) = (room.len(), 0);
            let worked = self.state.compress_stream(
                operation,
                &mut left,
                input,
                &mut at,
                &mut room_left,
                room,
                &mut written,
                &mut None,
                &mut |_, _, _, _| (),
            );
            out.truncate(start + written);
            if !worked {
                return Err(Failed("brotli"));
            }
            let done = match step {
                Step::End => self.state.is_finished(),
                Step::Go | Step::Flush => left == 0 && !self.state.has_more_output(),
            };
            if done {
                return Ok(());
            }
        }
    }
}
