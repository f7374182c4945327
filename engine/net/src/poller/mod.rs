//! Readiness of many descriptors at once.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(feature = "portable")
))]
#[path = "epoll.rs"]
mod backend;
#[cfg(any(
    not(any(target_os = "linux", target_os = "android")),
    feature = "portable"
))]
#[path = "portable.rs"]
mod backend;
mod eager;

#[cfg(test)]
mod tests;

pub use eager::Eagerness;

/// The most events one wait takes: enough to spread its cost thin, few enough to stay fair.
const MAX_EVENTS: usize = 256;

/// The longest wait that fits every backend's arithmetic: a longer time-out is cut to it.
const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

/// What to be told about a descriptor, for as long as it is so (level triggered) or once (`edge`). Hang-ups that close
/// both ways are told unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Tell when a read would not block; the peer's half close counts.
    pub readable: bool,
    /// Tell when a write would not block.
    pub writable: bool,
    /// Being told once for each thing that happens is enough; epoll then need not look again after each answer. Who asks
    /// for it reads until a read finds less than it had room for, or has [`Poller::modify`] look again; a half close
    /// behind bytes is told with them. Other backends tell all the same as long as it is so.
    pub edge: bool,
}

impl Interest {
    /// Nothing but hang-ups.
    pub const NONE: Self = Self {
        readable: false,
        writable: false,
        edge: false,
    };
    /// Reading alone.
    pub const READ: Self = Self {
        readable: true,
        writable: false,
        edge: false,
    };
    /// Reading alone, each arrival told once.
    pub const READ_EDGE: Self = Self {
        readable: true,
        writable: false,
        edge: true,
    };
    /// Writing alone.
    pub const WRITE: Self = Self {
        readable: false,
        writable: true,
        edge: false,
    };
    /// Both.
    pub const BOTH: Self = Self {
        readable: true,
        writable: true,
        edge: false,
    };
}

/// What one descriptor is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The number that the descriptor was added with.
    pub token: u64,
    /// A read won't block: there are bytes, the end of the stream, or an error to fetch. An error or a full
    /// hang-up sets this unasked.
    pub readable: bool,
    /// A write won't block: there is room, or an error to fetch. An error or a full hang-up sets this unasked.
    pub writable: bool,
    /// The peer closed its side (told only while `readable` is asked for), or the connection is gone both ways
    /// or has failed (always told). So with reading switched off it means that the peer is gone for good.
    /// Epoll alone tells half closes here and kqueue no hang-up at all: there `readable` is set and
    /// [`crate::Socket::recv`] tells the rest.
    pub hangup: bool,
}

/// Why [`Poller::wait`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// So many events, at least one.
    Ready(usize),
    /// The time is up.
    TimedOut,
    /// A signal came (`EINTR`): look after it, then wait again for what is left of the time.
    Interrupted,
}

/// Watches descriptors.
pub struct Poller {
    backend: backend::Poller,
}

impl Poller {
    /// Makes an empty one.
    ///
    /// # Errors
    /// What the kernel says, for want of descriptors as a rule.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            backend: backend::Poller::new()?,
        })
    }

    /// Starts to watch `source`. Closing the last duplicate of a descriptor ends its watch as well.
    ///
    /// # Errors
    /// `InvalidInput` for the reserved token `u64::MAX`, `AlreadyExists` (told on Linux) for a descriptor
    /// that is watched already, `PermissionDenied` for a regular file; else what the kernel says.
    pub fn add(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.backend.add(source.as_fd(), checked(token)?, interest)
    }

    /// Changes the token and the interest of a watched descriptor. What it is ready for now is told by the next wait, also
    /// if it has been told before and nothing is changed.
    ///
    /// # Errors
    /// `InvalidInput` for the reserved token `u64::MAX`, `NotFound` for a descriptor that is not watched; else
    /// what the kernel says.
    pub fn modify(&self, source: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.backend
            .modify(source.as_fd(), checked(token)?, interest)
    }

    /// Ends the watch. Events that a wait has delivered already stay in their [`Events`].
    ///
    /// # Errors
    /// `NotFound` for a descriptor that is not watched; else what the kernel says.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        self.backend.remove(source.as_fd())
    }

    /// Waits until something is ready and puts it in `events`, which is cleared first and bounds how much is
    /// told at once; the rest comes with the next wait. `None` waits for ever, `Some(0)` only looks; other
    /// times are rounded up to milliseconds and cut to 24 days. One system call on Linux.
    ///
    /// # Errors
    /// What the kernel says; never `Interrupted`.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<Woken> {
        events.list.clear();
        let timeout = timeout.map(|t| t.min(LONGEST_WAIT));
        self.backend.wait(&mut events.list, events.limit, timeout)
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("fd", &self.as_raw_fd())
            .finish()
    }
}

impl AsRawFd for Poller {
    /// The epoll or kqueue descriptor: readable while a [`Poller::wait`] would find something, so that another
    /// loop can watch all of this one's descriptors as one.
    fn as_raw_fd(&self) -> RawFd {
        self.backend.as_raw_fd()
    }
}

/// Where [`Poller::wait`] puts what it found; made once and used again.
#[derive(Debug)]
pub struct Events {
    list: Vec<Readiness>,
    limit: usize,
}

impl Events {
    /// Room for 256 events.
    pub fn new() -> Self {
        Self::with_capacity(MAX_EVENTS)
    }

    /// Room for `capacity` events, cut to between 1 and 256.
    pub fn with_capacity(capacity: usize) -> Self {
        let limit = capacity.clamp(1, MAX_EVENTS);
        Self {
            list: Vec::with_capacity(limit),
            limit,
        }
    }

    /// What the last wait found, in no particular order. A descriptor is told once, except by kqueue, which
    /// tells reading and writing apart.
    pub fn iter(&self) -> impl Iterator<Item = Readiness> + '_ {
        self.list.iter().copied()
    }

    /// One of the events that the last wait found, by its place, for a loop that can't lend `self` meanwhile.
    pub fn get(&self, index: usize) -> Option<Readiness> {
        self.list.get(index).copied()
    }

    /// How many events the last wait found.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the last wait found none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

/// Refuses the token that the portable backend needs for itself, on every backend alike.
fn checked(token: u64) -> io::Result<u64> {
    if token == u64::MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "token u64::MAX is reserved",
        ));
    }
    Ok(token)
}
