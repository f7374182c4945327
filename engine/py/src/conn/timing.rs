//! Deadlines: which one holds for a connection now, and what its passing means.
//!
//! A connection has one deadline at most and one entry in the engine's wheel at most, so that a request costs no
//! timer: the entry looks at the deadline when its time comes, and is put back if that has moved.

use std::sync::Arc;

use pyo3::prelude::*;

use super::{Conn, State, Transport};
use crate::clock::has_come;
use crate::settings::Ticks;

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// More of a request's body.
    Body,
    /// The program: its time is its own.
    Program,
    /// The client, to take what is waiting for it.
    Send,
    /// The client, to close after a response that ended the connection.
    Linger,
}

/// What a passed deadline asks for.
pub enum Verdict {
    /// Nothing: it has moved, to this time (or there is none).
    Later(Option<Ticks>),
    /// Close without a word.
    Close,
    /// Close with a reset: the client takes nothing.
    Reset,
    /// Answer 408 and close (RFC 9110 section 15.5.9).
    TimedOut,
}

impl State {
    fn current_phase(&self) -> Phase {
        if self.facts.lingering {
            Phase::Linger
        } else if self.facts.send_stalled {
            Phase::Send
        } else if self.request.is_some() {
            if self.facts.body_complete || !self.wants_input() {
                Phase::Program
            } else {
                Phase::Body
            }
        } else if self.facts.preamble {
            Phase::Head
        } else if !self.receiver.is_between_requests() || !self.input.is_empty() {
            if self.receiver.in_body() {
                Phase::Body
            } else {
                Phase::Head
            }
        } else {
            Phase::Idle
        }
    }

    /// Set the deadline that holds now; returns it if the wheel must look earlier than it would.
    pub fn rearm(&mut self, now: Ticks) -> Option<Ticks> {
        let phase = self.current_phase();
        if phase != self.phase {
            self.phase = phase;
            self.window_start = self.body_received;
            if phase == Phase::Send {
                self.send_mark = self.unsent();
            }
            let settings = &self.settings;
            let time = match phase {
                Phase::Idle => settings.idle_timeout,
                Phase::Head => settings.header_timeout,
                Phase::Body => settings.body_grace,
                Phase::Program => None,
                Phase::Send => settings.write_timeout,
                Phase::Linger => settings.linger_timeout,
            };
            self.deadline = time.map(|t| now.wrapping_add(t));
        }
        let deadline = self.deadline?;
        match self.wheel_at {
            Some(at) if has_come(at, deadline) => None,
            _ => {
                self.wheel_at = Some(deadline);
                Some(deadline)
            }
        }
    }

    /// Whether the connection has waited for a request for `patience`. Unknown, and therefore not so, where a site lets
    /// connections wait for ever.
    pub fn has_idled(&self, now: Ticks, patience: Ticks) -> bool {
        match (self.phase, self.deadline, self.settings.idle_timeout) {
            (Phase::Idle, Some(deadline), Some(timeout)) => {
                has_come(deadline.wrapping_sub(timeout).wrapping_add(patience), now)
            }
            _ => false,
        }
    }

    /// The client took some of what was waiting: it has its time anew.
    pub fn sending_progressed(&mut self, now: Ticks) {
        if self.phase == Phase::Send {
            self.deadline = self.settings.write_timeout.map(|t| now.wrapping_add(t));
        }
    }

    /// What the wheel's look at `now` comes to.
    pub fn judge(&mut self, now: Ticks) -> Verdict {
        self.wheel_at = None;
        if matches!(self.transport, Transport::Closed) {
            return Verdict::Later(None);
        }
        let Some(deadline) = self.deadline else {
            return Verdict::Later(None);
        };
        if !has_come(deadline, now) {
            return Verdict::Later(Some(deadline));
        }
        match self.phase {
            Phase::Idle | Phase::Linger => Verdict::Close,
            Phase::Send => {
                if self.has_sent_something(now) {
                    Verdict::Later(self.deadline)
                } else {
                    Verdict::Reset
                }
            }
            Phase::Head => Verdict::TimedOut,
            Phase::Program => Verdict::Later(None),
            Phase::Body => self.judge_rate(now),
        }
    }

    /// The poller tells of room only when there is plenty; a slow reader may have made some all the same.
    fn has_sent_something(&mut self, now: Ticks) -> bool {
        let before = self.unsent();
        if !self.flush() || before.is_none() || before >= self.send_mark {
            return false;
        }
        self.send_mark = self.unsent();
        self.sending_progressed(now);
        true
    }

    /// What the client has not acknowledged yet, here and in the kernel; less than before means that it reads.
    fn unsent(&self) -> Option<usize> {
        let Transport::Socket(socket) = &self.transport else {
            return None;
        };
        Some(self.out.len() + socket.unacknowledged().unwrap_or(0))
    }

    fn judge_rate(&mut self, now: Ticks) -> Verdict {
        let Some(window) = self.settings.body_grace else {
            return Verdict::Later(None);
        };
        let came = self.body_received.saturating_sub(self.window_start);
        if came
            < self
                .settings
                .min_body_rate
                .saturating_mul(u64::from(window))
                / 10
        {
            return Verdict::TimedOut;
        }
        self.window_start = self.body_received;
        let next = now.wrapping_add(window);
        self.deadline = Some(next);
        Verdict::Later(Some(next))
    }
}

impl Conn {
    /// The wheel looks at this connection: act on a deadline that has passed. Returns when to look again.
    pub fn on_timer(self: &Arc<Self>, py: Python<'_>, now: Ticks) -> Option<Ticks> {
        let verdict = self.lock(py).judge(now);
        match verdict {
            Verdict::Later(at) => {
                self.lock(py).wheel_at = at;
                return at;
            }
            Verdict::Close => self.close(py),
            Verdict::Reset => self.lose(py, "lost", true),
            Verdict::TimedOut => self.time_out(py),
        }
        None
    }
}
