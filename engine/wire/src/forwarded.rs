//! What proxies say of the client before them: X-Forwarded-* and Forwarded (RFC 7239).
//!
//! Anybody can send these fields; each proxy adds to the right of what was there. So they are read from the right,
//! as long as the one who has added an entry is trusted: the first address that is not is the client's, and what is to
//! the left of it is hearsay.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use crate::grammar::{decimal, is_authority, is_tchar, list_members, trim};

/// The fields that the trusted proxies set, or remove, and no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of fields")]
pub struct Believed {
    /// X-Forwarded-For.
    pub x_for: bool,
    /// X-Forwarded-Proto.
    pub x_proto: bool,
    /// X-Forwarded-Host.
    pub x_host: bool,
    /// X-Forwarded-Port.
    pub x_port: bool,
    /// Forwarded.
    pub forwarded: bool,
}

impl Believed {
    /// Whether the field called `name` is believed.
    pub fn includes(self, name: &[u8]) -> bool {
        self.field(name).is_some()
    }

    /// The field called `name`, if it is believed.
    fn field(self, name: &[u8]) -> Option<Field> {
        let field = Field::called(name)?;
        let believed = match field {
            Field::XFor => self.x_for,
            Field::XProto => self.x_proto,
            Field::XHost => self.x_host,
            Field::XPort => self.x_port,
            Field::Forwarded => self.forwarded,
        };
        believed.then_some(field)
    }
}

#[derive(Clone, Copy)]
enum Field {
    XFor,
    XProto,
    XHost,
    XPort,
    Forwarded,
}

impl Field {
    /// Asked for every field of a request: the length rules out nearly all.
    fn called(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            9 if is(b"forwarded") => Some(Self::Forwarded),
            15 if is(b"x-forwarded-for") => Some(Self::XFor),
            16 if is(b"x-forwarded-host") => Some(Self::XHost),
            16 if is(b"x-forwarded-port") => Some(Self::XPort),
            17 if is(b"x-forwarded-proto") => Some(Self::XProto),
            _ => None,
        }
    }
}

/// Where a request came from; `None` for what the proxies don't say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, with port 0 if that is not said.
    pub client: Option<SocketAddr>,
    /// Whether the client used TLS.
    pub secure: Option<bool>,
    /// What the client asked for: `host[:port]`.
    pub host: Option<Vec<u8>>,
    /// The port that the client asked at.
    pub port: Option<u16>,
}

/// Find out from the header fields of a request that a trusted proxy has sent. `trusts` tells which addresses are of
/// trusted proxies, too.
pub fn origin<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    believed: Believed,
    trusts: impl Fn(IpAddr) -> bool,
) -> Origin {
    let mut lists = Lists::default();
    for (name, value) in fields {
        if let Some(field) = believed.field(name) {
            lists.of(field).push(value);
        }
    }
    if believed.forwarded {
        from_forwarded(&lists.forwarded, trusts)
    } else {
        from_x_forwarded(&lists, trusts)
    }
}

/// The values of the fields, as they came.
#[derive(Default)]
struct Lists<'a> {
    x_for: Vec<&'a [u8]>,
    x_proto: Vec<&'a [u8]>,
    x_host: Vec<&'a [u8]>,
    x_port: Vec<&'a [u8]>,
    forwarded: Vec<&'a [u8]>,
}

impl<'a> Lists<'a> {
    fn of(&mut self, field: Field) -> &mut Vec<&'a [u8]> {
        match field {
            Field::XFor => &mut self.x_for,
            Field::XProto => &mut self.x_proto,
            Field::XHost => &mut self.x_host,
            Field::XPort => &mut self.x_port,
            Field::Forwarded => &mut self.forwarded,
        }
    }
}

fn from_x_forwarded(lists: &Lists<'_>, trusts: impl Fn(IpAddr) -> bool) -> Origin {
    let members = |values: &[&'_ [u8]]| -> Vec<Vec<u8>> {
        let all = values.iter().flat_map(|value| list_members(value));
        all.map(<[u8]>::to_vec).collect()
    };
    let hops = members(&lists.x_for);
    let (client, depth) = walk(hops.iter().rev().map(|hop| node(hop)), trusts);
    // The others are lists as well, if proxies add to them: then the entry of the same proxy counts.
    let said = |values: &[&'_ [u8]]| {
        let mut found = members(values);
        let place = found.len().saturating_sub(depth + 1);
        (place < found.len()).then(|| found.swap_remove(place))
    };
    let port = said(&lists.x_port).and_then(|port| decimal(&port));
    Origin {
        client,
        secure: said(&lists.x_proto).and_then(|scheme| is_secure(&scheme)),
        host: said(&lists.x_host).filter(|host| is_authority(host)),
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0),
    }
}

/// Go back along the addresses, the last one first; gives the client's and how many were passed by for it.
fn walk(
    hops: impl Iterator<Item = Option<SocketAddr>>,
    trusts: impl Fn(IpAddr) -> bool,
) -> (Option<SocketAddr>, usize) {
    let mut client = None;
    let mut depth = 0;
    for (place, hop) in hops.enumerate() {
        depth = place;
        // A proxy that does not tell whom it has served is as far as can be seen.
        let Some(address) = hop else { break };
        client = Some(address);
        if !trusts(address.ip()) {
            break;
        }
    }
    (client, depth)
}

/// An address as proxies write it, `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`; in
/// place of the port there may be an obfuscated one (RFC 7239 section 6.2).
fn node(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            let port = match after.strip_prefix(':') {
                Some(port) => port,
                None if after.is_empty() => "0",
                None => return None,
            };
            (IpAddr::V6(address.parse().ok()?), port)
        }
        None => {
            let (address, port) = text.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), port)
        }
    };
    Some(SocketAddr::new(
        address.to_canonical(),
        port.parse().unwrap_or_default(),
    ))
}

fn is_secure(scheme: &[u8]) -> Option<bool> {
    match scheme.to_ascii_lowercase().as_slice() {
        b"https" | b"wss" => Some(true),
        b"http" | b"ws" => Some(false),
        _ => None,
    }
}

/// What one proxy has written (RFC 7239 section 4).
#[derive(Default)]
struct Element<'a> {
    node: Option<Cow<'a, [u8]>>,
    proto: Option<Cow<'a, [u8]>>,
    host: Option<Cow<'a, [u8]>>,
}

fn from_forwarded(values: &[&[u8]], trusts: impl Fn(IpAddr) -> bool) -> Origin {
    let elements: Vec<Element<'_>> = elements_from_the_right(values);
    let nodes = elements
        .iter()
        .map(|element| element.node.as_deref().and_then(node));
    let (client, depth) = walk(nodes, trusts);
    let element = elements.get(depth);
    let said = |pick: fn(&Element<'_>) -> Option<Vec<u8>>| element.and_then(pick);
    Origin {
        client,
        secure: said(|e| e.proto.as_deref().map(<[u8]>::to_vec))
            .and_then(|scheme| is_secure(&scheme)),
        host: said(|e| e.host.as_deref().map(<[u8]>::to_vec)).filter(|host| is_authority(host)),
        port: None,
    }
}

/// The elements of all the lists, the last one first, as far as they are well formed. A client may have sent an open
/// quotation mark, into which a proxy has written: so what is read is not where elements begin, but where the last one
/// does.
fn elements_from_the_right<'a>(values: &[&'a [u8]]) -> Vec<Element<'a>> {
    /// Commas tried: more than there are proxies, and commas in their quotations.
    const MOST: usize = 64;
    let mut elements = Vec::new();
    let mut tried = 0;
    for value in values.iter().rev() {
        let mut rest: &[u8] = value;
        let mut from = rest.len();
        loop {
            tried += 1;
            if tried > MOST {
                return elements;
            }
            let comma = rest
                .get(..from)
                .and_then(|before| before.iter().rposition(|&byte| byte == b','));
            let start = comma.map_or(0, |comma| comma + 1);
            let piece = trim(rest.get(start..).unwrap_or_default());
            let is_empty = piece.is_empty();
            match element(piece) {
                // An empty member of a list says nothing (RFC 9110 section 5.6.1).
                Some(_) if is_empty => {}
                Some(element) => elements.push(element),
                // The comma may be within quotation marks.
                None => match comma {
                    Some(comma) => {
                        from = comma;
                        continue;
                    }
                    None => return elements,
                },
            }
            let Some(comma) = comma else { break };
            rest = rest.get(..comma).unwrap_or_default();
            from = rest.len();
        }
    }
    elements
}

/// One element, all of `text`: `for=192.0.2.60;proto=http;host="a.example"`.
fn element(text: &[u8]) -> Option<Element<'_>> {
    let mut found = Element::default();
    let mut rest = text;
    loop {
        let name_end = rest
            .iter()
            .position(|&byte| !is_tchar(byte))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        if name.is_empty() {
            // Between semicolons there may be nothing.
            if after.is_empty() {
                return Some(found);
            }
        } else {
            let (value, after) = value(after.strip_prefix(b"=")?)?;
            let slot = match name.to_ascii_lowercase().as_slice() {
                b"for" => Some(&mut found.node),
                b"proto" => Some(&mut found.proto),
                b"host" => Some(&mut found.host),
                _ => None,
            };
            // Section 4: a parameter must not come twice.
            if slot.is_some_and(|slot| slot.replace(value).is_some()) {
                return None;
            }
            rest = after;
            if rest.is_empty() {
                return Some(found);
            }
            rest = rest.strip_prefix(b";")?;
            continue;
        }
        rest = after.strip_prefix(b";")?;
    }
}

/// A token or a quoted string at the beginning of `text`, and what follows.
fn value(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        // Some write addresses of IPv6, and ports, without the quotation marks that they need.
        let is_part = |byte: u8| is_tchar(byte) || matches!(byte, b':' | b'[' | b']');
        let end = text
            .iter()
            .position(|&byte| !is_part(byte))
            .unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return (!token.is_empty()).then_some((Cow::Borrowed(token), after));
    };
    let mut content = Vec::new();
    let mut bytes = quoted.iter().copied().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((Cow::Owned(content), quoted.get(place + 1..)?)),
            b'\\' => content.push(bytes.next()?.1),
            _ => content.push(byte),
        }
    }
    None
}

#[cfg(test)]
mod tests;
