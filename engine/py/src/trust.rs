//! Which peers are proxies of the site's own, and what is believed of what they say.

use std::net::{IpAddr, SocketAddr};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sennit_net::PeerAddr;
use sennit_wire::{Believed, Head, Network, Origin, ProxiedEnd, ProxiedEnds};

use crate::conn::Conn;

/// A site's trusted proxies.
#[derive(Debug)]
pub struct Trust {
    networks: Vec<Network>,
    /// Whoever comes by a UNIX socket is trusted.
    unix: bool,
    believed: Believed,
    /// Each of their connections begins with a header of the PROXY protocol.
    proxy_header: bool,
}

impl Trust {
    /// What Python says: networks as text, or `unix`, and the names of header fields.
    pub fn new(peers: &[String], fields: &[String], proxy_header: bool) -> PyResult<Self> {
        let mut trust = Self {
            networks: Vec::new(),
            unix: false,
            believed: Believed::default(),
            proxy_header,
        };
        for peer in peers {
            if peer == "unix" {
                trust.unix = true;
            } else {
                let network = Network::parse(peer)
                    .ok_or_else(|| PyValueError::new_err(format!("not a network: {peer:?}")))?;
                trust.networks.push(network);
            }
        }
        for field in fields {
            let believed = &mut trust.believed;
            let one = match field.as_str() {
                "x-forwarded-for" => &mut believed.x_for,
                "x-forwarded-proto" => &mut believed.x_proto,
                "x-forwarded-host" => &mut believed.x_host,
                "x-forwarded-port" => &mut believed.x_port,
                "forwarded" => &mut believed.forwarded,
                _ => {
                    return Err(PyValueError::new_err(format!(
                        "not a header of proxies: {field:?}"
                    )))
                }
            };
            *one = true;
        }
        Ok(trust)
    }

    fn has(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }

    fn trusts(&self, peer: &PeerAddr) -> bool {
        match peer {
            PeerAddr::V4(addr) => self.has(IpAddr::V4(*addr.ip())),
            PeerAddr::V6(addr) => self.has(IpAddr::V6(*addr.ip())),
            PeerAddr::Unix(_) => self.unix,
            PeerAddr::Unnamed => false,
        }
    }

    /// Whether connections of `peer` begin with a header of the PROXY protocol.
    pub fn expects_header_of(&self, peer: &PeerAddr) -> bool {
        self.proxy_header && self.trusts(peer)
    }
}

/// What trusted proxies say of where a request came from; `None` if it came by none.
pub fn origin_of(conn: &Conn, head: &Head) -> Option<Origin> {
    let settings = conn.service.get().settings();
    let trust = settings.trust.as_ref()?;
    if trust.believed == Believed::default() || !trust.trusts(conn.peer()) {
        return None;
    }
    Some(sennit_wire::origin(
        head.fields(),
        trust.believed,
        |address| trust.has(address),
    ))
}

/// Whether a trusted proxy says anything of where a request came from: if not, it is as the connection has it.
pub fn is_told(conn: &Conn, head: &Head) -> bool {
    let settings = conn.service.get().settings();
    settings.trust.as_ref().is_some_and(|trust| {
        let mut names = head.fields().map(|(name, _)| name);
        names.any(|name| trust.believed.includes(name)) && trust.trusts(conn.peer())
    })
}

/// Both ends of a connection, and whether it is over TLS.
#[derive(Debug)]
pub struct Ends {
    /// The client's.
    pub peer: PeerAddr,
    /// The server's.
    pub host: PeerAddr,
    /// Whether nobody can listen in.
    pub secure: bool,
}

impl From<ProxiedEnds> for Ends {
    fn from(ends: ProxiedEnds) -> Self {
        Self {
            peer: address(ends.source),
            host: address(ends.destination),
            secure: ends.secure,
        }
    }
}

fn address(end: ProxiedEnd) -> PeerAddr {
    match end {
        ProxiedEnd::Ip(SocketAddr::V4(addr)) => PeerAddr::V4(addr),
        ProxiedEnd::Ip(SocketAddr::V6(addr)) => PeerAddr::V6(addr),
        ProxiedEnd::Unix(name) if name.is_empty() => PeerAddr::Unix(None),
        ProxiedEnd::Unix(name) => PeerAddr::Unix(Some(name.into())),
    }
}
