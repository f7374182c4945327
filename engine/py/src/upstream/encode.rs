//! What an upstream is sent: the client's request, with what ends at this hop left out and what it must know added.

use std::io::Write;
use std::net::IpAddr;

use pyo3::prelude::*;
use sennit_net::PeerAddr;
use sennit_wire::http1::client::{
    write_request, BodyWriter, Forwarding, Hops, Origin, RequestParts,
};
use sennit_wire::Version;
use smallvec::SmallVec;

use super::exchange::Exchange;
use crate::conn::Conn;
use crate::request::Outgoing;
use crate::trust::origin_of;

/// The name of this hop in `Via` (RFC 9110 section 7.6.3), where a pseudonym may stand for the host.
const VIA: &[u8] = b" sennit\r\n";

/// Append the head of `exchange`'s request to `out`.
pub fn head(py: Python<'_>, out: &mut Vec<u8>, exchange: &Exchange) -> BodyWriter {
    let written = exchange
        .request
        .get()
        .with_outgoing(py, |outgoing| match &outgoing.headers {
            Some(headers) => write(out, exchange, &outgoing, headers.iter()),
            None => write(out, exchange, &outgoing, outgoing.head.fields()),
        });
    written.unwrap_or(BodyWriter::ended())
}

fn write<'a>(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    outgoing: &Outgoing<'_>,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> BodyWriter {
    let route = &*exchange.route;
    let is = |wanted: &'static [u8]| {
        let same = move |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(wanted);
        fields.clone().find(same).map(|(_, value)| value)
    };
    // RFC 9112 section 3.2.2: the authority of an absolute target goes before Host.
    let asked_host = outgoing
        .authority
        .or_else(|| is(b"host"))
        .unwrap_or_default();
    let host = route.host.as_deref().unwrap_or(asked_host);
    let path = match route.path.as_slice() {
        [path @ .., b'/'] if outgoing.rest.starts_with(b"/") => path,
        b"" if outgoing.rest.is_empty() => b"/",
        path => path,
    };
    let parts = RequestParts {
        method: outgoing.method,
        target: [path, outgoing.rest, outgoing.query],
        host,
        framing: exchange.framing,
    };
    let hops = Hops::of(fields.clone());
    let passed = fields.clone().filter(|(name, _)| {
        !is_own(name) && !hops.ends_here(name) && !route.forwarding.takes(name)
    });
    write_request(out, &parts, passed, |out| {
        // In place of what the client claims, what a proxy that the site trusts says; where that goes out as it came, the
        // address of that proxy is added to it.
        let told = match route.forwarding {
            Forwarding::Replace => origin_of(&exchange.conn, outgoing.head),
            Forwarding::Append | Forwarding::Off => None,
        };
        let told = told.as_ref();
        let client = told.and_then(|told| told.client.map(|client| client.ip()));
        let address = text_of(client.or_else(|| address_of(&exchange.conn)));
        let origin = Origin {
            address: &address,
            host: told
                .and_then(|told| told.host.as_deref())
                .unwrap_or(asked_host),
            secure: told
                .and_then(|told| told.secure)
                .unwrap_or_else(|| exchange.conn.is_secure()),
        };
        route.forwarding.push(out, origin, fields.clone());
        out.extend_from_slice(match outgoing.head.version() {
            Version::Http10 => b"Via: 1.0",
            Version::Http11 => b"Via: 1.1",
        });
        out.extend_from_slice(VIA);
        if exchange.expects {
            out.extend_from_slice(b"Expect: 100-continue\r\n");
        }
        // Trailers of the answer are passed on, so a client that takes them may be said to (RFC 9110 section 6.5.1).
        if is(b"te").is_some_and(takes_trailers) {
            out.extend_from_slice(b"TE: trailers\r\nConnection: TE\r\n");
        }
    })
}

/// Fields that are written anew: Host, those that frame the body, and Trailer, since a request's trailers are dropped.
fn is_own(name: &[u8]) -> bool {
    match name.len() {
        4 => name.eq_ignore_ascii_case(b"host"),
        6 => name.eq_ignore_ascii_case(b"expect"),
        7 => name.eq_ignore_ascii_case(b"trailer"),
        14 => name.eq_ignore_ascii_case(b"content-length"),
        _ => false,
    }
}

fn takes_trailers(te: &[u8]) -> bool {
    te.split(|byte| *byte == b',')
        .any(|member| member.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// The address that a connection comes from, if it has one.
fn address_of(conn: &Conn) -> Option<IpAddr> {
    match conn.peer() {
        PeerAddr::V4(v4) => Some(IpAddr::V4(*v4.ip())),
        PeerAddr::V6(v6) => Some(IpAddr::V6(*v6.ip())),
        PeerAddr::Unix(_) | PeerAddr::Unnamed => None,
    }
}

/// An address as `X-Forwarded-For` has it; nothing for none.
fn text_of(address: Option<IpAddr>) -> SmallVec<[u8; 64]> {
    let mut text = SmallVec::new();
    if let Some(address) = address {
        // An IPv4 client of a dual-stack listener is one all the same; writing into memory doesn't fail.
        let _ = write!(text, "{}", address.to_canonical());
    }
    text
}
