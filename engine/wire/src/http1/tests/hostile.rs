//! The security history of other servers, as far as it is about reading a request. Each test names its probes.

use super::replay::{assert_refused, read, Event};
use crate::{is_field_value, is_token, Limits, Violation};

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A POST with a Host, the given field lines, and what follows the head.
fn post(fields: &[&str], rest: &str) -> Vec<u8> {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{rest}").into_bytes()
}

fn get(fields: &[u8]) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: a\r\n", fields, b"\r\n\r\n"].concat()
}

#[test]
fn p01_two_content_lengths() {
    for (first, second) in [("5", "0"), ("5", "5"), ("0", "0")] {
        let (first, second) = (
            format!("Content-Length: {first}"),
            format!("content-length: {second}"),
        );
        assert_refused(
            post(&[&first, &second], "AAAAA"),
            Violation::ContentLengthRepeated,
        );
    }
    assert_refused(
        post(&["Content-Length: 5, 5"], "AAAAA"),
        Violation::ContentLengthMalformed,
    );
}

#[test]
fn p02_length_together_with_coding() {
    let fields = ["Content-Length: 6", "Transfer-Encoding: chunked"];
    assert_refused(post(&fields, "0\r\n\r\nX"), Violation::LengthAndCoding);
    assert_refused(
        post(&[fields[1], fields[0]], "0\r\n\r\nX"),
        Violation::LengthAndCoding,
    );
    assert_refused(
        post(&["Transfer-Encoding: gzip", fields[0]], "AAAAAA"),
        Violation::LengthAndCoding,
    );
}

#[test]
fn p03_odd_transfer_encodings() {
    for (value, violation) in [
        ("xchunked", Violation::CodingUnknown),
        ("gzip", Violation::CodingUnknown),
        ("identity", Violation::CodingUnknown),
        ("chunked, identity", Violation::CodingMalformed),
        ("gzip, chunked", Violation::CodingMalformed),
        ("chunked,", Violation::CodingMalformed),
        ("chunked;q=1", Violation::CodingMalformed),
        ("\"chunked\"", Violation::CodingMalformed),
        ("chunked chunked", Violation::CodingMalformed),
        ("", Violation::CodingMalformed),
        ("\x0bchunked", Violation::FieldValueMalformed),
        (
            "chunked\r\nTransfer-Encoding: chunked",
            Violation::CodingRepeated,
        ),
        (
            "chunked\r\nTRANSFER-ENCODING: gzip",
            Violation::CodingRepeated,
        ),
    ] {
        assert_refused(
            post(&[&format!("Transfer-Encoding: {value}")], "0\r\n\r\n"),
            violation,
        );
    }
    let old = b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_refused(old, Violation::CodingOnHttp10);
    assert_eq!(Violation::CodingUnknown.status(), 501);
    assert_eq!(Violation::CodingMalformed.status(), 400);
}

#[test]
fn p04_lenient_content_lengths() {
    let thirty = "1".repeat(30);
    for value in [
        "+5",
        "-1",
        "0x5",
        "5_0",
        "5 5",
        "",
        "\u{665}",
        &thirty,
        "18446744073709551616",
        "5;",
        "5.",
        "1e1",
    ] {
        assert_refused(
            post(&[&format!("Content-Length: {value}")], "AAAAA"),
            Violation::ContentLengthMalformed,
        );
    }
    assert_refused(
        post(&["Content-Length: 5\x0b"], "AAAAA"),
        Violation::FieldValueMalformed,
    );
}

#[test]
fn p05_lenient_chunk_sizes() {
    // `5 ` is what old servers padded sizes to; no client does, so it is refused like the rest.
    for size in [
        "0x5",
        "+5",
        "-1",
        " 5",
        "5_0",
        "",
        "ffffffffffffffff1",
        "5 ",
        "5\t",
        "5 ;a",
        "\u{665}",
    ] {
        assert_refused(
            format!("{CHUNKED}{size}\r\nAAAAA\r\n0\r\n\r\n"),
            Violation::ChunkSizeMalformed,
        );
    }
}

#[test]
fn p06_line_ends_inside_chunk_extensions() {
    assert_refused(
        format!("{CHUNKED}5;a\nX\r\nAAAAA\r\n0\r\n\r\n"),
        Violation::BareLineFeed,
    );
    assert_refused(
        format!("{CHUNKED}5;a\rb\r\nAAAAA\r\n0\r\n\r\n"),
        Violation::BareCarriageReturn,
    );
    assert_refused(
        format!("{CHUNKED}5;a=\"\n\"\r\nAAAAA\r\n0\r\n\r\n"),
        Violation::BareLineFeed,
    );
    assert_refused(format!("{CHUNKED}5\nAAAAA\n0\n\n"), Violation::BareLineFeed);
}

#[test]
fn p07_bytes_after_chunk_data() {
    assert_refused(
        format!("{CHUNKED}5\r\nAAAAAXX0\r\n\r\n"),
        Violation::ChunkUnterminated,
    );
    assert_refused(
        format!("{CHUNKED}5\r\nAAAAA0\r\n\r\n"),
        Violation::ChunkUnterminated,
    );
}

#[test]
fn p08_truncated_end_and_smuggled_trailers() {
    for end in [
        "0\r\n",
        "0\r\n\r",
        "0",
        "",
        "5\r\nAA",
        "5\r\nAAAAA",
        "0\r\nA: b\r\n",
    ] {
        let outcome = read(format!("{CHUNKED}{end}"));
        assert_eq!(outcome.at_end, Some(Violation::Truncated), "{end:?}");
        assert_ne!(outcome.events.last(), Some(&Event::End));
    }
    let outcome = read(format!(
        "{CHUNKED}0\r\nContent-Length: 5\r\nHost: b\r\n\r\n"
    ));
    assert_eq!(outcome.head().fields.len(), 2);
    assert_eq!(outcome.events.last(), Some(&Event::End));
    assert!(outcome.between);
}

#[test]
fn p09_bare_line_feeds() {
    assert_refused("GET / HTTP/1.1\nHost: a\n\n", Violation::BareLineFeed);
    assert_refused("GET / HTTP/1.1\r\nHost: a\n\r\n", Violation::BareLineFeed);
    assert_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nB:\n\r\n",
        Violation::BareLineFeed,
    );
    assert_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nB: c \n\r\n",
        Violation::BareLineFeed,
    );
    assert_refused("GET / HTTP/1.1\r\nHost: a\r\n\n", Violation::BareLineFeed);
    assert_refused("GET / HTTP/1.1\nHost: a\r\n\r\n", Violation::BareLineFeed);
    assert_refused("GET /\n", Violation::BareLineFeed);
}

#[test]
fn p10_folding_space_before_colon_empty_name() {
    assert_refused(get(b"A: 1\r\n B: 2"), Violation::FieldFolded);
    assert_refused(get(b"A: 1\r\n\tB: 2"), Violation::FieldFolded);
    assert_refused(get(b"A: 1\r\n "), Violation::FieldFolded);
    assert_refused(
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        Violation::FieldFolded,
    );
    assert_refused(get(b"Content-Length : 5"), Violation::SpaceBeforeColon);
    assert_refused(get(b"Content-Length\t: 5"), Violation::SpaceBeforeColon);
    assert_refused(get(b": x"), Violation::FieldNameMalformed);
    assert_refused(get(b"A B: x"), Violation::FieldNameMalformed);
    assert_refused(get(b"A(: x"), Violation::FieldNameMalformed);
    assert_refused(get(b"A\x80: x"), Violation::FieldNameMalformed);
    assert_refused(get(b"nothing"), Violation::ColonMissing);
}

#[test]
fn p11_control_bytes_in_fields() {
    assert_refused(get(b"A: x\ry"), Violation::BareCarriageReturn);
    assert_refused(get(b"A: x\r"), Violation::BareCarriageReturn);
    assert_refused(get(b"A\r: x"), Violation::BareCarriageReturn);
    assert_refused(get(b"A\0: x"), Violation::FieldNameMalformed);
    assert_refused(get(b"A: x\ny"), Violation::BareLineFeed);
    for byte in (0..0x20)
        .chain([0x7f])
        .filter(|byte| !b"\t\r\n".contains(byte))
    {
        assert_refused(
            get(&[b'A', b':', b' ', byte]),
            Violation::FieldValueMalformed,
        );
        assert_refused(
            get(&[b'A', b':', b' ', b'b', byte, b'c']),
            Violation::FieldValueMalformed,
        );
    }
}

#[test]
fn p12_hosts_that_change_the_url() {
    for host in [
        "a/login?x",
        "a@b",
        "a#",
        "a b",
        "a?",
        "a, b",
        "a\\",
        "http://a",
    ] {
        assert_refused(
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            Violation::HostMalformed,
        );
    }
    assert_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        Violation::HostRepeated,
    );
    assert_refused(
        "GET / HTTP/1.1\r\nHost: a\r\nhost:\r\n\r\n",
        Violation::HostRepeated,
    );
    assert_refused("GET / HTTP/1.1\r\nHos: a\r\n\r\n", Violation::HostMissing);
}

#[test]
fn p13_odd_request_lines() {
    for (line, violation) in [
        ("GET a HTTP/1.1", Violation::TargetFormUnfit),
        ("GET * HTTP/1.1", Violation::TargetFormUnfit),
        ("GET a:1 HTTP/1.1", Violation::TargetFormUnfit),
        ("GET /#a HTTP/1.1", Violation::TargetMalformed),
        ("GET /a b HTTP/1.1", Violation::RequestLineMalformed),
        ("GET  / HTTP/1.1", Violation::RequestLineMalformed),
        ("GET /  HTTP/1.1", Violation::RequestLineMalformed),
        ("GET / HTTP/1.1 ", Violation::RequestLineMalformed),
        ("GET /", Violation::RequestLineMalformed),
        ("GET", Violation::RequestLineMalformed),
        ("GET ", Violation::RequestLineMalformed),
        ("GET  HTTP/1.1", Violation::RequestLineMalformed),
        (" / HTTP/1.1", Violation::MethodMalformed),
        ("G\u{e9}T / HTTP/1.1", Violation::MethodMalformed),
        ("GET\t/ HTTP/1.1", Violation::MethodMalformed),
        ("GET /\t HTTP/1.1", Violation::TargetMalformed),
        ("GET /\u{e9} HTTP/1.1", Violation::TargetMalformed),
        ("GET /\x7f HTTP/1.1", Violation::TargetMalformed),
        ("GET /\0 HTTP/1.1", Violation::TargetMalformed),
        ("GET / HTTP/1.10", Violation::VersionMalformed),
        ("GET / HTTP/1.", Violation::VersionMalformed),
        ("GET / HTTP/11", Violation::VersionMalformed),
        ("GET / http/1.1", Violation::VersionMalformed),
        ("GET / HTTPS/1.1", Violation::VersionMalformed),
        ("GET / HTTP/1,1", Violation::VersionMalformed),
        ("GET / HTTP/1.2", Violation::VersionUnsupported),
        ("GET / HTTP/2.0", Violation::VersionUnsupported),
        ("GET / HTTP/0.9", Violation::VersionUnsupported),
        ("PRI * HTTP/2.0", Violation::VersionUnsupported),
    ] {
        assert_refused(format!("{line}\r\nHost: a\r\n\r\n"), violation);
    }
    assert_eq!(Violation::VersionUnsupported.status(), 505);
    assert_eq!(Violation::VersionMalformed.status(), 400);
}

#[test]
fn p13_wrong_first_bytes_are_refused_without_a_line_end() {
    let handshake = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_refused(handshake, Violation::MethodMalformed);
    assert_refused(b"GET\0", Violation::MethodMalformed);
    assert_refused("PRI * HTTP/2.0\r\n", Violation::VersionUnsupported);
}

#[test]
fn p15_nothing_is_served_after_a_bad_request() {
    // A bad request of exactly a buffer's size, and a good one behind it.
    let mut bad = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    bad.resize(16384 - 5, b'x');
    bad.extend(b"\0\r\n\r\n");
    let good = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    for pieces in [vec![&bad[..], good], vec![&[&bad[..], good].concat()[..]]] {
        let outcome = super::replay::replay(pieces.into_iter(), &Limits::default(), None);
        assert_eq!(
            (outcome.heads(), outcome.violation),
            (0, Some(Violation::FieldValueMalformed))
        );
    }
}

#[test]
fn p16_unread_body_is_not_a_request() {
    let outcome = read(post(&["Content-Length: 20"], "GET /evil HTTP/1.0\r\n\r\n"));
    assert_eq!(outcome.heads(), 1);
    assert_eq!(outcome.body(), b"GET /evil HTTP/1.0\r\n");
}

#[test]
fn p17_limits_cannot_be_bypassed_by_dripping() {
    let limits = Limits::default();
    let endless =
        |start: &str, more: &str, count: usize| [start.to_owned(), more.repeat(count)].concat();
    let head = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (input, violation, status) in [
        (
            endless("GET /", "a", 1 << 20),
            Violation::RequestLineTooLong,
            414,
        ),
        (
            endless("", "G", 1 << 20),
            Violation::RequestLineTooLong,
            414,
        ),
        (
            endless(&format!("{head}A: "), "a", 1 << 20),
            Violation::HeadersTooLarge,
            431,
        ),
        (
            endless(head, "A: b\r\n", 100_000),
            Violation::TooManyHeaders,
            431,
        ),
        (
            endless(&format!("{CHUNKED}0\r\n"), "A:\r\n", 100_000),
            Violation::TrailersTooLarge,
            431,
        ),
        (
            endless(&format!("{CHUNKED}0\r\nA:"), "b", 1 << 20),
            Violation::TrailersTooLarge,
            431,
        ),
        (
            endless(&format!("{CHUNKED}5;"), "b", 1 << 20),
            Violation::ChunkLineTooLong,
            400,
        ),
        (
            endless(CHUNKED, "0", 1 << 20),
            Violation::ChunkSizeMalformed,
            400,
        ),
    ] {
        assert_eq!(violation.status(), status);
        for size in [1, 1000, input.len()] {
            let outcome =
                super::replay::replay(input.as_bytes().chunks(size).take(70_000), &limits, None);
            assert_eq!(outcome.violation, Some(violation), "pieces of {size}");
        }
    }
}

#[test]
fn p20_p21_names_values_and_reasons_with_line_ends_are_told() {
    for bad in [
        &b"a\r\nSet-Cookie: e=1"[..],
        b"x\r\nY: z",
        b"\n",
        b"\r",
        b"\0",
        b"\x1b[31m",
        b"\x7f",
    ] {
        assert!(!is_field_value(bad) && !is_token(bad));
    }
    assert!(is_field_value(b"") && is_field_value(b"a \tb\x80\xff<script>"));
    assert!(
        !is_token(b"") && !is_token(b"a b") && !is_token(b"a:") && is_token(b"X_Forwarded-For!")
    );
}

#[test]
fn p22_names_are_given_as_sent() {
    let outcome = read(get(
        b"X_Forwarded_For: 1\r\nX-Forwarded-For: 2\r\nProxy: evil",
    ));
    let names: Vec<_> = outcome
        .head()
        .fields
        .iter()
        .map(|(name, _)| name.as_slice())
        .collect();
    assert_eq!(
        names,
        [
            &b"Host"[..],
            b"X_Forwarded_For",
            b"X-Forwarded-For",
            b"Proxy"
        ]
    );
}

#[test]
fn p33_p34_a_peer_that_leaves_early_is_told_from_one_that_is_done() {
    let request = post(&["Content-Length: 5"], "AAAAA");
    for end in 1..request.len() {
        let outcome =
            super::replay::replay([&request[..end]].into_iter(), &Limits::default(), None);
        assert_eq!(
            outcome.at_end,
            Some(Violation::Truncated),
            "after {end} bytes"
        );
        assert!(!outcome.between);
    }
    let outcome = read(&request);
    assert!(outcome.at_end.is_none() && outcome.between);
    assert!(read(b"").between);
}

#[test]
fn p35_bytes_outside_ascii_are_values_and_nothing_else() {
    let value: Vec<u8> = (0x80..=0xff).collect();
    for name in [
        "Sec-WebSocket-Protocol",
        "Connection",
        "Expect",
        "Upgrade",
        "Cookie",
        "Referer",
    ] {
        let outcome = read(get(&[name.as_bytes(), b": ", &value].concat()));
        assert_eq!(
            outcome.head().fields.last(),
            Some(&(name.as_bytes().to_vec(), value.clone()))
        );
    }
    assert_refused(
        b"GET / HTTP/1.1\r\nHost: \x80\r\n\r\n",
        Violation::HostMalformed,
    );
    assert_refused(
        b"GET /\x80\xff?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        Violation::TargetMalformed,
    );
    assert_refused(
        get(b"Content-Length: \xb2"),
        Violation::ContentLengthMalformed,
    );
    assert_refused(get(b"Transfer-Encoding: \xff"), Violation::CodingMalformed);
}
