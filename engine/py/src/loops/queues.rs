//! What a loop has to call: soon, and at a time.

use std::cmp::Ordering;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use super::handle::{Handle, TimerHandle};
use crate::kinds::holders;
use crate::lock::Lock;

/// Among so many timers those that are cancelled may stay until their time comes.
const FEW_TIMERS: usize = 100;
/// No wait is longer (a day): the clock's arithmetic stays exact, and so does the kernel's.
const LONGEST_WAIT: f64 = 86_400.0;
/// The clock ticks in nanoseconds: a timer that is due within the next is due.
const RESOLUTION: f64 = 1e-9;
/// So many due timers are called in a turn, and the others in the next ones: what a few of them wake up is done and sent
/// while it is still in the processor's caches, and a crowd of them doesn't keep connections waiting.
const MOST_DUE: usize = 64;

/// A handle.
pub enum Entry {
    /// One of ours.
    Ours(Py<Handle>),
    /// One of asyncio's: for descriptors and signals, or made in debug mode.
    Asyncio(Py<PyAny>),
}

impl Entry {
    /// What `_ready.append` is given.
    pub fn of(handle: &Bound<'_, PyAny>) -> Self {
        match handle.cast::<Handle>() {
            Ok(ours) => Self::Ours(ours.clone().unbind()),
            Err(_) => Self::Asyncio(handle.clone().unbind()),
        }
    }

    /// The handle as Python sees it.
    pub fn into_object(self) -> Py<PyAny> {
        match self {
            Self::Ours(handle) => handle.into_any(),
            Self::Asyncio(handle) => handle,
        }
    }

    /// Make the call, unless it is cancelled.
    pub fn run(self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Ours(handle) => Handle::run(handle.bind(py)),
            Self::Asyncio(handle) => {
                let handle = handle.bind(py);
                if !handle.getattr(intern!(py, "_cancelled"))?.is_truthy()? {
                    handle.call_method0(intern!(py, "_run"))?;
                }
                Ok(())
            }
        }
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Ours(handle) => visit_through(handle, visit),
            Self::Asyncio(handle) => visit.call(handle),
        }
    }
}

/// Show the garbage collector, which doesn't know `handle`, what it holds. Where others have the handle, too, that is
/// held by them as well, and isn't shown: it is taken to be in use.
fn visit_through(handle: &Py<Handle>, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    if holders(handle) > 1 {
        return Ok(());
    }
    handle.get().visit(visit)
}

/// A handle of ours or of asyncio's with its time.
pub enum TimedEntry {
    /// A [`TimerHandle`].
    Ours(Py<Handle>),
    /// One of asyncio's, made in debug mode.
    Asyncio(Py<PyAny>),
}

impl TimedEntry {
    /// Whether it is known to be cancelled: asyncio's own are asked when their time has come.
    fn is_cancelled(&self, py: Python<'_>) -> bool {
        match self {
            Self::Ours(timer) => timer.get().is_cancelled(py),
            Self::Asyncio(_) => false,
        }
    }

    /// It is no longer among the timers.
    fn leave(&self, py: Python<'_>) {
        if let Self::Ours(handle) = self {
            if let Ok(timer) = handle.bind(py).cast::<TimerHandle>() {
                timer.get().leave();
            }
        }
    }

    fn into_entry(self) -> Entry {
        match self {
            Self::Ours(timer) => Entry::Ours(timer),
            Self::Asyncio(handle) => Entry::Asyncio(handle),
        }
    }
}

struct Timer {
    when: f64,
    /// Timers of the same time come in the order in which they were made.
    number: u64,
    entry: TimedEntry,
}

impl Ord for Timer {
    /// The greatest is what comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        let later = other.when.total_cmp(&self.when);
        later.then_with(|| other.number.cmp(&self.number))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}

#[derive(Default)]
struct State {
    ready: VecDeque<Entry>,
    timers: BinaryHeap<Timer>,
    timers_made: u64,
    /// How many of the timers are cancelled.
    cancelled: usize,
}

/// The queues of a loop. Threads may add to them.
pub struct Queues(Lock<State>);

impl Queues {
    /// Empty ones.
    pub fn new() -> Self {
        Self(Lock::new(State::default()))
    }

    /// Call it in the next turn.
    pub fn push(&self, py: Python<'_>, entry: Entry) {
        self.0.lock(py).ready.push_back(entry);
    }

    /// What is to be called next.
    pub fn pop(&self, py: Python<'_>) -> Option<Entry> {
        self.0.lock(py).ready.pop_front()
    }

    /// How many calls are waiting for the next turn.
    pub fn ready_count(&self, py: Python<'_>) -> usize {
        self.0.lock(py).ready.len()
    }

    /// Call it at `when`.
    pub fn schedule(&self, py: Python<'_>, when: f64, entry: TimedEntry) {
        let mut state = self.0.lock(py);
        state.timers_made += 1;
        let number = state.timers_made;
        state.timers.push(Timer {
            when,
            number,
            entry,
        });
    }

    /// How many timers there are, cancelled ones included.
    pub fn timer_count(&self, py: Python<'_>) -> usize {
        self.0.lock(py).timers.len()
    }

    /// One of the timers has been cancelled.
    pub fn note_cancelled(&self, py: Python<'_>) {
        self.0.lock(py).cancelled += 1;
    }

    /// How long nothing is to be called, at `now`; `None` until something comes.
    pub fn idle_time(&self, py: Python<'_>, now: f64) -> Option<Duration> {
        let state = self.0.lock(py);
        if !state.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let first = state.timers.peek()?;
        // Waits are of whole milliseconds, as asyncio's are: what is due within one is called together.
        let wait = ((first.when - now) * 1000.0).ceil() / 1000.0;
        Some(Duration::from_secs_f64(wait.clamp(0.0, LONGEST_WAIT)))
    }

    /// The timers that are due at `now` can be called: the first of them, if there are many.
    pub fn take_due(&self, py: Python<'_>, now: f64) {
        let mut state = self.0.lock(py);
        for _ in 0..MOST_DUE {
            let first = state.timers.peek_mut();
            let Some(due) = first.filter(|first| first.when < now + RESOLUTION) else {
                break;
            };
            let timer = PeekMut::pop(due);
            timer.entry.leave(py);
            if timer.entry.is_cancelled(py) {
                state.cancelled = state.cancelled.saturating_sub(1);
            }
            state.ready.push_back(timer.entry.into_entry());
        }
    }

    /// Let go of cancelled timers: of the first ones, so that nobody waits for them, and of all when they are the most.
    pub fn tidy(&self, py: Python<'_>) {
        let mut gone = Vec::new();
        let mut state = self.0.lock(py);
        if state.cancelled == 0 {
            return;
        }
        let count = state.timers.len();
        if count > FEW_TIMERS && state.cancelled > count / 2 {
            let (cancelled, kept) = std::mem::take(&mut state.timers)
                .into_iter()
                .partition(|timer| timer.entry.is_cancelled(py));
            state.timers = BinaryHeap::from(kept);
            gone = cancelled;
            state.cancelled = 0;
        } else {
            while state
                .timers
                .peek()
                .is_some_and(|t| t.entry.is_cancelled(py))
            {
                gone.extend(state.timers.pop());
                state.cancelled = state.cancelled.saturating_sub(1);
            }
        }
        drop(state);
        for timer in &gone {
            timer.entry.leave(py);
        }
    }

    /// Forget what is to be called soon.
    pub fn clear_ready(&self, py: Python<'_>) {
        let gone = std::mem::take(&mut self.0.lock(py).ready);
        drop(gone);
    }

    /// Forget the timers.
    pub fn clear_timers(&self, py: Python<'_>) {
        let gone = {
            let mut state = self.0.lock(py);
            state.cancelled = 0;
            std::mem::take(&mut state.timers)
        };
        for timer in &gone {
            timer.entry.leave(py);
        }
    }

    /// For the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let look = |state: &State| {
            for entry in &state.ready {
                entry.visit(visit)?;
            }
            for timer in &state.timers {
                match &timer.entry {
                    TimedEntry::Ours(timer) => visit_through(timer, visit)?,
                    TimedEntry::Asyncio(handle) => visit.call(handle)?,
                }
            }
            Ok(())
        };
        self.0.visit(look).unwrap_or(Ok(()))
    }
}
