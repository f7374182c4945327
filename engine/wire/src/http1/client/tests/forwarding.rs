//! Whom a request came from, as the upstream is told.

use super::super::{Forwarding, Origin};

const CLIENT: Origin<'_> = Origin {
    address: b"192.0.2.7",
    host: b"example.com:8080",
    secure: false,
};

fn lines(policy: Forwarding, origin: Origin<'_>, fields: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    policy.push(&mut out, origin, fields);
    String::from_utf8(out).unwrap()
}

#[test]
fn replacing_drops_what_the_client_claims() {
    for name in [
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded-Whatever",
        "Forwarded",
        "x-real-ip",
        "X_Real_IP",
    ] {
        assert!(Forwarding::Replace.takes(name.as_bytes()), "{name}");
    }
    for name in ["X-Forward", "Forwarded-By", "X-Real-IPs", "Cookie", ""] {
        assert!(!Forwarding::Replace.takes(name.as_bytes()), "{name}");
    }
    assert_eq!(
        lines(Forwarding::Replace, CLIENT, &[("X-Forwarded-For", "10.0.0.1")]),
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com:8080\r\n\
         Forwarded: for=192.0.2.7;host=\"example.com:8080\";proto=http\r\n"
    );
}

#[test]
fn appending_goes_on_with_what_the_proxy_in_front_said() {
    let before = [
        ("x-forwarded-for", "198.51.100.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=198.51.100.1"),
    ];
    assert_eq!(
        lines(Forwarding::Append, CLIENT, &before),
        "X-Forwarded-For: 198.51.100.1, 10.0.0.1, 192.0.2.7\r\nX-Forwarded-Host: example.com:8080\r\n\
         Forwarded: for=198.51.100.1, for=192.0.2.7;host=\"example.com:8080\";proto=http\r\n"
    );
    assert!(
        Forwarding::Append.takes(b"X_FORWARDED_FOR")
            && !Forwarding::Append.takes(b"X-Forwarded-Proto")
    );
}

#[test]
fn addresses_are_written_as_their_kind_needs() {
    let six = Origin {
        address: b"2001:db8::1",
        host: b"",
        secure: true,
    };
    assert_eq!(
        lines(Forwarding::Replace, six, &[]),
        "X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nForwarded: for=\"[2001:db8::1]\";proto=https\r\n"
    );
    let none = Origin {
        address: b"",
        host: b"a\"b",
        secure: false,
    };
    assert!(lines(Forwarding::Replace, none, &[])
        .ends_with("Forwarded: for=unknown;host=\"a\\\"b\";proto=http\r\n"));
}

#[test]
fn switched_off_it_adds_and_takes_nothing() {
    assert_eq!(
        lines(Forwarding::Off, CLIENT, &[("Forwarded", "for=a")]),
        ""
    );
    assert!(!Forwarding::Off.takes(b"X-Forwarded-For"));
}
