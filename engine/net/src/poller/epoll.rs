//! The poller of Linux.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::Timespec;
use rustix::io::Errno;

use super::{Interest, Readiness, Woken, MAX_EVENTS};

/// The flags after which neither a read nor a write blocks.
const FAILED: EventFlags = EventFlags::ERR.union(EventFlags::HUP);

/// An epoll instance.
#[derive(Debug)]
pub(super) struct Poller {
    fd: OwnedFd,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let fd = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { fd })
    }

    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub(super) fn add(
        &self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        epoll::add(&self.fd, source, EventData::new_u64(token), flags(interest))?;
        Ok(())
    }

    pub(super) fn modify(
        &self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        epoll::modify(&self.fd, source, EventData::new_u64(token), flags(interest))?;
        Ok(())
    }

    pub(super) fn remove(&self, source: BorrowedFd<'_>) -> io::Result<()> {
        epoll::delete(&self.fd, source)?;
        Ok(())
    }

    /// Adds what is ready to `found`, `limit` descriptors at most.
    pub(super) fn wait(
        &self,
        found: &mut Vec<Readiness>,
        limit: usize,
        timeout: Option<Duration>,
    ) -> io::Result<Woken> {
        let timeout = timeout.map(|t| Timespec {
            // The caller has cut the time to 24 days, so it fits.
            tv_sec: t.as_secs() as _,
            tv_nsec: t.subsec_nanos() as _,
        });
        // The kernel's records are translated from the stack: they hold pointers as far as the compiler can
        // see, and a list of them could not go to another thread.
        let mut records = [const { MaybeUninit::uninit() }; MAX_EVENTS];
        let room = records.get_mut(..limit).unwrap_or_default();
        match epoll::wait(&self.fd, room, timeout.as_ref()) {
            Ok(([], _)) => Ok(Woken::TimedOut),
            Ok((ready, _)) => {
                found.extend(ready.iter().map(readiness));
                Ok(Woken::Ready(found.len()))
            }
            Err(Errno::INTR) => Ok(Woken::Interrupted),
            Err(error) => Err(error.into()),
        }
    }
}

/// Translates a record of the kernel.
fn readiness(record: &epoll::Event) -> Readiness {
    let flags = record.flags;
    Readiness {
        token: record.data.u64(),
        readable: flags.intersects(EventFlags::IN | FAILED),
        writable: flags.intersects(EventFlags::OUT | FAILED),
        hangup: flags.intersects(EventFlags::RDHUP | FAILED),
    }
}

/// The kernel's flags for an interest.
fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    if interest.readable {
        // Without a wish to read, a half close is not asked for either: told as long as it is so, it would wake every
        // wait until the connection is closed.
        flags |= EventFlags::IN | EventFlags::RDHUP;
    }
    if interest.writable {
        flags |= EventFlags::OUT;
    }
    if interest.edge {
        flags |= EventFlags::ET;
    }
    flags
}
