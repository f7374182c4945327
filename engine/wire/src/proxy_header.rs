//! The PROXY protocol, versions 1 and 2: what a proxy says of a connection before the client's first byte.
//!
//! Its specification comes with HAProxy (`doc/proxy-protocol.txt`); sections are those of that text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a connection of version 2 begins with (section 2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What one of version 1 begins with (section 2.1).
const WORD: &[u8] = b"PROXY ";
/// The longest line of version 1, CRLF included (section 2.1).
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 that is taken, of 65,551 bytes that could be said: addresses are 216 at most, and what
/// else proxies tell of a TLS connection, with the client's certificate, has room in this.
const LONGEST_HEADER: usize = 16 << 10;

/// What a header comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// It has not arrived whole.
    NeedMore,
    /// It is `length` bytes long. Without `ends` the connection is the proxy's own, as for a look at whether the server
    /// is well.
    Whole {
        /// How many bytes are the header's.
        length: usize,
        /// Whom the connection is for.
        ends: Option<ProxiedEnds>,
    },
}

/// Both ends of the connection that a proxy passes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxiedEnds {
    /// The client.
    pub source: ProxiedEnd,
    /// What the client has connected to.
    pub destination: ProxiedEnd,
    /// The client used TLS.
    pub secure: bool,
}

/// One end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxiedEnd {
    /// Of a TCP connection.
    Ip(SocketAddr),
    /// Of a UNIX socket: its path, or a NUL and an abstract name; empty without one.
    Unix(Vec<u8>),
}

/// The header breaks the protocol's rules: nothing that follows can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedProxyHeader;

type Parsed<T> = Result<T, MalformedProxyHeader>;

/// Read the header at the beginning of `input`, which is all that has arrived.
///
/// # Errors
/// [`MalformedProxyHeader`], at the first byte that can't be of a header.
pub fn proxy_header(input: &[u8]) -> Parsed<ProxyHeader> {
    let begins_like = |word: &[u8]| input.iter().zip(word).all(|(a, b)| a == b);
    if begins_like(SIGNATURE) {
        return match input.get(SIGNATURE.len()..) {
            Some(rest) => version_2(input, rest),
            None => Ok(ProxyHeader::NeedMore),
        };
    }
    if begins_like(WORD) {
        return version_1(input);
    }
    Err(MalformedProxyHeader)
}

fn version_1(input: &[u8]) -> Parsed<ProxyHeader> {
    let longest = input.get(..LONGEST_LINE).unwrap_or(input);
    let Some(end) = longest.iter().position(|&byte| byte == b'\n') else {
        // A CR may be followed by its LF only, so that the line ends where it seems to end.
        let (last, before) = match longest.split_last() {
            Some((last, before)) => (*last, before),
            None => return Ok(ProxyHeader::NeedMore),
        };
        let lasts = last.is_ascii() && !before.contains(&b'\r') && longest.len() < LONGEST_LINE;
        return if lasts {
            Ok(ProxyHeader::NeedMore)
        } else {
            Err(MalformedProxyHeader)
        };
    };
    let line = longest
        .get(WORD.len()..end)
        .and_then(|line| line.strip_suffix(b"\r"))
        .filter(|line| !line.contains(&b'\r'))
        .and_then(|line| std::str::from_utf8(line).ok())
        .ok_or(MalformedProxyHeader)?;
    let ends = if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        // Section 2.1: what follows is to be ignored.
        None
    } else {
        Some(line_ends(line).ok_or(MalformedProxyHeader)?)
    };
    let length = end + 1;
    Ok(ProxyHeader::Whole { length, ends })
}

/// `TCP4 192.0.2.1 198.51.100.1 4711 80`, with one space between the words.
fn line_ends(line: &str) -> Option<ProxiedEnds> {
    let mut words = line.split(' ');
    let family = words.next()?;
    let (source, destination) = (words.next()?, words.next()?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    Some(ProxiedEnds {
        source: ProxiedEnd::Ip(SocketAddr::new(address(source)?, from)),
        destination: ProxiedEnd::Ip(SocketAddr::new(address(destination)?, to)),
        secure: false,
    })
}

/// A port without a sign or a zero before it.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let plain = plain && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}

fn version_2(input: &[u8], rest: &[u8]) -> Parsed<ProxyHeader> {
    let (&[version_and_command, family, high, low], rest) = match rest.split_first_chunk() {
        Some((head, rest)) => (head, rest),
        None => {
            let [first, ..] = rest else {
                return Ok(ProxyHeader::NeedMore);
            };
            return command(*first).map(|_| ProxyHeader::NeedMore);
        }
    };
    let is_proxied = command(version_and_command)?;
    let size = usize::from(u16::from_be_bytes([high, low]));
    let length = SIGNATURE.len() + 4 + size;
    if length > LONGEST_HEADER {
        return Err(MalformedProxyHeader);
    }
    let Some(payload) = rest.get(..size) else {
        return Ok(ProxyHeader::NeedMore);
    };
    // Section 2.2: of a connection of the proxy's own, and of what is unspecified, nothing is to be used.
    if !is_proxied || family == 0x00 {
        return Ok(ProxyHeader::Whole { length, ends: None });
    }
    // High half the family, low half the kind of transport, of which only streams can be.
    let (mut ends, additions) = match family {
        0x11 => ip_ends::<4>(payload)?,
        0x21 => ip_ends::<16>(payload)?,
        0x31 => unix_ends(payload)?,
        _ => return Err(MalformedProxyHeader),
    };
    let header = input.get(..length).ok_or(MalformedProxyHeader)?;
    ends.secure = read_additions(header, additions)?;
    let ends = Some(ends);
    Ok(ProxyHeader::Whole { length, ends })
}

/// Whether the connection is passed on for somebody.
fn command(byte: u8) -> Parsed<bool> {
    match byte {
        0x20 => Ok(false),
        0x21 => Ok(true),
        _ => Err(MalformedProxyHeader),
    }
}

type EndsAndAdditions<'a> = (ProxiedEnds, &'a [u8]);

/// Two addresses of N bytes, two ports, and what follows.
fn ip_ends<const N: usize>(payload: &[u8]) -> Parsed<EndsAndAdditions<'_>>
where
    IpAddr: From<[u8; N]>,
{
    let split = || {
        let (source, rest) = payload.split_first_chunk::<N>()?;
        let (destination, rest) = rest.split_first_chunk::<N>()?;
        let (from, rest) = rest.split_first_chunk::<2>()?;
        let (to, rest) = rest.split_first_chunk::<2>()?;
        let end = |address: &[u8; N], port: &[u8; 2]| {
            let port = u16::from_be_bytes(*port);
            ProxiedEnd::Ip(SocketAddr::new(IpAddr::from(*address), port))
        };
        let ends = ProxiedEnds {
            source: end(source, from),
            destination: end(destination, to),
            secure: false,
        };
        Some((ends, rest))
    };
    split().ok_or(MalformedProxyHeader)
}

fn unix_ends(payload: &[u8]) -> Parsed<EndsAndAdditions<'_>> {
    let (source, rest) = payload
        .split_first_chunk::<108>()
        .ok_or(MalformedProxyHeader)?;
    let (destination, rest) = rest
        .split_first_chunk::<108>()
        .ok_or(MalformedProxyHeader)?;
    let end = |name: &[u8]| {
        // A path ends with the first NUL; an abstract name begins with one, and ends before those that fill it up.
        let is_abstract = name.first() == Some(&0);
        let ending = if is_abstract {
            name.iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |last| last + 1)
        } else {
            name.iter()
                .position(|&byte| byte == 0)
                .unwrap_or(name.len())
        };
        ProxiedEnd::Unix(name.get(..ending).unwrap_or_default().to_vec())
    };
    let ends = ProxiedEnds {
        source: end(source),
        destination: end(destination),
        secure: false,
    };
    Ok((ends, rest))
}

/// Look through what is said besides the addresses (section 2.2.1 and following): gives whether the client used TLS. A
/// checksum that is there has to be right (section 2.2.4).
fn read_additions(header: &[u8], mut additions: &[u8]) -> Parsed<bool> {
    const CRC32C: u8 = 0x03;
    const SSL: u8 = 0x20;
    const CLIENT_SSL: u8 = 0x01;
    let mut secure = false;
    while !additions.is_empty() {
        let (&[kind, high, low], rest) = additions
            .split_first_chunk::<3>()
            .ok_or(MalformedProxyHeader)?;
        let size = usize::from(u16::from_be_bytes([high, low]));
        let value = rest.get(..size).ok_or(MalformedProxyHeader)?;
        match kind {
            SSL => secure |= value.first().is_some_and(|flags| flags & CLIENT_SSL != 0),
            CRC32C => {
                let said = <[u8; 4]>::try_from(value).map_err(|_| MalformedProxyHeader)?;
                let place = header.len() - rest.len();
                if crc32c_without(header, place..place + 4) != u32::from_be_bytes(said) {
                    return Err(MalformedProxyHeader);
                }
            }
            _ => {}
        }
        additions = rest.get(size..).unwrap_or_default();
    }
    Ok(secure)
}

/// The CRC-32C (RFC 3720 appendix B.4) of `bytes`, with zeros where the checksum itself is.
fn crc32c_without(bytes: &[u8], checksum: std::ops::Range<usize>) -> u32 {
    let mut crc = u32::MAX;
    for (place, &byte) in bytes.iter().enumerate() {
        crc ^= u32::from(if checksum.contains(&place) { 0 } else { byte });
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[cfg(test)]
mod tests;
