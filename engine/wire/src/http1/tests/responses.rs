//! Responses: literal bytes, and a table of code, method, version and length read back as a client reads it.

use crate::{reason_phrase, Ended, Framed, RequestFacts, Responder, Version, Wrote};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn as_bytes<'a>(fields: Fields<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
    fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

fn facts(version: Version, method: &str, keep_alive: bool) -> RequestFacts {
    RequestFacts {
        version,
        head_method: method == "HEAD",
        keep_alive,
    }
}

fn get11() -> RequestFacts {
    facts(Version::Http11, "GET", true)
}

/// A whole response: its bytes, and what the three calls said.
fn respond(
    facts: RequestFacts,
    code: u16,
    fields: Fields<'_>,
    length: Option<u64>,
    body: &[&str],
) -> (String, Framed, Vec<Wrote>, Ended) {
    let mut out = Vec::new();
    let mut responder = Responder::new(facts);
    assert!(!responder.head_sent() && !responder.is_finished());
    let framed = responder.head(
        &mut out,
        code,
        reason_phrase(code),
        as_bytes(fields),
        length,
        false,
    );
    assert!(responder.head_sent() && !responder.is_finished());
    let wrote = body
        .iter()
        .map(|piece| responder.data(&mut out, piece.as_bytes()))
        .collect();
    let ended = responder.finish(&mut out, std::iter::empty());
    assert!(responder.is_finished());
    (String::from_utf8(out).unwrap(), framed, wrote, ended)
}

/// The head alone, without status line and empty line.
fn head_lines(
    facts: RequestFacts,
    code: u16,
    fields: Fields<'_>,
    length: Option<u64>,
) -> Vec<String> {
    let mut out = Vec::new();
    Responder::new(facts).head(&mut out, code, b"", as_bytes(fields), length, false);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("\r\n\r\n"));
    text.trim_end_matches("\r\n")
        .split("\r\n")
        .skip(1)
        .map(str::to_owned)
        .collect()
}

#[test]
fn known_length_is_told() {
    let fields = [("Content-Type", "text/html")];
    let (text, framed, wrote, ended) = respond(get11(), 402, &fields, Some(5), &["Hello"]);
    assert_eq!(
        text,
        "HTTP/1.1 402 Payment Required\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nHello"
    );
    assert_eq!(
        framed,
        Framed {
            close: false,
            body_forbidden: false
        }
    );
    assert_eq!(wrote, [Wrote::All]);
    assert_eq!(
        ended,
        Ended {
            close: false,
            short: false
        }
    );
}

#[test]
fn streamed_body_is_chunked_on_http11() {
    let long = "x".repeat(300);
    let (text, _, _, ended) = respond(get11(), 200, &[], None, &["Hello", "", &long]);
    let body = format!("5\r\nHello\r\n12c\r\n{long}\r\n0\r\n\r\n");
    assert_eq!(
        text,
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    );
    assert!(!ended.close);
}

#[test]
fn streamed_body_ends_with_the_connection_on_http10() {
    let old = facts(Version::Http10, "GET", true);
    let (text, framed, _, ended) = respond(old, 200, &[], None, &["Hello", "World"]);
    assert_eq!(
        text,
        "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nHelloWorld"
    );
    assert!(framed.close && ended.close && !ended.short);
}

#[test]
fn http10_persists_when_both_want_it() {
    let lines =
        |keep_alive| head_lines(facts(Version::Http10, "GET", keep_alive), 200, &[], Some(1));
    assert_eq!(lines(true), ["Content-Length: 1", "Connection: keep-alive"]);
    assert_eq!(lines(false), ["Content-Length: 1", "Connection: close"]);
}

#[test]
fn programs_length_is_honoured_when_streaming() {
    for (value, expected) in [
        ("5", &["Content-Length: 5"][..]),
        ("005", &["Content-Length: 005"]),
        ("+5", &["Transfer-Encoding: chunked"]),
        ("5,5", &["Transfer-Encoding: chunked"]),
        ("", &["Transfer-Encoding: chunked"]),
        ("99999999999999999999", &["Transfer-Encoding: chunked"]),
    ] {
        assert_eq!(
            head_lines(get11(), 200, &[("content-length", value)], None)
                .join("|")
                .to_lowercase(),
            expected.join("|").to_lowercase()
        );
    }
}

#[test]
fn wrong_or_repeated_lengths_of_the_program_are_corrected() {
    let lines = |fields, length| head_lines(get11(), 200, fields, length);
    assert_eq!(
        lines(&[("Content-Length", "7")], Some(5)),
        ["Content-Length: 5"]
    );
    assert_eq!(
        lines(
            &[("Content-Length", "7"), ("Content-Length", "5"), ("A", "b")],
            Some(5)
        ),
        ["Content-Length: 5", "A: b"]
    );
    assert_eq!(
        lines(&[("Content-Length", "5"), ("Content-Length", "6")], None),
        ["Content-Length: 5"]
    );
}

#[test]
fn head_keeps_the_programs_length() {
    let head = facts(Version::Http11, "HEAD", true);
    assert_eq!(
        head_lines(head, 200, &[("Content-Length", "7")], Some(0)),
        ["Content-Length: 7"]
    );
    assert_eq!(
        head_lines(head, 200, &[("Content-Length", "x")], Some(3)),
        ["Content-Length: 3"]
    );
    assert!(head_lines(head, 200, &[], None).is_empty());
    assert_eq!(
        head_lines(head, 205, &[("Content-Length", "7")], None),
        ["Content-Length: 0"]
    );
    let (text, framed, wrote, ended) = respond(head, 200, &[], Some(5), &["Hello"]);
    assert_eq!(text, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert!(framed.body_forbidden && !ended.close && !ended.short);
    assert_eq!(wrote, [Wrote::Dropped]);
}

#[test]
fn code_decides_about_length_and_body() {
    let stated = [("Content-Length", "7")];
    for (code, known, program, expected) in [
        (204, Some(5), &[][..], vec![]),
        (204, None, &stated, vec![]),
        (304, Some(0), &[], vec![]),
        (304, Some(0), &stated, vec!["Content-Length: 7"]),
        (304, None, &[], vec![]),
        (205, Some(5), &[], vec!["Content-Length: 0"]),
        (205, None, &stated, vec!["Content-Length: 0"]),
        (
            205,
            Some(0),
            &[("Content-Length", "0")],
            vec!["Content-Length: 0"],
        ),
        (101, Some(5), &stated, vec![]),
    ] {
        assert_eq!(
            head_lines(get11(), code, program, known),
            expected,
            "{code} {known:?} {program:?}"
        );
        let (text, framed, wrote, _) = respond(get11(), code, program, known, &["Hello"]);
        assert!(framed.body_forbidden && wrote == [Wrote::Dropped] && text.ends_with("\r\n\r\n"));
    }
}

#[test]
fn programs_framing_and_persistence_fields_are_ours() {
    let fields = [
        ("TRANSFER-ENCODING", "gzip, chunked"),
        ("Keep-Alive", "timeout=5"),
        ("Connection", "keep-alive, Upgrade, , HTTP2-Settings"),
        ("connection", "keep-alive"),
        ("Keep-Aliv", "a"),
    ];
    let lines = head_lines(get11(), 200, &fields, Some(0));
    assert_eq!(
        lines,
        [
            "Connection: Upgrade, HTTP2-Settings",
            "Keep-Aliv: a",
            "Content-Length: 0"
        ]
    );
}

#[test]
fn close_is_obeyed_from_all_three_sides() {
    let close = |facts, fields: Fields<'_>, server| {
        let mut out = Vec::new();
        let framed =
            Responder::new(facts).head(&mut out, 200, b"", as_bytes(fields), Some(0), server);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("close").count(), usize::from(framed.close));
        framed.close
    };
    assert!(!close(get11(), &[], false));
    assert!(close(get11(), &[], true));
    assert!(close(facts(Version::Http11, "GET", false), &[], false));
    assert!(close(get11(), &[("connection", "te, Close")], false));
    assert!(close(get11(), &[("Connection", "keep-alive")], true));
}

#[test]
fn switching_protocols_leaves_the_connection_alone() {
    let fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    let old = facts(Version::Http10, "GET", true);
    assert_eq!(
        head_lines(old, 101, &fields, None),
        ["Connection: Upgrade", "Upgrade: websocket"]
    );
    for keep_alive in [true, false] {
        let mut out = Vec::new();
        let mut responder = Responder::new(facts(Version::Http11, "GET", keep_alive));
        let framed = responder.head(
            &mut out,
            101,
            b"Switching Protocols",
            as_bytes(&fields),
            None,
            true,
        );
        assert!(!framed.close && framed.body_forbidden);
        let text =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn interim_responses_come_before_the_final_one_and_on_http11_only() {
    let mut out = Vec::new();
    let fields = [
        ("Link", "</a>; rel=preload"),
        ("Content-Length", "5"),
        ("Connection", "close"),
    ];
    let mut responder = Responder::new(get11());
    assert!(responder.interim(&mut out, 103, b"Early Hints", as_bytes(&fields)));
    assert!(responder.interim(&mut out, 100, b"Continue", as_bytes(&[])));
    let expected =
        "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let mut out = Vec::new();
    for code in [0, 99, 101, 200, 999] {
        assert!(!responder.interim(&mut out, code, b"", as_bytes(&[])));
    }
    assert!(
        !Responder::new(facts(Version::Http10, "GET", true)).interim(
            &mut out,
            100,
            b"",
            as_bytes(&[])
        )
    );
    assert!(out.is_empty() && !responder.head_sent());
    responder.head(&mut out, 200, b"OK", as_bytes(&[]), Some(0), false);
    assert!(!responder.interim(&mut out, 100, b"", as_bytes(&[])));
}

#[test]
fn body_over_its_declared_length_is_cut() {
    let (text, _, wrote, ended) = respond(
        get11(),
        200,
        &[("Content-Length", "7")],
        None,
        &["Hello", "World", "!"],
    );
    assert!(text.ends_with("\r\n\r\nHelloWo"));
    assert_eq!(wrote, [Wrote::All, Wrote::Overrun, Wrote::Overrun]);
    assert_eq!(
        ended,
        Ended {
            close: false,
            short: false
        }
    );
}

#[test]
fn body_under_its_declared_length_closes() {
    let (_, framed, _, ended) = respond(get11(), 200, &[("Content-Length", "7")], None, &["Hello"]);
    assert!(!framed.close);
    assert_eq!(
        ended,
        Ended {
            close: true,
            short: true
        }
    );
}

#[test]
fn calls_out_of_order_are_harmless() {
    let mut out = Vec::new();
    let mut responder = Responder::new(get11());
    assert_eq!(responder.data(&mut out, b"early"), Wrote::Dropped);
    assert_eq!(responder.frame_data(&mut out, 5).take, 0);
    responder.head(&mut out, 200, b"OK", as_bytes(&[]), None, false);
    let length = out.len();
    responder.head(&mut out, 500, b"again", as_bytes(&[]), Some(3), true);
    assert_eq!(out.len(), length);
    let ended = responder.finish(&mut out, as_bytes(&[]));
    let length = out.len();
    assert_eq!(responder.finish(&mut out, as_bytes(&[])), ended);
    assert_eq!(responder.data(&mut out, b"late"), Wrote::Dropped);
    assert_eq!(out.len(), length);
    assert!(
        Responder::new(get11())
            .finish(&mut out, as_bytes(&[]))
            .close,
        "no head, so nothing a client could read"
    );
}

#[test]
fn code_out_of_range_is_a_500_and_an_interim_one_as_final_closes() {
    for code in [0, 99, 1000, u16::MAX] {
        let (text, ..) = respond(get11(), code, &[], Some(0), &[]);
        assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
    }
    let (text, framed, ..) = respond(get11(), 103, &[], Some(5), &["Hello"]);
    assert!(framed.close && text.ends_with("Connection: close\r\n\r\n"));
    assert!(respond(get11(), 999, &[], Some(0), &[])
        .0
        .starts_with("HTTP/1.1 999 \r\n"));
}

#[test]
fn trailers_follow_chunks_only_and_frame_nothing() {
    let trailers = [
        ("X-Sum", "1"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "x"),
        ("Host", "a"),
        ("Trailer", "b"),
    ];
    let ending = |length| {
        let (mut out, mut responder) = (Vec::new(), Responder::new(get11()));
        responder.head(&mut out, 200, b"OK", as_bytes(&[]), length, false);
        out.clear();
        responder.finish(&mut out, as_bytes(&trailers));
        String::from_utf8(out).unwrap()
    };
    assert_eq!(ending(None), "0\r\nX-Sum: 1\r\n\r\n");
    assert_eq!(ending(Some(0)), "");
}

#[test]
fn large_data_is_framed_without_a_copy() {
    let (mut out, mut responder) = (Vec::new(), Responder::new(get11()));
    responder.head(&mut out, 200, b"OK", as_bytes(&[]), None, false);
    out.clear();
    let span = responder.frame_data(&mut out, 0x12345);
    assert_eq!(
        (out.as_slice(), span.take, span.suffix),
        (&b"12345\r\n"[..], 0x12345, &b"\r\n"[..])
    );
    out.clear();
    assert_eq!(
        (responder.frame_data(&mut out, 0).suffix, out.len()),
        (&b""[..], 0)
    );
    let mut responder = Responder::new(get11());
    responder.head(&mut out, 200, b"OK", as_bytes(&[]), Some(10), false);
    out.clear();
    assert_eq!(
        (
            responder.frame_data(&mut out, 7).take,
            responder.frame_data(&mut out, 7).take
        ),
        (7, 3)
    );
    assert!(out.is_empty());
}

/// Reads a response as RFC 9112 section 6.3 has a client do it: gives its body, and whether that is sure to be all.
fn read_as_client(text: &str, method: &str, code: u16) -> (String, bool) {
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    let values = |wanted: &str| -> Vec<&str> {
        let fields = head
            .split("\r\n")
            .skip(1)
            .map(|line| line.split_once(": ").unwrap());
        fields
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
            .collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{head}");
    assert_eq!(codings.is_empty(), !head.contains("chunked"));
    if code < 200 || code == 204 {
        assert!(
            lengths.is_empty() && codings.is_empty(),
            "RFC 9110 section 8.6 and RFC 9112 section 6.1: {head}"
        );
    }
    if method == "HEAD" || code < 200 || code == 204 || code == 304 {
        assert!(rest.is_empty() && codings.is_empty(), "{text}");
        return (String::new(), true);
    }
    if let [length] = lengths[..] {
        assert!(rest.len() <= length.parse().unwrap());
        return (rest.to_owned(), rest.len() == length.parse().unwrap());
    }
    if codings.is_empty() {
        return (rest.to_owned(), values("connection") == ["close"]);
    }
    assert!(!head.starts_with("HTTP/1.0"));
    let (mut body, mut rest) = (String::new(), rest);
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let (data, after) = after.split_at(usize::from_str_radix(size, 16).unwrap());
        body += data;
        rest = after.strip_prefix("\r\n").unwrap();
        if size == "0" {
            assert_eq!(rest, "");
            return (body, true);
        }
    }
}

#[test]
fn whatever_the_program_does_a_client_reads_it_right() {
    let codes = [
        100, 101, 103, 200, 201, 204, 205, 206, 299, 302, 304, 400, 402, 404, 418, 500, 599, 999,
    ];
    let lies: [Fields<'_>; 6] = [
        &[],
        &[("Content-Length", "5")],
        &[("Content-Length", "7")],
        &[("Content-Length", "x"), ("content-length", "3")],
        &[
            ("Transfer-Encoding", "chunked"),
            ("Connection", "keep-alive"),
        ],
        &[
            ("Content-Length", "0"),
            ("Transfer-Encoding", "identity"),
            ("Connection", "close"),
        ],
    ];
    let mut tried = 0;
    for code in codes {
        for (version, method, keep_alive) in [Version::Http10, Version::Http11]
            .into_iter()
            .flat_map(|version| ["GET", "HEAD"].map(|method| (version, method)))
            .flat_map(|(version, method)| [true, false].map(|keep| (version, method, keep)))
        {
            for (fields, length) in lies
                .iter()
                .flat_map(|lie| [None, Some(5)].map(|length| (lie, length)))
            {
                let facts = facts(version, method, keep_alive);
                let (text, framed, wrote, ended) =
                    respond(facts, code, fields, length, &["Hel", "lo"]);
                let (body, complete) = read_as_client(&text, method, code);
                assert!("Hello".starts_with(&body), "{text}");
                assert_eq!(
                    framed.body_forbidden,
                    wrote == [Wrote::Dropped; 2],
                    "{text}"
                );
                assert!(complete || ended.close, "{text}");
                assert_eq!(ended.short, !complete && !framed.body_forbidden, "{text}");
                assert_eq!(text.contains("Connection: close"), framed.close, "{text}");
                if length == Some(5) && !framed.body_forbidden {
                    assert_eq!(body, "Hello", "a known body arrives whole: {text}");
                }
                assert!(!framed.close || ended.close);
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 18 * 8 * 12);
}

#[test]
fn registered_codes_have_their_phrases() {
    assert_eq!(
        (100..=999)
            .filter(|&code| !reason_phrase(code).is_empty())
            .count(),
        63
    );
    for (code, phrase) in [
        (200, "OK"),
        (402, "Payment Required"),
        (451, "Unavailable For Legal Reasons"),
        (299, ""),
    ] {
        assert_eq!(reason_phrase(code), phrase.as_bytes());
    }
}
