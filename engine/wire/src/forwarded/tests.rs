use super::*;
use crate::Network;

const X: Believed = Believed {
    x_for: true,
    x_proto: true,
    x_host: true,
    x_port: true,
    forwarded: false,
};
const RFC: Believed = Believed {
    x_for: false,
    x_proto: false,
    x_host: false,
    x_port: false,
    forwarded: true,
};

fn read(fields: &[(&str, &str)], believed: Believed) -> Origin {
    let trusted = [
        Network::parse("10.0.0.0/8").unwrap(),
        Network::parse("fd00::/8").unwrap(),
    ];
    let fields = fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
    origin(fields, believed, |ip| {
        trusted.iter().any(|n| n.contains(ip))
    })
}

fn client(fields: &[(&str, &str)], believed: Believed) -> Option<String> {
    let client = read(fields, believed).client?;
    Some(match client.port() {
        0 => client.ip().to_string(),
        _ => client.to_string(),
    })
}

#[test]
fn client_is_the_last_address_that_is_not_trusted() {
    for (value, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
        ("6.6.6.6,192.0.2.1 ,\t10.0.0.7, fd00::1", "192.0.2.1"),
        ("10.6.6.6, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("192.0.2.1:4711", "192.0.2.1:4711"),
        ("[2001:db8::1]:4711, 10.0.0.1:1", "[2001:db8::1]:4711"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        (", 192.0.2.1, ,", "192.0.2.1"),
        ("192.0.2.1:x", "192.0.2.1"),
    ] {
        assert_eq!(
            client(&[("X-Forwarded-For", value)], X).as_deref(),
            Some(expected),
            "{value}"
        );
    }
}

#[test]
fn several_fields_are_one_list() {
    let fields = [
        ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
        ("X-FORWARDED-FOR", "10.0.0.7"),
    ];
    assert_eq!(client(&fields, X).as_deref(), Some("192.0.2.1"));
}

#[test]
fn what_is_no_address_ends_the_view() {
    for (value, expected) in [
        ("unknown", None),
        ("6.6.6.6, unknown", None),
        ("6.6.6.6, unknown, 10.0.0.1", Some("10.0.0.1")),
        ("6.6.6.6, 1.2.3.4.5", None),
        ("[::1", None),
        ("[::1]x", None),
        ("[1.2.3.4]", None),
        ("192.0.2.1\u{e9}", None),
        ("", None),
    ] {
        let found = client(&[("X-Forwarded-For", value)], X);
        assert_eq!(found.as_deref(), expected, "{value}");
    }
}

#[test]
fn other_entries_are_of_the_proxy_that_served_the_client() {
    let read = |fors, protos| {
        let fields = [("X-Forwarded-For", fors), ("X-Forwarded-Proto", protos)];
        read(&fields, X).secure
    };
    assert_eq!(read("192.0.2.1", "https"), Some(true));
    assert_eq!(read("192.0.2.1", "HTTP"), Some(false));
    assert_eq!(read("192.0.2.1", "ftp"), None);
    assert_eq!(read("6.6.6.6, 192.0.2.1", "https, http"), Some(false));
    assert_eq!(read("192.0.2.1, 10.0.0.1", "https, http"), Some(true));
    assert_eq!(read("192.0.2.1, 10.0.0.1", "wss"), Some(true));
    assert_eq!(read("", "https, ws"), Some(false));
}

#[test]
fn host_and_port_are_checked() {
    let read = |name, value| read(&[(name, value)], X);
    let host = |value| read("X-Forwarded-Host", value).host;
    assert_eq!(host("a.example:81").as_deref(), Some(&b"a.example:81"[..]));
    assert_eq!(host("evil, a.example").as_deref(), Some(&b"a.example"[..]));
    assert_eq!(host("a.example/path"), None);
    assert_eq!(host("<script>"), None);
    let port = |value| read("X-Forwarded-Port", value).port;
    assert_eq!(port("8443"), Some(8443));
    for wrong in ["0", "65536", "-1", "x", ""] {
        assert_eq!(port(wrong), None, "{wrong}");
    }
}

#[test]
fn fields_that_are_not_believed_say_nothing() {
    let fields = [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "a.example"),
        ("X-Forwarded-Port", "1"),
        ("Forwarded", "for=192.0.2.2;proto=https;host=b.example"),
        ("X_Forwarded_For", "192.0.2.3"),
    ];
    assert_eq!(read(&fields, Believed::default()), Origin::default());
    let forwarded = read(&fields, RFC);
    assert_eq!(forwarded.client.unwrap().ip().to_string(), "192.0.2.2");
    assert_eq!(forwarded.host.as_deref(), Some(&b"b.example"[..]));
}

#[test]
fn forwarded_is_read_from_the_right() {
    for (value, expected) in [
        ("for=192.0.2.1", Some("192.0.2.1")),
        (
            "For=\"[2001:db8:cafe::17]:4711\"",
            Some("[2001:db8:cafe::17]:4711"),
        ),
        (
            "for=192.0.2.1;proto=http;by=203.0.113.43",
            Some("192.0.2.1"),
        ),
        ("for=6.6.6.6, for=192.0.2.1", Some("192.0.2.1")),
        (
            "for=6.6.6.6, for=192.0.2.1, for=10.0.0.1",
            Some("192.0.2.1"),
        ),
        ("for=6.6.6.6, for=unknown, for=10.0.0.1", Some("10.0.0.1")),
        ("for=6.6.6.6, for=_hidden", None),
        ("for=6.6.6.6, proto=https", None),
        ("for=\"192.0.2.1:_port\"", Some("192.0.2.1")),
        ("for=\"\\1\\92.0.2.1\"", Some("192.0.2.1")),
        ("for=2001:db8::1", Some("2001:db8::1")),
        ("by=\"a, for=6.6.6.6, b\";for=192.0.2.1", Some("192.0.2.1")),
        ("for=192.0.2.1;;proto=http;", Some("192.0.2.1")),
        ("for=192.0.2.1,,", Some("192.0.2.1")),
        ("for=192.0.2.1;for=6.6.6.6", None),
        ("for=", None),
        ("for", None),
        ("for=\"192.0.2.1", None),
        ("for=192.0.2.1 proto=http", None),
        ("", None),
    ] {
        let found = client(&[("Forwarded", value)], RFC);
        assert_eq!(found.as_deref(), expected, "{value}");
    }
}

#[test]
fn client_cannot_quote_what_a_proxy_adds() {
    for sent in [
        "for=\"",
        "for=6.6.6.6;by=\"x",
        "\"",
        "for=\"6.6.6.6, for=6.6.6.6",
        "for=\\",
        ";,=\"\\\",",
    ] {
        for added in [
            "for=192.0.2.1",
            "for=\"192.0.2.1\"",
            "for=192.0.2.1, for=\"10.0.0.1\"",
        ] {
            let value = format!("{sent}, {added}");
            let found = client(&[("Forwarded", &value)], RFC);
            assert_eq!(found.as_deref(), Some("192.0.2.1"), "{value}");
        }
    }
}

#[test]
fn forwarded_scheme_and_host_are_of_the_same_element() {
    let value = "for=6.6.6.6;proto=http;host=evil, for=192.0.2.1;proto=https;host=\"a.example:81\", for=10.0.0.1;host=inner";
    let found = read(&[("Forwarded", value)], RFC);
    assert_eq!(found.secure, Some(true));
    assert_eq!(found.host.as_deref(), Some(&b"a.example:81"[..]));
}

#[test]
fn many_commas_cost_little() {
    let value = ",\"".repeat(16_000);
    assert_eq!(client(&[("Forwarded", &value)], RFC), None);
}
