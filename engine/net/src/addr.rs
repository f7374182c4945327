//! Addresses of sockets, kept small because every connection has one.

use std::fmt;
use std::net::{SocketAddrV4, SocketAddrV6};

use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

/// The address of one end of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// TCP over IPv4.
    V4(SocketAddrV4),
    /// TCP over IPv6. An IPv4 client of a dual-stack listener is here too, as `::ffff:a.b.c.d`.
    V6(SocketAddrV6),
    /// A UNIX socket: the bytes of its path, or a NUL followed by an abstract name; `None` for a socket that
    /// was not bound to a name, as clients seldom are.
    Unix(Option<Box<[u8]>>),
    /// No address, or one of a family unknown here.
    Unnamed,
}

impl PeerAddr {
    /// Reads what the kernel filled in.
    pub(crate) fn from_any(any: SocketAddrAny) -> Self {
        match any.address_family() {
            AddressFamily::INET => SocketAddrV4::try_from(any).map_or(Self::Unnamed, Self::V4),
            AddressFamily::INET6 => SocketAddrV6::try_from(any).map_or(Self::Unnamed, Self::V6),
            AddressFamily::UNIX => SocketAddrUnix::try_from(any)
                .map_or(Self::Unnamed, |unix| Self::Unix(unix_name(&unix))),
            _ => Self::Unnamed,
        }
    }

    /// Like [`Self::from_any`], for calls that may have no address to tell.
    pub(crate) fn from_option(any: Option<SocketAddrAny>) -> Self {
        any.map_or(Self::Unnamed, Self::from_any)
    }

    /// Whether the address is one of TCP.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::V4(_) | Self::V6(_))
    }
}

impl fmt::Display for PeerAddr {
    /// Writes `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `unix:@abstract`, `unix:` or `unnamed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(addr) => addr.fmt(f),
            Self::V6(addr) => addr.fmt(f),
            Self::Unix(None) => f.write_str("unix:"),
            Self::Unix(Some(name)) => match name.split_first() {
                Some((0, rest)) => write!(f, "unix:@{}", String::from_utf8_lossy(rest)),
                _ => write!(f, "unix:{}", String::from_utf8_lossy(name)),
            },
            Self::Unnamed => f.write_str("unnamed"),
        }
    }
}

/// The name of a UNIX address as [`PeerAddr::Unix`] holds it.
fn unix_name(unix: &SocketAddrUnix) -> Option<Box<[u8]>> {
    if let Some(path) = unix.path_bytes() {
        return Some(path.into());
    }
    // rustix reads a socket without a name as one with an empty abstract name.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = unix.abstract_name().filter(|name| !name.is_empty()) {
        let mut marked = Vec::with_capacity(name.len() + 1);
        marked.push(0);
        marked.extend_from_slice(name);
        return Some(marked.into_boxed_slice());
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn address_costs_32_bytes() {
        assert!(std::mem::size_of::<PeerAddr>() <= 32);
    }

    #[test]
    fn ipv4_is_read_and_written() {
        let addr = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 1), 8880);
        let read = PeerAddr::from_any(addr.into());
        assert_eq!(read, PeerAddr::V4(addr));
        assert!(read.is_tcp());
        assert_eq!(read.to_string(), "127.0.0.1:8880");
    }

    #[test]
    fn ipv6_keeps_flow_and_scope() {
        let addr = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 7, 9);
        assert_eq!(PeerAddr::from_any(addr.into()), PeerAddr::V6(addr));
        assert_eq!(PeerAddr::V6(addr).to_string(), "[::1%9]:1");
    }

    #[test]
    fn unix_path_is_bytes_without_nul() {
        let unix = SocketAddrUnix::new("/run/a.sock").unwrap();
        let read = PeerAddr::from_any(unix.into());
        assert_eq!(read, PeerAddr::Unix(Some(b"/run/a.sock"[..].into())));
        assert_eq!(read.to_string(), "unix:/run/a.sock");
        assert!(!read.is_tcp());
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn unix_client_without_name_is_none() {
        let unix = SocketAddrUnix::new_unnamed();
        let read = PeerAddr::from_any(unix.into());
        assert_eq!(read, PeerAddr::Unix(None));
        assert_eq!(read.to_string(), "unix:");
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn abstract_name_keeps_its_leading_nul() {
        let unix = SocketAddrUnix::new_abstract_name(b"sennit").unwrap();
        let read = PeerAddr::from_any(unix.into());
        assert_eq!(read, PeerAddr::Unix(Some(b"\0sennit"[..].into())));
        assert_eq!(read.to_string(), "unix:@sennit");
    }

    #[test]
    fn missing_address_is_unnamed() {
        assert_eq!(PeerAddr::from_option(None), PeerAddr::Unnamed);
        assert_eq!(PeerAddr::Unnamed.to_string(), "unnamed");
    }
}
