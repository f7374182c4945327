//! gzip: RFC 1952, by zlib-rs.

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{room_for, KEPT};
use crate::encoder::{Codec, Failed, Step};

/// A window of 32 KiB, the largest there is.
const WINDOW_BITS: u8 = 15;

thread_local! {
    static SPARES: RefCell<Vec<(u8, Compress)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) struct Gzip {
    level: u8,
    /// `None` only while it is being let go.
    state: Option<Compress>,
}

impl Gzip {
    pub(crate) fn new(level: u8) -> Self {
        let spare = SPARES.with_borrow_mut(|spares| {
            let place = spares.iter().position(|(of, _)| *of == level)?;
            Some(spares.swap_remove(place).1)
        });
        let state = spare
            .unwrap_or_else(|| Compress::new_gzip(Compression::new(u32::from(level)), WINDOW_BITS));
        Self {
            level,
            state: Some(state),
        }
    }
}

impl Codec for Gzip {
    fn run(&mut self, mut input: &[u8], step: Step, out: &mut Vec<u8>) -> Result<(), Failed> {
        let failed = Failed("gzip");
        let state = self.state.as_mut().ok_or(failed)?;
        let flush = match step {
            Step::Go => FlushCompress::None,
            Step::Flush => FlushCompress::Sync,
            Step::End => FlushCompress::Finish,
        };
        loop {
            if out.len() == out.capacity() {
                out.reserve(room_for(input.len()));
            }
            let before = state.total_in();
            let status = state.compress_vec(input, out, flush).map_err(|_| failed)?;
            let taken = usize::try_from(state.total_in() - before).map_err(|_| failed)?;
            input = input.get(taken..).ok_or(failed)?;
            // Room that is left says that nothing more was to come out.
            let rests = input.is_empty() && out.len() < out.capacity();
            match (step, status) {
                (_, Status::StreamEnd) => return Ok(()),
                (Step::Go | Step::Flush, _) if rests => return Ok(()),
                (Step::End, _) if rests => return Err(failed),
                _ => {}
            }
        }
    }
}

impl Drop for Gzip {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        // At the end of a thread there may be nobody left to keep it for.
        let _ = SPARES.try_with(|spares| {
            if let Ok(mut spares) = spares.try_borrow_mut() {
                if spares.len() < KEPT {
                    state.reset();
                    spares.push((self.level, state));
                }
            }
        });
    }
}
