//! Non-blocking byte streams.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown};

use crate::addr::PeerAddr;
use crate::retry::retry_interrupted;

/// A peer that has gone must not kill the process with SIGPIPE. Apple has no such flag: its sockets get
/// `SO_NOSIGPIPE` in [`Socket::adopt`].
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// What [`Socket::recv`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes were put at the start of the buffer.
    Bytes(usize),
    /// Nothing has arrived yet.
    WouldBlock,
    /// The peer will send nothing more; it may still be reading.
    Eof,
}

/// What [`Socket::send`] managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel took so many bytes from the start, perhaps not all.
    Bytes(usize),
    /// The kernel's buffer is full.
    WouldBlock,
}

/// More follows at once: the kernel need not send a packet that isn't full (`MSG_MORE`; what nginx calls `tcp_nopush`).
#[cfg(any(target_os = "linux", target_os = "android"))]
const MORE: SendFlags = SendFlags::MORE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MORE: SendFlags = SendFlags::empty();

/// What [`Socket::send_file`] managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSent {
    /// So many bytes went out, perhaps not all; 0 where the file has ended.
    Bytes(usize),
    /// The kernel's buffer is full.
    WouldBlock,
    /// This file can't be sent this way, here, or on this system: its bytes must be read and sent.
    Unable,
}

/// A connected stream (TCP or UNIX), non-blocking and closed on exec. Dropping it closes it.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Takes over a connected stream socket and makes it non-blocking and close-on-exec.
    ///
    /// # Errors
    /// What the kernel says when `fd` can't be set up.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        set_up_descriptor(&fd)?;
        Self::adopt(fd)
    }

    /// Takes over a descriptor that is non-blocking and close-on-exec already.
    pub(crate) fn adopt(fd: OwnedFd) -> io::Result<Self> {
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&fd, true)?;
        Ok(Self { fd })
    }

    /// Reads what has arrived, at most `buffer.len()` bytes, in one `recv(2)`.
    ///
    /// # Errors
    /// The stream's failure, `ConnectionReset` for one; never `WouldBlock` or `Interrupted`.
    #[inline]
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if buffer.is_empty() {
            // recv(2) answers 0 here, which would pass for the end of the stream.
            return Ok(Received::Bytes(0));
        }
        match retry_interrupted(|| net::recv(&self.fd, &mut *buffer, RecvFlags::empty())) {
            Ok((0, _)) => Ok(Received::Eof),
            Ok((count, _)) => Ok(Received::Bytes(count)),
            Err(Errno::WOULDBLOCK) => Ok(Received::WouldBlock),
            Err(error) => Err(error.into()),
        }
    }

    /// Offers `data` to the kernel in one `send(2)`; a peer that has gone raises no SIGPIPE.
    ///
    /// # Errors
    /// The stream's failure, `BrokenPipe` or `ConnectionReset` for two; never `WouldBlock` or `Interrupted`.
    #[inline]
    pub fn send(&self, data: &[u8]) -> io::Result<Sent> {
        sent(retry_interrupted(|| net::send(&self.fd, data, SEND_FLAGS)))
    }

    /// Like [`Self::send`] for several pieces that follow one another, in one `sendmsg(2)` (`writev(2)` can't
    /// hold SIGPIPE back).
    ///
    /// # Errors
    /// As [`Self::send`], and `EMSGSIZE` for more pieces than the kernel takes (1024 on Linux).
    #[inline]
    pub fn send_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<Sent> {
        sent(retry_interrupted(|| {
            net::sendmsg(&self.fd, pieces, &mut Default::default(), SEND_FLAGS)
        }))
    }

    /// [`Self::send_vectored`] of what is followed by more at once.
    ///
    /// # Errors
    /// As [`Self::send_vectored`].
    pub(crate) fn send_before_more(&self, pieces: &[IoSlice<'_>]) -> io::Result<Sent> {
        sent(retry_interrupted(|| {
            net::sendmsg(&self.fd, pieces, &mut Default::default(), SEND_FLAGS | MORE)
        }))
    }

    /// Sends `count` bytes of `file` from `offset` on in one `sendfile(2)`, from the page cache, without a copy through
    /// this process.
    ///
    /// # Errors
    /// As [`Self::send`], and what reading the file fails of.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn send_file(
        &self,
        file: BorrowedFd<'_>,
        mut offset: u64,
        count: usize,
    ) -> io::Result<FileSent> {
        // Unlike send(2) this call has no flag that holds SIGPIPE back.
        if broken_pipe_kills() {
            return Ok(FileSent::Unable);
        }
        match retry_interrupted(|| rustix::fs::sendfile(&self.fd, file, Some(&mut offset), count)) {
            Ok(count) => Ok(FileSent::Bytes(count)),
            Err(Errno::WOULDBLOCK) => Ok(FileSent::WouldBlock),
            // sendfile(2): the file system has no such operation, or the kind of socket hasn't.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(FileSent::Unable),
            Err(error) => Err(error.into()),
        }
    }

    /// Other systems have this call in other forms, or not at all.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn send_file(
        &self,
        _file: BorrowedFd<'_>,
        _offset: u64,
        _count: usize,
    ) -> io::Result<FileSent> {
        Ok(FileSent::Unable)
    }

    /// Tells the peer that nothing more will come, while its own bytes are still read. The same again, or
    /// on a connection that has gone, does nothing.
    ///
    /// # Errors
    /// What `shutdown(2)` says, `NotConnected` excepted.
    pub fn shutdown_write(&self) -> io::Result<()> {
        match net::shutdown(&self.fd, Shutdown::Write) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Arranges that closing answers the peer with RST and drops what is unsent (`SO_LINGER` of 0 seconds).
    ///
    /// # Errors
    /// What `setsockopt(2)` says.
    pub fn reset_on_close(&self) -> io::Result<()> {
        Ok(net::sockopt::set_socket_linger(
            &self.fd,
            Some(Duration::ZERO),
        )?)
    }

    /// How many bytes the kernel has taken that the peer has not acknowledged yet; `None` where the system can't tell
    /// (on Linux it can: `SIOCOUTQ`). It falls while the peer reads, long before the poller tells of room.
    pub fn unacknowledged(&self) -> Option<usize> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // The number that the terminals' TIOCOUTQ and the sockets' SIOCOUTQ share.
            const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;
            // SAFETY: this request writes one `int` through its argument, and nothing else (tcp(7), unix(7)).
            let waiting = unsafe {
                rustix::ioctl::ioctl(&self.fd, rustix::ioctl::Getter::<SIOCOUTQ, i32>::new())
            };
            usize::try_from(waiting.ok()?).ok()
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        None
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What `getsockname(2)` says.
    pub fn local_addr(&self) -> io::Result<PeerAddr> {
        Ok(PeerAddr::from_any(net::getsockname(&self.fd)?))
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// What `getpeername(2)` says, `NotConnected` once the connection has gone.
    pub fn peer_addr(&self) -> io::Result<PeerAddr> {
        Ok(PeerAddr::from_option(net::getpeername(&self.fd)?))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Makes `fd` non-blocking and close-on-exec.
pub(crate) fn set_up_descriptor(fd: &OwnedFd) -> io::Result<()> {
    rustix::io::ioctl_fionbio(fd, true)?;
    rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(())
}

/// Whether SIGPIPE would end the process. Python ignores it from its start; a program may have set it back.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn broken_pipe_kills() -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with a null pointer for the new action the call only writes the present one, and where it gives 0 it has
    // written it.
    unsafe {
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), now.as_mut_ptr()) != 0
            || now.assume_init().sa_sigaction == libc::SIG_DFL
    }
}

/// Sorts the outcome of a send.
#[inline]
fn sent(outcome: rustix::io::Result<usize>) -> io::Result<Sent> {
    match outcome {
        Ok(count) => Ok(Sent::Bytes(count)),
        Err(Errno::WOULDBLOCK) => Ok(Sent::WouldBlock),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::testing::{await_true, patterned, read_exactly, recv_soon, tcp_pair, unix_pair};

    /// Sends until the kernel takes no more; tells how many bytes it took.
    fn fill(socket: &Socket) -> usize {
        let block = [7; 65536];
        let mut total = 0;
        loop {
            match socket.send(&block).unwrap() {
                Sent::Bytes(count) => total += count,
                Sent::WouldBlock => return total,
            }
        }
    }

    #[test]
    fn socket_costs_a_descriptor() {
        assert!(std::mem::size_of::<Socket>() <= 8);
        assert_eq!(
            std::mem::size_of::<Option<Socket>>(),
            std::mem::size_of::<Socket>()
        );
    }

    #[test]
    fn adopted_descriptor_is_nonblocking_and_cloexec() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        rustix::io::fcntl_setfd(&one, rustix::io::FdFlags::empty()).unwrap();
        let socket = Socket::from_fd(one.into()).unwrap();
        let status = rustix::fs::fcntl_getfl(&socket).unwrap();
        assert!(status.contains(rustix::fs::OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(&socket).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn unacknowledged_falls_while_the_peer_reads() {
        let (socket, mut peer) = tcp_pair();
        assert_eq!(socket.unacknowledged(), Some(0));
        let sent = fill(&socket);
        let before = socket.unacknowledged().unwrap();
        assert!(before > 0 && before <= sent);
        let mut piece = vec![0; sent / 2];
        peer.read_exact(&mut piece).unwrap();
        await_true(|| socket.unacknowledged().unwrap() < before);
    }

    #[test]
    fn recv_tells_nothing_bytes_and_end_apart() {
        let (socket, mut peer) = tcp_pair();
        let mut buffer = [0; 16];
        assert_eq!(socket.recv(&mut buffer).unwrap(), Received::WouldBlock);
        peer.write_all(b"hello").unwrap();
        assert_eq!(recv_soon(&socket, &mut buffer).unwrap(), Received::Bytes(5));
        assert_eq!(&buffer[..5], b"hello");
        drop(peer);
        assert_eq!(recv_soon(&socket, &mut buffer).unwrap(), Received::Eof);
        assert_eq!(socket.recv(&mut buffer).unwrap(), Received::Eof);
    }

    #[test]
    fn recv_into_no_room_is_not_the_end() {
        let (socket, mut peer) = tcp_pair();
        peer.write_all(b"x").unwrap();
        assert_eq!(socket.recv(&mut []).unwrap(), Received::Bytes(0));
        let mut buffer = [0; 1];
        assert_eq!(recv_soon(&socket, &mut buffer).unwrap(), Received::Bytes(1));
    }

    #[test]
    fn recv_keeps_what_the_buffer_could_not_hold() {
        let (socket, mut peer) = unix_pair();
        peer.write_all(b"abcdef").unwrap();
        let mut buffer = [0; 4];
        assert_eq!(socket.recv(&mut buffer).unwrap(), Received::Bytes(4));
        assert_eq!(socket.recv(&mut buffer).unwrap(), Received::Bytes(2));
        assert_eq!(&buffer[..2], b"ef");
    }

    #[test]
    fn recv_after_reset_is_an_error() {
        let (socket, peer) = tcp_pair();
        let peer = Socket::from_fd(peer.into()).unwrap();
        peer.reset_on_close().unwrap();
        drop(peer);
        let error = recv_soon(&socket, &mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn reset_on_close_reaches_the_peer() {
        let (socket, mut peer) = tcp_pair();
        socket.send(b"never mind").unwrap();
        socket.reset_on_close().unwrap();
        drop(socket);
        let error = peer.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn send_is_partial_and_then_blocks() {
        let (socket, mut peer) = tcp_pair();
        sockopt_small_buffers(&socket);
        let data = patterned(8 << 20);
        let Sent::Bytes(first) = socket.send(&data).unwrap() else {
            panic!("an empty buffer took nothing");
        };
        assert!(first < data.len());
        let rest = fill(&socket);
        assert_eq!(socket.send(b"more").unwrap(), Sent::WouldBlock);
        assert_eq!(read_exactly(&mut peer, first), &data[..first]);
        read_exactly(&mut peer, rest);
        await_true(|| socket.send(b"more").unwrap() == Sent::Bytes(4));
    }

    /// Keeps the kernel from growing its buffers until everything fits.
    fn sockopt_small_buffers(socket: &Socket) {
        rustix::net::sockopt::set_socket_send_buffer_size(socket, 64 * 1024).unwrap();
    }

    #[test]
    fn send_vectored_joins_the_pieces() {
        let (socket, mut peer) = tcp_pair();
        let pieces = [
            IoSlice::new(b"one,"),
            IoSlice::new(b""),
            IoSlice::new(b"two"),
        ];
        assert_eq!(socket.send_vectored(&pieces).unwrap(), Sent::Bytes(7));
        assert_eq!(read_exactly(&mut peer, 7), b"one,two");
    }

    #[test]
    fn send_vectored_blocks_when_full() {
        let (socket, _peer) = unix_pair();
        fill(&socket);
        let pieces = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        assert_eq!(socket.send_vectored(&pieces).unwrap(), Sent::WouldBlock);
    }

    /// SIGPIPEs that reached this process.
    static SIGPIPES: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn count_sigpipe(_: libc::c_int) {
        SIGPIPES.fetch_add(1, Ordering::SeqCst);
    }

    #[test]
    fn send_to_a_peer_that_left_is_an_error_and_no_signal() {
        let handler: extern "C" fn(libc::c_int) = count_sigpipe;
        // SAFETY: the handler does nothing but add to an atomic, which is safe in a signal.
        unsafe { libc::signal(libc::SIGPIPE, handler as libc::sighandler_t) };
        let (socket, peer) = unix_pair();
        drop(peer);
        let one = socket.send(b"x").unwrap_err();
        assert_eq!(one.kind(), io::ErrorKind::BrokenPipe);
        let pieces = [IoSlice::new(b"a"), IoSlice::new(b"b")];
        let two = socket.send_vectored(&pieces).unwrap_err();
        assert_eq!(two.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(SIGPIPES.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn half_closed_stream_still_receives() {
        let (socket, mut peer) = tcp_pair();
        socket.shutdown_write().unwrap();
        assert_eq!(peer.read(&mut [0; 4]).unwrap(), 0);
        peer.write_all(b"late").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(recv_soon(&socket, &mut buffer).unwrap(), Received::Bytes(4));
    }

    #[test]
    fn peers_half_close_leaves_our_way_open() {
        let (socket, mut peer) = tcp_pair();
        peer.shutdown(net::Shutdown::Write).unwrap();
        assert_eq!(recv_soon(&socket, &mut [0; 8]).unwrap(), Received::Eof);
        assert_eq!(socket.send(b"answer").unwrap(), Sent::Bytes(6));
        assert_eq!(read_exactly(&mut peer, 6), b"answer");
    }

    #[test]
    fn shutdown_of_a_connection_that_is_gone_is_quiet() {
        let (socket, peer) = tcp_pair();
        let peer = Socket::from_fd(peer.into()).unwrap();
        peer.reset_on_close().unwrap();
        drop(peer);
        recv_soon(&socket, &mut [0; 8]).unwrap_err();
        socket.shutdown_write().unwrap();
        socket.shutdown_write().unwrap();
    }

    #[test]
    fn addresses_are_those_of_both_ends() {
        let (socket, peer) = tcp_pair();
        let shown = |addr: PeerAddr| addr.to_string();
        assert_eq!(
            shown(socket.local_addr().unwrap()),
            peer.peer_addr().unwrap().to_string()
        );
        assert_eq!(
            shown(socket.peer_addr().unwrap()),
            peer.local_addr().unwrap().to_string()
        );
        let (socket, _peer) = unix_pair();
        assert_eq!(socket.peer_addr().unwrap(), PeerAddr::Unix(None));
    }
}
