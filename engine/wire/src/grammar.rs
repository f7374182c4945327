//! Character classes and small productions of RFC 9110 and RFC 3986, in one place.

/// Which bytes are `tchar` (RFC 9110 section 5.6.2).
const TCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// Which bytes a `reg-name`, an IPv4 address or a percent-encoding may hold (RFC 3986 section 3.2.2).
const HOST_CHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
            );
        byte += 1;
    }
    table
};

/// Which bytes a request target may hold: visible ASCII, and no fragment, which a client keeps for itself (RFC 9110 section
/// 7.1).
const TARGET_CHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b' ' as usize + 1;
    while byte < 0x7f {
        table[byte] = byte != b'#' as usize;
        byte += 1;
    }
    table
};

/// How many bytes at the beginning are in `class`. Four at a time: most of a head goes through here.
#[inline]
fn run_of(bytes: &[u8], class: &[bool; 256]) -> usize {
    let is_in = |byte: u8| class[usize::from(byte)];
    let mut at = 0;
    while let Some(&[a, b, c, d]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        if !(is_in(a) & is_in(b) & is_in(c) & is_in(d)) {
            break;
        }
        at += 4;
    }
    while bytes.get(at).is_some_and(|&byte| is_in(byte)) {
        at += 1;
    }
    at
}

/// How many bytes at the beginning are `tchar`.
#[inline]
pub(crate) fn token_run(bytes: &[u8]) -> usize {
    run_of(bytes, &TCHAR)
}

/// How many bytes at the beginning can stand in a request target.
#[inline]
pub(crate) fn target_run(bytes: &[u8]) -> usize {
    run_of(bytes, &TARGET_CHAR)
}

/// Whether `byte` is a `tchar`.
#[inline]
pub(crate) fn is_tchar(byte: u8) -> bool {
    TCHAR[usize::from(byte)]
}

/// Whether `byte` may stand in a field value or a chunk extension: HTAB, SP, VCHAR, obs-text.
#[inline]
pub(crate) fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

/// Whether `bytes` is a `token`: a method or a field name (RFC 9110 section 5.6.2). Empty is none.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_run(bytes) == bytes.len()
}

/// Whether `bytes` can stand in a field value or a reason phrase (RFC 9110 section 5.5): no CR, LF, NUL, nor any
/// other control byte but HTAB. White space at the ends is the caller's business.
#[must_use]
pub fn is_field_value(bytes: &[u8]) -> bool {
    // Without an early exit the loop runs on whole vectors.
    bytes
        .iter()
        .fold(true, |fine, &byte| fine & is_field_byte(byte))
}

/// `bytes` without spaces and tabs (OWS) at its ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    while let [body @ .., b' ' | b'\t'] = rest {
        rest = body;
    }
    rest
}

/// The members of a comma-separated list, trimmed, empty ones left out (RFC 9110 section 5.6.1).
pub(crate) fn list_members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// The value of 1 to 19 digits and nothing else; 19 because every such number fits 64 bits, signed as well.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &digit| match digit {
        b'0'..=b'9' => Some(value * 10 + u64::from(digit - b'0')),
        _ => None,
    })
}

/// Whether `bytes` is `host[:port]` as a Host field or an authority without user information may say it.
/// `host` is a registered name, an IPv4 address or a bracketed IP literal, and not empty.
pub(crate) fn is_authority(bytes: &[u8]) -> bool {
    match bytes {
        [b'[', rest @ ..] => match rest.iter().position(|&byte| byte == b']') {
            Some(end) => {
                let (address, after) = rest.split_at(end);
                is_ip_literal(address) && matches!(after, [b']', port @ ..] if is_port_suffix(port))
            }
            None => false,
        },
        _ => {
            let (host, port) = bytes.split_at(run_of(bytes, &HOST_CHAR));
            !host.is_empty() && is_port_suffix(port)
        }
    }
}

/// Whether `address` has the characters of what stands between brackets: IPv6 or a future form (RFC 3986 section 3.2.2).
fn is_ip_literal(address: &[u8]) -> bool {
    !address.is_empty()
        && address
            .iter()
            .all(|&byte| byte == b':' || (byte != b'%' && HOST_CHAR[usize::from(byte)]))
}

/// Whether `suffix` is empty or a colon and a port number, which may be empty (RFC 3986 section 3.2.3).
fn is_port_suffix(suffix: &[u8]) -> bool {
    match suffix {
        [] | [b':'] => true,
        [b':', port @ ..] => decimal(port).is_some_and(|number| number <= u64::from(u16::MAX)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{decimal, is_field_value, is_tchar, is_token, list_members, trim};

    #[test]
    fn token_characters_are_those_of_the_rfc() {
        let all: Vec<u8> = (0..=255).filter(|&byte| is_tchar(byte)).collect();
        let expected =
            b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
        assert_eq!(all, expected);
        assert!(!is_token(b""));
    }

    #[test]
    fn field_values_hold_no_control_byte_but_tab() {
        for byte in 0..=255 {
            let expected = byte == b'\t' || !(byte as char).is_ascii_control();
            assert_eq!(is_field_value(&[b'a', byte, b'b']), expected, "{byte}");
        }
    }

    #[test]
    fn decimal_takes_up_to_nineteen_digits() {
        assert_eq!(
            decimal(b"9999999999999999999"),
            Some(9_999_999_999_999_999_999)
        );
        assert_eq!(decimal(b"0042"), Some(42));
        for bad in [
            &b""[..],
            b"10000000000000000000",
            b" 1",
            b"1 ",
            b"-1",
            b"1.0",
            b"/",
            b":",
        ] {
            assert_eq!(decimal(bad), None);
        }
    }

    #[test]
    fn lists_are_trimmed_and_empty_members_left_out() {
        let members: Vec<_> = list_members(b"a, b\t,, c d ,").collect();
        assert_eq!(members, [&b"a"[..], b"b", b"c d"]);
        assert_eq!(trim(b" \t "), b"");
    }
}
