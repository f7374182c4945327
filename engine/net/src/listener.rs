//! Listening sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{self, sockopt, SocketAddrAny, SocketType};

use crate::addr::PeerAddr;
use crate::socket::{set_up_descriptor, Socket};

/// How many connections that died in the queue one [`Listener::accept`] passes over before it lets the loop
/// go on; the poller reports the listener again at once if more are waiting.
const DEAD_PER_ACCEPT: usize = 64;

/// A socket that others connect to, adopted from whoever bound it.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    local: PeerAddr,
}

impl Listener {
    /// Takes over a bound and listening stream socket (TCP or UNIX): makes it non-blocking and close-on-exec
    /// and, for TCP, switches Nagle's algorithm off for the connections to come.
    ///
    /// # Errors
    /// `InvalidInput` if `fd` is no stream socket or does not listen; else what the kernel says.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if sockopt::socket_type(&fd)? != SocketType::STREAM {
            return Err(invalid("not a stream socket"));
        }
        // Apple declares SO_ACCEPTCONN and does not implement it.
        #[cfg(not(target_vendor = "apple"))]
        if !sockopt::socket_acceptconn(&fd)? {
            return Err(invalid("not a listening socket"));
        }
        set_up_descriptor(&fd)?;
        let local = PeerAddr::from_any(net::getsockname(&fd)?);
        // Linux hands the option down to accepted connections, which saves a call for each of them.
        if INHERITS_NODELAY && local.is_tcp() {
            sockopt::set_tcp_nodelay(&fd, true)?;
        }
        Ok(Self { fd, local })
    }

    /// Takes the next connection from the queue, or `None` when it is empty. Connections that died while they
    /// waited are passed over.
    ///
    /// # Errors
    /// A lack of descriptors or memory (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`): the connection stays in the
    /// queue, so a caller should leave the listener alone for a moment. Never `WouldBlock` or `Interrupted`.
    pub fn accept(&self) -> io::Result<Option<(Socket, PeerAddr)>> {
        let Some((fd, peer)) = next_living(|| accept_descriptor(&self.fd))? else {
            return Ok(None);
        };
        let socket = Socket::adopt(fd)?;
        if !INHERITS_NODELAY && self.local.is_tcp() {
            // Fails only on a connection that is dead already, which its first recv tells.
            let _ = sockopt::set_tcp_nodelay(&socket, true);
        }
        Ok(Some((socket, PeerAddr::from_option(peer))))
    }

    /// The descriptor, for a [`crate::Poller`].
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The address that the socket is bound to, as it was when it was adopted.
    pub fn local_addr(&self) -> PeerAddr {
        self.local.clone()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Whether connections take `TCP_NODELAY` from their listener.
const INHERITS_NODELAY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// One `accept4(2)`.
#[cfg(not(target_vendor = "apple"))]
fn accept_descriptor(fd: &OwnedFd) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    net::acceptfrom_with(fd, net::SocketFlags::NONBLOCK | net::SocketFlags::CLOEXEC)
}

/// One `accept(2)` and what `accept4(2)` would have done besides.
#[cfg(target_vendor = "apple")]
fn accept_descriptor(fd: &OwnedFd) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (fd, peer) = net::acceptfrom(fd)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok((fd, peer))
}

/// Calls `accept` until it brings a connection; `None` when the queue is empty or full of dead ones.
fn next_living<T>(mut accept: impl FnMut() -> rustix::io::Result<T>) -> io::Result<Option<T>> {
    for _ in 0..DEAD_PER_ACCEPT {
        match accept() {
            Ok(connection) => return Ok(Some(connection)),
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) if concerns_connection(error) => continue,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Whether an error of `accept(2)` is that of one connection and says nothing about the listener.
fn concerns_connection(error: Errno) -> bool {
    // accept(2), "Error handling": Linux passes pending network errors of the new socket, which a server
    // is to treat like EAGAIN by trying again; EPERM is a firewall's refusal.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if error == Errno::NONET {
        return true;
    }
    matches!(
        error,
        Errno::INTR
            | Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::PROTO
            | Errno::PERM
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::OPNOTSUPP
            | Errno::NETUNREACH
    )
}

/// An error of the caller's making.
fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;
    use crate::socket::Received;
    use crate::testing::{await_readable, recv_soon};

    /// A listener on a free port of loopback and the address to connect to.
    fn tcp_listener() -> (Listener, std::net::SocketAddr) {
        let bound = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = bound.local_addr().unwrap();
        (Listener::from_fd(bound.into()).unwrap(), addr)
    }

    fn accept_soon(listener: &Listener) -> (Socket, PeerAddr) {
        await_readable(listener);
        listener.accept().unwrap().expect("a connection")
    }

    #[test]
    fn empty_queue_is_none() {
        let (listener, _) = tcp_listener();
        assert!(listener.accept().unwrap().is_none());
    }

    #[test]
    fn burst_is_accepted_one_by_one_until_empty() {
        let (listener, addr) = tcp_listener();
        let clients: Vec<_> = (0..100)
            .map(|_| TcpStream::connect(addr).unwrap())
            .collect();
        let mut accepted = Vec::new();
        while let Some((socket, peer)) = listener.accept().unwrap() {
            accepted.push((socket, peer.to_string()));
        }
        let mut expected: Vec<_> = clients
            .iter()
            .map(|client| client.local_addr().unwrap().to_string())
            .collect();
        let mut found: Vec<_> = accepted.into_iter().map(|(_, peer)| peer).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn accepted_socket_is_ready_for_use() {
        let (listener, addr) = tcp_listener();
        let mut client = TcpStream::connect(addr).unwrap();
        let (socket, peer) = accept_soon(&listener);
        assert_eq!(peer, socket.peer_addr().unwrap());
        assert_eq!(listener.local_addr(), socket.local_addr().unwrap());
        assert!(sockopt::tcp_nodelay(&socket).unwrap());
        let flags = rustix::io::fcntl_getfd(&socket).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        let mut buffer = [0; 8];
        assert_eq!(socket.recv(&mut buffer).unwrap(), Received::WouldBlock);
        client.write_all(b"hi").unwrap();
        assert_eq!(recv_soon(&socket, &mut buffer).unwrap(), Received::Bytes(2));
    }

    #[test]
    fn client_that_left_early_does_not_stop_the_others() {
        let (listener, addr) = tcp_listener();
        let gone = Socket::from_fd(TcpStream::connect(addr).unwrap().into()).unwrap();
        gone.reset_on_close().unwrap();
        drop(gone);
        let stays = TcpStream::connect(addr).unwrap();
        let mut peers = Vec::new();
        await_readable(&listener);
        while let Some((_, peer)) = listener.accept().unwrap() {
            peers.push(peer.to_string());
        }
        assert!(peers.contains(&stays.local_addr().unwrap().to_string()));
        stays.shutdown(Shutdown::Both).unwrap();
    }

    #[test]
    fn ipv6_peer_is_v6() {
        let Ok(bound) = TcpListener::bind("[::1]:0") else {
            return; // a machine without IPv6
        };
        let addr = bound.local_addr().unwrap();
        let listener = Listener::from_fd(bound.into()).unwrap();
        let _client = TcpStream::connect(addr).unwrap();
        let (_, peer) = accept_soon(&listener);
        assert!(matches!(peer, PeerAddr::V6(_)));
        assert_eq!(listener.local_addr().to_string(), addr.to_string());
    }

    #[test]
    fn unix_listener_has_its_path_and_clients_none() {
        let path = std::env::temp_dir().join(format!("sennit-net-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = Listener::from_fd(UnixListener::bind(&path).unwrap().into()).unwrap();
        let client = UnixStream::connect(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            listener.local_addr().to_string(),
            format!("unix:{}", path.display())
        );
        let (_, peer) = accept_soon(&listener);
        assert_eq!(peer, PeerAddr::Unix(None));
        drop(client.unwrap());
    }

    #[test]
    fn what_does_not_listen_is_refused() {
        let (listener, addr) = tcp_listener();
        let client = TcpStream::connect(addr).unwrap();
        drop(listener);
        let connected = Listener::from_fd(client.into()).unwrap_err();
        assert_eq!(connected.kind(), io::ErrorKind::InvalidInput);
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let datagrams = Listener::from_fd(datagrams.into()).unwrap_err();
        assert_eq!(datagrams.kind(), io::ErrorKind::InvalidInput);
    }

    /// What `accept` makes of these answers of the kernel, and how many of them it asked for.
    fn outcome_of(answers: &[Result<u8, Errno>]) -> (Option<io::Result<u8>>, usize) {
        let mut asked = 0;
        let outcome = next_living(|| {
            asked += 1;
            answers[(asked - 1) % answers.len()]
        });
        (outcome.transpose(), asked)
    }

    #[test]
    fn dead_connections_are_passed_over() {
        let dead = Err(Errno::CONNABORTED);
        let (living, asked) = outcome_of(&[dead, Err(Errno::INTR), Err(Errno::PROTO), Ok(7)]);
        assert_eq!((living.unwrap().unwrap(), asked), (7, 4));
        let (none, asked) = outcome_of(&[dead, Err(Errno::WOULDBLOCK)]);
        assert!(none.is_none());
        assert_eq!(asked, 2);
    }

    #[test]
    fn dead_connections_without_end_do_not_hold_the_loop() {
        let (none, asked) = outcome_of(&[Err(Errno::CONNABORTED)]);
        assert!(none.is_none());
        assert_eq!(asked, DEAD_PER_ACCEPT);
    }

    #[test]
    fn want_of_descriptors_or_memory_is_told_at_once() {
        for shortage in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            let (told, asked) = outcome_of(&[Err(shortage)]);
            assert_eq!(
                told.unwrap().unwrap_err().raw_os_error(),
                Some(shortage.raw_os_error())
            );
            assert_eq!(asked, 1);
        }
    }
}
