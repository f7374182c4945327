//! Whom a request came from, told to the upstream: `Forwarded` (RFC 7239) and the `X-Forwarded-` fields that most
//! programs read.

/// What becomes of such fields in a request that is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// The client's own are dropped, since a client can write into them what it likes; ours are added.
    Replace,
    /// Ours are appended to the client's: right behind a proxy that is trusted.
    Append,
    /// Nothing is added, and what the client sent is passed on.
    Off,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The client's address without a port and without brackets; empty where it has none, as over a UNIX socket.
    pub address: &'a [u8],
    /// The host that the client named, with its port if it named one; empty if it named none.
    pub host: &'a [u8],
    /// Whether it came over TLS.
    pub secure: bool,
}

const FOR: &[u8] = b"X-Forwarded-For";
const PROTO: &[u8] = b"X-Forwarded-Proto";
const HOST: &[u8] = b"X-Forwarded-Host";
const FORWARDED: &[u8] = b"Forwarded";

impl Forwarding {
    /// Whether the client's field `name` is not passed on as it is.
    #[must_use]
    pub fn takes(self, name: &[u8]) -> bool {
        match self {
            Forwarding::Off => false,
            Forwarding::Replace => tells_origin(name),
            Forwarding::Append => same(name, FOR) || same(name, FORWARDED),
        }
    }

    /// Appends the field lines for a request from `origin` that has `fields`.
    pub fn push<'a>(
        self,
        out: &mut Vec<u8>,
        origin: Origin<'_>,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        if self == Forwarding::Off {
            return;
        }
        let before = |wanted: &'static [u8]| {
            let append = self == Forwarding::Append;
            let same_name = move |&(name, _): &(&[u8], &[u8])| append && same(name, wanted);
            fields.clone().filter(same_name).map(|(_, value)| value)
        };
        push_list(out, FOR, before(FOR), |out| {
            out.extend_from_slice(known(origin.address))
        });
        if before(PROTO).next().is_none() {
            push_list(out, PROTO, std::iter::empty(), |out| {
                out.extend_from_slice(scheme(origin))
            });
        }
        if before(HOST).next().is_none() && !origin.host.is_empty() {
            push_list(out, HOST, std::iter::empty(), |out| {
                out.extend_from_slice(origin.host);
            });
        }
        push_list(out, FORWARDED, before(FORWARDED), |out| {
            push_element(out, origin)
        });
    }
}

/// Names are compared as CGI and WSGI see them, where `_` and `-` are the same.
fn same(name: &[u8], wanted: &[u8]) -> bool {
    name.len() == wanted.len() && begins_with(name, wanted)
}

fn begins_with(name: &[u8], start: &[u8]) -> bool {
    let plain = |byte: &u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    name.len() >= start.len()
        && name
            .iter()
            .map(plain)
            .zip(start.iter().map(plain))
            .all(|(a, b)| a == b)
}

/// Whether programs read the field `name` as saying whom a request came from.
fn tells_origin(name: &[u8]) -> bool {
    match name.first() {
        Some(b'x' | b'X') => begins_with(name, b"X-Forwarded-") || same(name, b"X-Real-IP"),
        Some(b'f' | b'F') => same(name, FORWARDED),
        _ => false,
    }
}

fn known(address: &[u8]) -> &[u8] {
    // RFC 7239 section 6.2
    if address.is_empty() {
        b"unknown"
    } else {
        address
    }
}

fn scheme(origin: Origin<'_>) -> &'static [u8] {
    if origin.secure {
        b"https"
    } else {
        b"http"
    }
}

/// One field line: the values that were there before, and the one that `own` writes.
fn push_list<'a>(
    out: &mut Vec<u8>,
    name: &[u8],
    before: impl Iterator<Item = &'a [u8]>,
    own: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    for value in before.filter(|value| !value.is_empty()) {
        out.extend_from_slice(value);
        out.extend_from_slice(b", ");
    }
    own(out);
    out.extend_from_slice(b"\r\n");
}

/// `for=…;host="…";proto=…` (RFC 7239 section 4); an IPv6 address is quoted and in brackets (section 6).
fn push_element(out: &mut Vec<u8>, origin: Origin<'_>) {
    out.extend_from_slice(b"for=");
    let address = known(origin.address);
    if address.contains(&b':') {
        out.extend_from_slice(b"\"[");
        out.extend_from_slice(address);
        out.extend_from_slice(b"]\"");
    } else {
        out.extend_from_slice(address);
    }
    if !origin.host.is_empty() {
        out.extend_from_slice(b";host=\"");
        for &byte in origin.host {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(scheme(origin));
}
