//! Connections that are made from here.

use std::io;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};

use crate::addr::PeerAddr;
use crate::retry::retry_interrupted;
use crate::socket::{set_up_descriptor, Socket};

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    /// It is there.
    Done,
    /// The peer has not answered yet: the socket becomes writable when it has, or when the attempt has failed;
    /// [`Socket::connected`] then says which.
    Pending,
}

impl Socket {
    /// Begins to connect to `address`, without waiting. A TCP connection has `TCP_NODELAY`.
    ///
    /// # Errors
    /// `InvalidInput` for an address that can't be connected to; `WouldBlock` where a UNIX listener's backlog is
    /// full; else what the kernel says.
    pub fn connect(address: &PeerAddr) -> io::Result<(Self, Connecting)> {
        let family = match address {
            PeerAddr::V4(_) => AddressFamily::INET,
            PeerAddr::V6(_) => AddressFamily::INET6,
            PeerAddr::Unix(_) => AddressFamily::UNIX,
            PeerAddr::Unnamed => return Err(no_address()),
        };
        let fd = net::socket(family, SocketType::STREAM, None)?;
        set_up_descriptor(&fd)?;
        if address.is_tcp() {
            net::sockopt::set_tcp_nodelay(&fd, true)?;
        }
        let outcome = match address {
            PeerAddr::V4(to) => net::connect(&fd, to),
            PeerAddr::V6(to) => net::connect(&fd, to),
            PeerAddr::Unix(Some(name)) => net::connect(&fd, &unix_address(name)?),
            PeerAddr::Unix(None) | PeerAddr::Unnamed => return Err(no_address()),
        };
        let connecting = match outcome {
            Ok(()) => Connecting::Done,
            // An attempt that a signal interrupted goes on by itself (connect(2)).
            Err(Errno::INPROGRESS | Errno::INTR) => Connecting::Pending,
            Err(error) => return Err(error.into()),
        };
        Ok((Self::adopt(fd)?, connecting))
    }

    /// What has become of an attempt to connect, once the socket is writable.
    ///
    /// # Errors
    /// Why it has failed: `ConnectionRefused`, for one.
    pub fn connected(&self) -> io::Result<()> {
        Ok(net::sockopt::socket_error(self)??)
    }

    /// Whether nothing has come from the peer, neither bytes nor its end: so it is with a connection that rests
    /// between two requests of ours.
    pub fn is_silent(&self) -> bool {
        let mut byte = [0];
        let looked = retry_interrupted(|| net::recv(self, &mut byte[..], net::RecvFlags::PEEK));
        matches!(looked, Err(Errno::WOULDBLOCK))
    }
}

/// The address of a UNIX socket by its path, or by a NUL and an abstract name.
fn unix_address(name: &[u8]) -> io::Result<SocketAddrUnix> {
    match name.split_first() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some((0, rest)) => Ok(SocketAddrUnix::new_abstract_name(rest)?),
        _ => Ok(SocketAddrUnix::new(name)?),
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to")
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use super::*;
    use crate::testing::await_true;
    use crate::{Interest, Poller, Sent};

    fn v4(address: SocketAddr) -> PeerAddr {
        match address {
            SocketAddr::V4(v4) => PeerAddr::V4(v4),
            SocketAddr::V6(v6) => PeerAddr::V6(v6),
        }
    }

    fn await_writable(socket: &Socket) {
        let poller = Poller::new().unwrap();
        poller.add(socket, 1, Interest::WRITE).unwrap();
        let mut events = crate::Events::new();
        poller
            .wait(&mut events, Some(Duration::from_secs(10)))
            .unwrap();
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn tcp_connection_is_made_and_usable() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (socket, _) = Socket::connect(&v4(listener.local_addr().unwrap())).unwrap();
        await_writable(&socket);
        socket.connected().unwrap();
        assert!(net::sockopt::tcp_nodelay(&socket).unwrap());
        assert_eq!(socket.send(b"hello").unwrap(), Sent::Bytes(5));
        let (mut peer, _) = listener.accept().unwrap();
        let mut got = [0; 5];
        std::io::Read::read_exact(&mut peer, &mut got).unwrap();
        assert_eq!(&got, b"hello");
    }

    #[test]
    fn refusal_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = v4(listener.local_addr().unwrap());
        drop(listener);
        let error = match Socket::connect(&address) {
            Err(error) => error,
            Ok((socket, _)) => {
                await_writable(&socket);
                socket.connected().unwrap_err()
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn unix_connection_is_there_at_once() {
        let folder = std::env::temp_dir().join(format!("sennit-net-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let name = path.to_str().unwrap().as_bytes();
        let (socket, connecting) = Socket::connect(&PeerAddr::Unix(Some(name.into()))).unwrap();
        assert_eq!(connecting, Connecting::Done);
        socket.connected().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let error = Socket::connect(&PeerAddr::Unix(Some(name.into()))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in [PeerAddr::Unnamed, PeerAddr::Unix(None)] {
            let error = Socket::connect(&address).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn silence_ends_with_bytes_and_with_the_end() {
        let (socket, mut peer) = crate::testing::tcp_pair();
        assert!(socket.is_silent());
        std::io::Write::write_all(&mut peer, b"x").unwrap();
        await_true(|| !socket.is_silent());
        let (socket, peer) = crate::testing::tcp_pair();
        drop(peer);
        await_true(|| !socket.is_silent());
    }
}
