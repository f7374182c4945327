//! The poller of systems other than Linux, through the `polling` crate.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polling::{Event, PollMode};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::{Interest, Readiness, Woken};

/// An instance of whatever the system has.
pub(super) struct Poller {
    inner: polling::Poller,
    /// Where the crate puts its events before they are translated.
    events: Mutex<polling::Events>,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let inner = polling::Poller::new()?;
        Ok(Self {
            inner,
            events: Mutex::new(polling::Events::new()),
        })
    }

    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    pub(super) fn add(
        &self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let event = event(token, interest)?;
        // SAFETY: the crate asks that a source be deleted before it is closed, lest a closed descriptor be
        // polled. `Poller::as_raw_fd` above exists only where it polls by epoll, kqueue or event ports, where
        // the kernel itself drops a closed descriptor and the number is not used again by the crate.
        match unsafe { self.inner.add_with_mode(&source, event, PollMode::Level) } {
            // Beside kqueue the crate keeps a list of its own that a close does not clear: the number has been
            // closed and is in use again.
            Err(error)
                if !cfg!(target_os = "linux") && error.kind() == io::ErrorKind::AlreadyExists =>
            {
                self.inner.modify_with_mode(source, event, PollMode::Level)
            }
            outcome => outcome,
        }
    }

    pub(super) fn modify(
        &self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        self.inner
            .modify_with_mode(source, event(token, interest)?, PollMode::Level)
    }

    pub(super) fn remove(&self, source: BorrowedFd<'_>) -> io::Result<()> {
        self.inner.delete(source)
    }

    /// Adds what is ready to `found`, `limit` events at most.
    pub(super) fn wait(
        &self,
        found: &mut Vec<Readiness>,
        limit: usize,
        timeout: Option<Duration>,
    ) -> io::Result<Woken> {
        if timeout != Some(Duration::ZERO) {
            // The crate's own wait goes on after a signal. The wait is therefore poll(2) on its descriptor,
            // which tells of signals, and the crate only fetches what is there.
            if let Some(woken) = self.wait_for_any(timeout)? {
                return Ok(woken);
            }
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clear();
        if events.capacity().get() != limit {
            *events = polling::Events::with_capacity(
                NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN),
            );
        }
        self.inner.wait(&mut events, Some(Duration::ZERO))?;
        found.extend(events.iter().map(readiness));
        match found.len() {
            0 if timeout == Some(Duration::ZERO) => Ok(Woken::TimedOut),
            // What made the descriptor readable was taken back meanwhile.
            0 => Ok(Woken::Interrupted),
            count => Ok(Woken::Ready(count)),
        }
    }

    /// Waits until there is an event to fetch (`None`) or there will be none in time.
    fn wait_for_any(&self, timeout: Option<Duration>) -> io::Result<Option<Woken>> {
        let timeout = timeout.map(|t| Timespec {
            // The caller has cut the time to 24 days, so it fits.
            tv_sec: t.as_secs() as _,
            tv_nsec: t.subsec_nanos() as _,
        });
        let mut watched = [PollFd::from_borrowed_fd(self.inner.as_fd(), PollFlags::IN)];
        match poll(&mut watched, timeout.as_ref()) {
            Ok(0) => Ok(Some(Woken::TimedOut)),
            Ok(_) => Ok(None),
            Err(Errno::INTR) => Ok(Some(Woken::Interrupted)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Translates an event of the crate.
fn readiness(event: Event) -> Readiness {
    Readiness {
        token: event.key as u64,
        readable: event.readable,
        writable: event.writable,
        hangup: event.is_interrupt() || event.is_err() == Some(true),
    }
}

/// The crate's form of an interest; its keys have the size of a pointer.
fn event(token: u64, interest: Interest) -> io::Result<Event> {
    let key = usize::try_from(token)
        .ok()
        .filter(|key| *key != usize::MAX)
        .ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "token does not fit a pointer")
        })?;
    Ok(Event::new(key, interest.readable, interest.writable))
}
