use super::*;

fn tcp(source: &str, destination: &str, secure: bool) -> Option<ProxiedEnds> {
    let end = |text: &str| ProxiedEnd::Ip(text.parse().unwrap());
    Some(ProxiedEnds {
        source: end(source),
        destination: end(destination),
        secure,
    })
}

/// A header of version 2.
fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let size = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &size, payload].concat()
}

fn ipv4(additions: &[u8]) -> Vec<u8> {
    [
        &[192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 0, 80],
        additions,
    ]
    .concat()
}

/// Whole at its end, incomplete at every byte before, whatever follows.
fn check(header: &[u8], expected: Option<ProxiedEnds>) {
    for end in 0..header.len() {
        assert_eq!(
            proxy_header(&header[..end]),
            Ok(ProxyHeader::NeedMore),
            "the first {end} bytes of {header:?}"
        );
    }
    for after in ["", "GET / HTTP/1.1\r\n", "PROXY ", "\r\n"] {
        let whole = ProxyHeader::Whole {
            length: header.len(),
            ends: expected.clone(),
        };
        assert_eq!(
            proxy_header(&[header, after.as_bytes()].concat()),
            Ok(whole)
        );
    }
}

/// Refused, and never taken on the way there.
fn refuse(bytes: &[u8]) {
    for end in 0..bytes.len() {
        let so_far = proxy_header(&bytes[..end]);
        assert!(
            !matches!(so_far, Ok(ProxyHeader::Whole { .. })),
            "{bytes:?}"
        );
    }
    assert_eq!(proxy_header(bytes), Err(MalformedProxyHeader), "{bytes:?}");
}

#[test]
fn line_is_read() {
    check(
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\r\n",
        tcp("192.0.2.1:4711", "198.51.100.1:80", false),
    );
    check(
        b"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n",
        tcp("[2001:db8::1]:0", "[::1]:65535", false),
    );
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN ffff::1 what ever\r\n", None);
}

#[test]
fn malformed_line_is_refused() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "PROXY TCP4\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.1 4711 80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4711  80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4711 80 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4711 80 81\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\rX",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +1 80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 01 80\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1  80\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 1 80\r\n",
        "PROXY TCP4 192.0.2 198.51.100.1 1 80\r\n",
        "PROXY TCP4 ::1 ::1 1 80\r\n",
        "PROXY TCP6 192.0.2.1 ::1 1 80\r\n",
        "PROXY TCP6 ::1%lo ::1 1 80\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 1 80\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 80\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY \r\n",
        "PROXY\t",
        "proxy ",
        "PROXZ",
        "\n",
        "\r\nG",
    ] {
        refuse(line.as_bytes());
    }
    refuse(b"PROXY TCP4 \xff");
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(LONGEST_LINE));
    refuse(&endless.as_bytes()[..LONGEST_LINE]);
}

#[test]
fn longest_line_is_taken() {
    let filled = LONGEST_LINE - "PROXY UNKNOWN \r\n".len();
    check(
        format!("PROXY UNKNOWN {}\r\n", "x".repeat(filled)).as_bytes(),
        None,
    );
}

#[test]
fn binary_header_is_read() {
    let ends = tcp("192.0.2.1:4711", "198.51.100.1:80", false);
    check(&v2(0x21, 0x11, &ipv4(b"")), ends.clone());
    check(
        &v2(0x21, 0x11, &ipv4(b"\x04\x00\x03\x00\x00\x00\xea\x00\x00")),
        ends,
    );
    let mut v6 = [0u8; 36];
    (v6[15], v6[31], v6[33], v6[34]) = (1, 2, 7, 1);
    check(&v2(0x21, 0x21, &v6), tcp("[::1]:7", "[::2]:256", false));
}

#[test]
fn connection_of_the_proxy_itself_has_no_ends() {
    check(&v2(0x20, 0x00, b""), None);
    check(&v2(0x20, 0x11, &ipv4(b"")), None);
    check(&v2(0x20, 0x11, b"short"), None);
    check(&v2(0x20, 0x47, b"whatever"), None);
    check(&v2(0x21, 0x00, b"whatever"), None);
}

#[test]
fn unix_ends_are_read() {
    let mut payload = [0u8; 216];
    payload[..4].copy_from_slice(b"/tmp");
    payload[108..113].copy_from_slice(b"\0name");
    let ends = ProxiedEnds {
        source: ProxiedEnd::Unix(b"/tmp".to_vec()),
        destination: ProxiedEnd::Unix(b"\0name".to_vec()),
        secure: false,
    };
    check(&v2(0x21, 0x31, &payload), Some(ends));
}

#[test]
fn tls_before_the_proxy_is_told() {
    let secure = b"\x20\x00\x05\x01\x00\x00\x00\x00";
    check(
        &v2(0x21, 0x11, &ipv4(secure)),
        tcp("192.0.2.1:4711", "198.51.100.1:80", true),
    );
    let plain = b"\x20\x00\x05\x00\x00\x00\x00\x00";
    check(
        &v2(0x21, 0x11, &ipv4(plain)),
        tcp("192.0.2.1:4711", "198.51.100.1:80", false),
    );
}

#[test]
fn checksum_is_checked() {
    assert_eq!(crc32c_without(b"123456789", 0..0), 0xe306_9283);
    let mut header = v2(0x21, 0x11, &ipv4(b"\x03\x00\x04\x00\x00\x00\x00"));
    let place = header.len() - 4;
    let right = crc32c_without(&header, place..place + 4);
    header[place..].copy_from_slice(&right.to_be_bytes());
    check(&header, tcp("192.0.2.1:4711", "198.51.100.1:80", false));
    header[place] ^= 1;
    refuse(&header);
}

#[test]
fn malformed_binary_header_is_refused() {
    refuse(&v2(0x11, 0x11, &ipv4(b"")));
    refuse(&v2(0x31, 0x11, &ipv4(b"")));
    refuse(&v2(0x22, 0x11, &ipv4(b"")));
    for family in [0x10, 0x12, 0x13, 0x22, 0x32, 0x41, 0xff] {
        refuse(&v2(0x21, family, &ipv4(b"")));
    }
    refuse(&v2(0x21, 0x11, &[0; 11]));
    refuse(&v2(0x21, 0x21, &[0; 35]));
    refuse(&v2(0x21, 0x31, &[0; 215]));
    refuse(&v2(0x21, 0x11, &ipv4(b"\x04")));
    refuse(&v2(0x21, 0x11, &ipv4(b"\x04\x00\x01")));
    refuse(&v2(0x21, 0x11, &ipv4(b"\x03\x00\x03\x00\x00\x00")));
}

#[test]
fn header_that_is_too_long_is_refused_at_its_length() {
    let fits = u16::try_from(LONGEST_HEADER - 16).unwrap();
    let head = |size: u16| [SIGNATURE, &[0x21, 0x11], &size.to_be_bytes()].concat();
    assert_eq!(proxy_header(&head(fits)), Ok(ProxyHeader::NeedMore));
    assert_eq!(proxy_header(&head(fits + 1)), Err(MalformedProxyHeader));
    assert_eq!(proxy_header(&head(u16::MAX)), Err(MalformedProxyHeader));
}
