//! Heads that are right, and what they answer about themselves.

use super::replay::{assert_refused, read, Event};
use crate::{Framing, Limits, Receiver, Step, Version, Violation};

/// `lines` of a request with CRLF after each and the empty line.
fn head(lines: &[&str]) -> Vec<u8> {
    lines
        .iter()
        .chain(&[""])
        .flat_map(|line| [line.as_bytes(), b"\r\n"].concat())
        .collect()
}

fn parsed(input: &[u8]) -> crate::Head {
    match Receiver::new().advance(input, &Limits::default()) {
        Ok((consumed, Step::Head(head))) if consumed == input.len() => head,
        other => panic!("{other:?} for {}", input.escape_ascii()),
    }
}

#[test]
fn plain_request_gives_head_and_end() {
    let outcome = read(head(&[
        "GET /buy?a=1 HTTP/1.1",
        "Host: a:80",
        "X-Two:  spaced \t",
    ]));
    let facts = outcome.head();
    assert_eq!(facts.method, b"GET");
    assert_eq!(facts.target, b"/buy?a=1");
    assert_eq!(facts.version, Version::Http11);
    assert_eq!(facts.framing, Framing::None);
    let expected: [(&[u8], &[u8]); 2] = [(b"Host", b"a:80"), (b"X-Two", b"spaced")];
    assert_eq!(
        facts.fields,
        expected.map(|(name, value)| (name.to_vec(), value.to_vec()))
    );
    assert_eq!(outcome.events.last(), Some(&Event::End));
    assert_eq!(outcome.events.len(), 2);
    assert!(outcome.between && outcome.at_end.is_none());
}

#[test]
fn head_gives_the_last_of_equal_fields_in_any_case() {
    let head = parsed(&head(&[
        "GET / HTTP/1.1",
        "HOST: a",
        "x-a: 1",
        "X-A: 2",
        "X-B:",
    ]));
    assert_eq!(head.field(b"x-a"), Some(&b"2"[..]));
    assert_eq!(head.field(b"host"), Some(&b"a"[..]));
    assert_eq!(head.field(b"x-b"), Some(&b""[..]));
    assert_eq!(head.field(b"x-c"), None);
    assert_eq!(head.fields().len(), 4);
}

#[test]
fn head_shows_itself_escaped() {
    let shown = format!("{:?}", parsed(b"GET / HTTP/1.0\r\nA: \x80\r\n\r\n"));
    assert_eq!(
        shown,
        r#"Head("GET / HTTP/1.0\\r\\nA: \\x80\\r\\n\\r\\n", None)"#
    );
}

#[test]
fn head_takes_more_fields_than_fit_the_stack() {
    let limits = Limits {
        header_count: 1000,
        ..Limits::default()
    };
    let mut input = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    (0..500).for_each(|number| input.extend(format!("A{number}: {number}\r\n").bytes()));
    input.extend(b"\r\n");
    let Ok((_, Step::Head(head))) = Receiver::new().advance(&input, &limits) else {
        panic!()
    };
    assert_eq!(head.fields().len(), 501);
    assert_eq!(head.field(b"a499"), Some(&b"499"[..]));
}

#[test]
fn head_method_is_told_apart() {
    assert!(parsed(b"HEAD / HTTP/1.0\r\n\r\n").is_head_method());
    assert!(!parsed(b"head / HTTP/1.0\r\n\r\n").is_head_method());
    assert!(!parsed(b"GET / HTTP/1.0\r\n\r\n").is_head_method());
}

#[test]
fn connection_field_decides_persistence() {
    // RFC 9112 section 9.3.
    for (version, connection, keeps) in [
        ("1.1", None, true),
        ("1.1", Some("close"), false),
        ("1.1", Some("Close"), false),
        ("1.1", Some("te, close"), false),
        ("1.1", Some("close,te"), false),
        ("1.1", Some(" , keep-alive ,, CLOSE"), false),
        ("1.1", Some("closed"), true),
        ("1.1", Some("x-close"), true),
        ("1.1", Some("keep-alive"), true),
        ("1.0", None, false),
        ("1.0", Some("keep-alive"), true),
        ("1.0", Some("Keep-Alive, te"), true),
        ("1.0", Some("keep-alive, close"), false),
        ("1.0", Some("close"), false),
    ] {
        let line = format!("GET / HTTP/{version}");
        let mut lines = vec![line.as_str(), "Host: a"];
        let field = connection.map(|value| format!("Connection: {value}"));
        lines.extend(field.as_deref());
        assert_eq!(
            read(head(&lines)).head().keep_alive,
            keeps,
            "{version} {connection:?}"
        );
    }
}

#[test]
fn connection_fields_are_one_list() {
    let input = head(&[
        "GET / HTTP/1.1",
        "Host: a",
        "Connection: te",
        "connection: close",
    ]);
    assert!(!read(input).head().keep_alive);
}

#[test]
fn expectation_counts_on_http11_only() {
    for (version, value, expects) in [
        ("1.1", "100-continue", true),
        ("1.1", "100-Continue", true),
        ("1.1", "200-maybe", false),
        ("1.0", "100-continue", false),
    ] {
        let (line, field) = (format!("POST / HTTP/{version}"), format!("Expect: {value}"));
        let input = head(&[&line, "Host: a", &field, "Content-Length: 0"]);
        assert_eq!(
            read(input).head().expects_continue,
            expects,
            "{version} {value}"
        );
    }
}

#[test]
fn upgrade_needs_both_fields_and_http11() {
    for (lines, wanted) in [
        (
            [
                "GET / HTTP/1.1",
                "Connection: keep-alive, Upgrade",
                "Upgrade: websocket",
            ],
            true,
        ),
        (
            [
                "GET / HTTP/1.1",
                "Connection: keep-alive",
                "Upgrade: websocket",
            ],
            false,
        ),
        (
            [
                "GET / HTTP/1.1",
                "Connection: upgrade",
                "X-Upgrade: websocket",
            ],
            false,
        ),
        (
            [
                "GET / HTTP/1.0",
                "Connection: upgrade",
                "Upgrade: websocket",
            ],
            false,
        ),
    ] {
        let input = head(&[lines[0], "Host: a", lines[1], lines[2]]);
        assert_eq!(read(input).head().upgrade, wanted, "{lines:?}");
    }
}

#[test]
fn target_form_must_fit_the_method() {
    for target in [
        "/",
        "//a",
        "/a?b=%zz&c",
        "/\"<>\\^`{|}~",
        "http://a",
        "HTTPS://a:8/b",
        "http://[::1]:8/?x",
    ] {
        let outcome = read(head(&[&format!("GET {target} HTTP/1.1"), "Host: a"]));
        assert_eq!(outcome.head().target, target.as_bytes());
    }
    for (method, target) in [
        ("OPTIONS", "*"),
        ("CONNECT", "a:443"),
        ("CONNECT", "[::1]:443"),
        ("get", "/"),
    ] {
        let outcome = read(head(&[&format!("{method} {target} HTTP/1.1"), "Host: a"]));
        assert_eq!(outcome.head().method, method.as_bytes());
    }
    for (method, target) in [
        ("GET", "*"),
        ("OPTIONS", "**"),
        ("GET", "a"),
        ("GET", "a:1"),
        ("GET", "?a"),
        ("GET", "http:/a"),
        ("GET", "http://"),
        ("GET", "http:///a"),
        ("GET", "http://u@a/"),
        ("GET", "ftp://a/"),
        ("GET", "ws://a/"),
        ("CONNECT", "/"),
        ("CONNECT", "a"),
        ("CONNECT", "a:"),
        ("CONNECT", "a:b"),
        ("CONNECT", ":1"),
        ("CONNECT", "http://a:1"),
        ("CONNECT", "a:99999"),
    ] {
        let input = head(&[&format!("{method} {target} HTTP/1.1"), "Host: a"]);
        assert_refused(input, Violation::TargetFormUnfit);
    }
}

#[test]
fn host_is_a_host_and_port_or_empty() {
    for host in [
        "",
        "a",
        "a.b-c_d~e",
        "127.0.0.1:8880",
        "a:",
        "a:65535",
        "[::1]",
        "[::1]:80",
        "[v1.a:b]",
        "%41",
    ] {
        read(head(&["GET / HTTP/1.1", &format!("Host: {host}")])).head();
    }
    for host in [
        ":80", "a:b", "a:65536", "a:1:2", "a b", "a,b c", "[::1", "::1", "[]", "[::1]x", "[::1]:x",
        "a/", "<script>", "a\\b", "[a%25b]", "\u{e9}",
    ] {
        assert_refused(
            head(&["GET / HTTP/1.1", &format!("Host: {host}")]),
            Violation::HostMalformed,
        );
    }
}

#[test]
fn host_may_be_missing_on_http10_only() {
    read(head(&["GET / HTTP/1.0"])).head();
    assert_refused(head(&["GET / HTTP/1.1"]), Violation::HostMissing);
    assert_refused(
        head(&["GET / HTTP/1.0", "Host: a", "Host: a"]),
        Violation::HostRepeated,
    );
    assert_refused(
        head(&["GET / HTTP/1.0", "Host: a b"]),
        Violation::HostMalformed,
    );
}

#[test]
fn one_empty_line_is_skipped_and_no_more() {
    let request = b"GET / HTTP/1.0\r\n\r\n";
    assert_eq!(read([b"\r\n", &request[..]].concat()).heads(), 1);
    assert_refused(
        [b"\r\n\r\n", &request[..]].concat(),
        Violation::EmptyLineRepeated,
    );
    assert_refused(b"\r\n\r", Violation::EmptyLineRepeated);
    assert_refused([b"\n", &request[..]].concat(), Violation::BareLineFeed);
    assert_refused([b"\r\n\n", &request[..]].concat(), Violation::BareLineFeed);
    assert_refused(
        [b"\r", &request[..]].concat(),
        Violation::BareCarriageReturn,
    );
    assert_refused([b" ", &request[..]].concat(), Violation::MethodMalformed);
}

#[test]
fn empty_line_is_skipped_before_each_request() {
    let outcome = read(b"\r\nGET /1 HTTP/1.0\r\n\r\n\r\nGET /2 HTTP/1.0\r\n\r\n\r\n");
    assert_eq!(outcome.heads(), 2);
    assert!(
        outcome.between && outcome.at_end.is_none(),
        "an empty line alone is nothing of a request"
    );
}

#[test]
fn receiver_waits_at_the_end_for_the_next_request_to_be_asked_for() {
    let limits = Limits::default();
    let mut receiver = Receiver::new();
    let input = b"GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n";
    let (consumed, _) = receiver.advance(input, &limits).unwrap();
    let rest = &input[consumed..];
    receiver.next_request();
    assert!(
        matches!(receiver.advance(rest, &limits), Ok((0, Step::End))),
        "too early, so without effect"
    );
    assert!(matches!(
        receiver.advance(rest, &limits),
        Ok((0, Step::NeedMore))
    ));
    assert!(receiver.is_complete());
    receiver.next_request();
    assert!(matches!(
        receiver.advance(rest, &limits),
        Ok((19, Step::Head(_)))
    ));
}

#[test]
fn pipelined_requests_come_one_at_a_time() {
    let input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20);
    let outcome = super::replay::replay([&input[..]].into_iter(), &Limits::default(), None);
    assert_eq!(outcome.heads(), 20);
    assert!(outcome
        .events
        .chunks(2)
        .all(|pair| matches!(pair, [Event::Head(_), Event::End])));
}

#[test]
fn state_is_told_through_a_request() {
    let limits = Limits::default();
    let mut receiver = Receiver::new();
    assert!(receiver.is_between_requests() && receiver.end_of_input().is_ok());
    assert_eq!(receiver.body_remaining(), Some(0));
    let input = b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nHelloX";
    receiver.advance(&input[..3], &limits).unwrap();
    assert!(!receiver.is_between_requests() && !receiver.in_body());
    assert_eq!(receiver.end_of_input(), Err(Violation::Truncated));
    let (head, _) = receiver.advance(input, &limits).unwrap();
    assert!(receiver.in_body());
    assert_eq!(receiver.body_remaining(), Some(5));
    let (consumed, _) = receiver.advance(&input[head..head + 2], &limits).unwrap();
    assert_eq!((consumed, receiver.body_remaining()), (2, Some(3)));
    assert_eq!(receiver.end_of_input(), Err(Violation::Truncated));
    let (consumed, _) = receiver.advance(&input[head + 2..], &limits).unwrap();
    assert_eq!((consumed, receiver.body_remaining()), (3, Some(0)));
    assert_eq!(receiver.end_of_input(), Ok(()));
}

#[test]
fn lone_cr_before_a_request_is_something_begun() {
    let limits = Limits::default();
    let mut receiver = Receiver::new();
    assert!(matches!(
        receiver.advance(b"\r", &limits),
        Ok((1, Step::NeedMore))
    ));
    assert!(!receiver.is_between_requests());
    assert_eq!(receiver.end_of_input(), Err(Violation::Truncated));
    assert!(matches!(
        receiver.advance(b"\n", &limits),
        Ok((1, Step::NeedMore))
    ));
    assert!(receiver.is_between_requests());
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = Limits {
        request_line: 20,
        header_bytes: 12,
        header_count: 3,
        ..Limits::default()
    };
    let first = |input: &[u8]| super::replay::every_way(input, &limits, None);
    for (input, violation) in [
        (&b"GET /123456 HTTP/1.0\r\n\r\n"[..], None),
        (
            b"GET /1234567 HTTP/1.0\r\n\r\n",
            Some(Violation::RequestLineTooLong),
        ),
        (b"GET / HTTP/1.0\r\nA:1\r\nB:1\r\nC:\r\n\r\n", None),
        (
            b"GET / HTTP/1.0\r\nA:1\r\nB:1\r\nC:1\r\n\r\n",
            Some(Violation::HeadersTooLarge),
        ),
        (b"GET / HTTP/1.0\r\nA:2345678901\r\n\r\n", None),
        (
            b"GET / HTTP/1.0\r\nA:23456789012\r\n\r\n",
            Some(Violation::HeadersTooLarge),
        ),
        (b"GET / HTTP/1.0\r\nA:2345678\t  \r\n\r\n", None),
        (
            b"GET / HTTP/1.0\r\nA:2345678\t   \r\n\r\n",
            Some(Violation::HeadersTooLarge),
        ),
        (b"GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n", None),
        (
            b"GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\nD",
            Some(Violation::TooManyHeaders),
        ),
        (
            b"GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n",
            Some(Violation::TooManyHeaders),
        ),
    ] {
        let outcome = first(input);
        assert_eq!(outcome.violation, violation, "{}", input.escape_ascii());
        assert_eq!(outcome.heads(), usize::from(outcome.violation.is_none()));
    }
}

/// What our parser takes, `httparse` takes and reads alike. Heads of all kinds, changed at
/// random places by bytes that matter.
#[test]
fn heads_are_read_as_another_parser_reads_them() {
    let seeds = [
        head(&[
            "GET /buy?a=1 HTTP/1.1",
            "Host: a:80",
            "X-Two:  spaced \t",
            "Empty:",
        ]),
        head(&[
            "POST http://a/b HTTP/1.1",
            "host: [::1]:8080",
            "Content-Length: 12",
            "X: \u{e9}\ta",
        ]),
        head(&[
            "OPTIONS * HTTP/1.0",
            "Connection: keep-alive, x",
            "A: 0123456789abcdef0123456789",
        ]),
        head(&[
            "CONNECT a:443 HTTP/1.1",
            "Host: a:443",
            "Transfer-Encoding: chunked",
        ]),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let bytes = b"\0\t\n\r \"#%(),/:;?@[]aZ09\x1f\x7f\x80\xff";
    let mut taken = 0;
    for round in 0..60_000 {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..random(3) {
            let (place, byte) = (random(input.len()), bytes[random(bytes.len())]);
            match random(3) {
                0 => input[place] = byte,
                1 => input.insert(place, byte),
                _ => drop(input.remove(place)),
            }
        }
        let ours = match Receiver::new().advance(&input, &Limits::default()) {
            Ok((_, Step::Head(head))) => head,
            _ => continue,
        };
        taken += 1;
        let mut slots = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut slots);
        // One empty line before the request is ours to skip, theirs to skip as well.
        assert!(request
            .parse(&input)
            .is_ok_and(|status| status.is_complete()));
        assert_eq!(request.method.unwrap().as_bytes(), ours.method());
        assert_eq!(request.path.unwrap().as_bytes(), ours.target());
        let theirs = request.headers.iter().map(|h| (h.name.as_bytes(), h.value));
        assert!(theirs.eq(ours.fields()), "{}", input.escape_ascii());
    }
    // The changes leave enough of them whole.
    assert!(taken > 20_000, "{taken}");
}
