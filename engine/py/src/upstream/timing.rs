//! A link's deadlines. As with `conn`'s, one entry in the wheel at most, which looks at what holds when its time comes.

use std::sync::Arc;

use pyo3::prelude::*;

use super::exchange::{Fault, Source};
use super::face::Options;
use super::link::{Link, LinkState, Phase};
use crate::clock;
use crate::settings::Ticks;

/// How long an upstream is waited for to ask for a body, before the client is asked for it all the same: many never ask.
const CONTINUE_AFTER: Ticks = 10;

/// What a link is waiting for.
#[derive(Clone, Copy)]
enum Awaited {
    Connection,
    Taking,
    Continue,
    Answer,
    NextRequest,
}

impl LinkState {
    /// What it waits for, and until when; nothing while the client is the one that is waited for.
    fn awaited(&self, options: &Options) -> Option<(Awaited, Ticks)> {
        let (what, time) = match (self.phase, &self.exchange) {
            (Phase::Held | Phase::Connecting, _) => (Awaited::Connection, options.connect_timeout),
            (Phase::Idle, _) => (Awaited::NextRequest, options.idle_timeout),
            (Phase::Active, Some(exchange)) => {
                if self.paused {
                    return None;
                } else if !self.out.is_empty() {
                    (Awaited::Taking, options.read_timeout)
                } else if exchange.expects && !exchange.head_passed {
                    (Awaited::Continue, Some(CONTINUE_AFTER))
                } else if matches!(exchange.source, Source::Client) && !self.body.is_complete() {
                    return None;
                } else {
                    (Awaited::Answer, options.read_timeout)
                }
            }
            _ => return None,
        };
        time.map(|time| (what, self.progress.wrapping_add(time)))
    }

    /// When the wheel must look, if that is earlier than it would.
    pub(super) fn rearm(&mut self, options: &Options) -> Option<Ticks> {
        let (_, deadline) = self.awaited(options)?;
        match self.wheel_at {
            Some(at) if clock::has_come(at, deadline) => None,
            _ => {
                self.wheel_at = Some(deadline);
                Some(deadline)
            }
        }
    }
}

impl Link {
    /// The wheel looks at this link: act on a deadline that has passed. Returns when to look again.
    pub fn on_timer(self: &Arc<Self>, py: Python<'_>, now: Ticks) -> Option<Ticks> {
        let awaited = {
            let mut state = self.lock(py);
            state.wheel_at = None;
            let (what, deadline) = state.awaited(&self.pool.server.options)?;
            if !clock::has_come(deadline, now) {
                state.wheel_at = Some(deadline);
                return Some(deadline);
            }
            what
        };
        match awaited {
            Awaited::Connection => self.fail(py, Fault::ConnectTimeOut),
            Awaited::Taking => self.fail(py, Fault::WriteTimeOut),
            Awaited::Answer => self.fail(py, Fault::ReadTimeOut),
            Awaited::NextRequest => self.close(py),
            Awaited::Continue => {
                let conn = {
                    let mut state = self.lock(py);
                    state.progress = now;
                    let exchange = state.exchange.as_mut()?;
                    exchange.expects = false;
                    Arc::clone(&exchange.conn)
                };
                conn.send_continue(py);
                let mut state = self.lock(py);
                return state.rearm(&self.pool.server.options);
            }
        }
        None
    }
}
