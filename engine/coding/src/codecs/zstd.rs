//! zstd: RFC 8878, by the reference library.

use std::cell::RefCell;

use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

use super::{room_for, KEPT};
use crate::encoder::{Codec, Failed, Step};

/// The window of a body of unknown length: 256 KiB.
const STREAM_WINDOW: u32 = 18;
/// RFC 9659 section 3: as content coding, the window is 8 MiB at most.
const LARGEST_WINDOW: u32 = 23;
/// From this level on the library would take more.
const WIDE_LEVEL: u8 = 20;

const FAILED: Failed = Failed("zstd");

thread_local! {
    static SPARES: RefCell<Vec<CCtx<'static>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) struct Zstd {
    /// `None` only while it is being let go.
    context: Option<CCtx<'static>>,
}

impl Zstd {
    pub(crate) fn new(level: u8, length: Option<u64>) -> Result<Self, Failed> {
        let spare = SPARES.with_borrow_mut(Vec::pop);
        let mut context = spare.or_else(CCtx::try_create).ok_or(FAILED)?;
        let mut set = |parameter| {
            context
                .set_parameter(parameter)
                .map(drop)
                .map_err(|_| FAILED)
        };
        set(CParameter::CompressionLevel(i32::from(level)))?;
        if length.is_none() {
            set(CParameter::WindowLog(STREAM_WINDOW))?;
        } else if level >= WIDE_LEVEL {
            set(CParameter::WindowLog(LARGEST_WINDOW))?;
        }
        Ok(Self {
            context: Some(context),
        })
    }
}

impl Codec for Zstd {
    fn run(&mut self, input: &[u8], step: Step, out: &mut Vec<u8>) -> Result<(), Failed> {
        let context = self.context.as_mut().ok_or(FAILED)?;
        let directive = match step {
            Step::Go => ZSTD_EndDirective::ZSTD_e_continue,
            Step::Flush => ZSTD_EndDirective::ZSTD_e_flush,
            Step::End => ZSTD_EndDirective::ZSTD_e_end,
        };
        let mut source = InBuffer::around(input);
        loop {
            if out.len() == out.capacity() {
                out.reserve(room_for(input.len() - source.pos()));
            }
            let end = out.len();
            let mut target = OutBuffer::around_pos(out, end);
            let waiting = context
                .compress_stream2(&mut target, &mut source, directive)
                .map_err(|_| FAILED)?;
            let all_taken = source.pos() == input.len();
            if all_taken && (step == Step::Go || waiting == 0) {
                return Ok(());
            }
        }
    }
}

impl Drop for Zstd {
    fn drop(&mut self) {
        let Some(mut context) = self.context.take() else {
            return;
        };
        // A context keeps the memory of the largest body that it had; those of high levels are not worth keeping.
        if context.reset(ResetDirective::SessionAndParameters).is_err()
            || context.sizeof() > KEPT_SIZE
        {
            return;
        }
        // At the end of a thread there may be nobody left to keep it for.
        let _ = SPARES.try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut() {
                if spares.len() < KEPT {
                    spares.push(context);
                }
            }
        });
    }
}

/// The largest context that is kept.
const KEPT_SIZE: usize = 4 << 20;
