//! Bodies, by length and chunked.

use super::replay::{assert_refused, every_way, read, replay, Event, Outcome};
use crate::{Framing, Limits, Receiver, Step, Violation};

const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    [CHUNKED, body.as_ref()].concat()
}

fn with_limit(input: &[u8], limit: u64) -> Outcome {
    every_way(input, &Limits::default(), Some(limit))
}

#[test]
fn body_by_length_ends_where_it_says() {
    let outcome = read(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nHelloGET / HTTP/1.0\r\n\r\n");
    assert_eq!(outcome.body(), b"Hello");
    assert_eq!(outcome.heads(), 2);
    assert_eq!(outcome.head().framing, Framing::Length(5));
    let order: Vec<_> = outcome.events.iter().map(std::mem::discriminant).collect();
    assert_eq!(order[1], std::mem::discriminant(&Event::Data(vec![])));
    assert_eq!(order[2], std::mem::discriminant(&Event::End));
}

#[test]
fn length_zero_ends_at_once() {
    let outcome = read(b"POST / HTTP/1.0\r\nContent-Length: 000\r\n\r\n");
    assert_eq!(outcome.head().framing, Framing::Length(0));
    assert_eq!(outcome.events.len(), 2);
}

#[test]
fn chunked_body_is_put_together() {
    for (body, expected) in [
        ("0\r\n\r\n", ""),
        ("5\r\nHello\r\n0\r\n\r\n", "Hello"),
        ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
        ("00000a\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
        ("A;x\r\n0123456789\r\n0;y=\"\t;\"\r\n\r\n", "0123456789"),
        ("a;\r\n0123456789\r\n0\r\nA: b\r\nC:\r\n\r\n", "0123456789"),
        ("3;\u{e9}\r\n\r\n\n\r\n0\r\n\r\n", "\r\n\n"),
    ] {
        let outcome = read(chunked(body));
        assert_eq!(outcome.violation, None, "{body:?}");
        assert_eq!(outcome.body(), expected.as_bytes(), "{body:?}");
        assert_eq!(outcome.head().framing, Framing::Chunked);
        assert!(outcome.between, "{body:?}");
        assert_eq!(outcome.events.last(), Some(&Event::End));
    }
}

#[test]
fn coding_name_is_case_insensitive() {
    let outcome = read(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tCHUNKED \r\n\r\n1\r\na\r\n0\r\n\r\n",
    );
    assert_eq!(outcome.body(), b"a");
}

#[test]
fn chunk_framing_is_checked_byte_by_byte() {
    for (body, violation) in [
        ("\r\n", Violation::ChunkSizeMalformed),
        (";a\r\n", Violation::ChunkSizeMalformed),
        ("\n", Violation::ChunkSizeMalformed),
        ("g\r\n", Violation::ChunkSizeMalformed),
        ("5\n", Violation::BareLineFeed),
        ("5\rX", Violation::BareCarriageReturn),
        ("5;a\n", Violation::BareLineFeed),
        ("5;\0", Violation::ChunkExtensionMalformed),
        ("5;\x7f", Violation::ChunkExtensionMalformed),
        ("1\r\na\n", Violation::ChunkUnterminated),
        ("1\r\na\r\r", Violation::ChunkUnterminated),
        ("1\r\nab", Violation::ChunkUnterminated),
        ("0\r\n\n", Violation::BareLineFeed),
        ("0\r\n\rX", Violation::BareCarriageReturn),
        ("0\r\n A: b\r\n", Violation::TrailerMalformed),
        ("0\r\nA: b\r\n c\r\n", Violation::TrailerMalformed),
        ("0\r\nA : b\r\n", Violation::TrailerMalformed),
        ("0\r\n: b\r\n", Violation::TrailerMalformed),
        ("0\r\nA\r\n", Violation::TrailerMalformed),
        ("0\r\nA: \0\r\n", Violation::TrailerMalformed),
        ("0\r\nA: b\n", Violation::BareLineFeed),
        ("0\r\nA\n", Violation::BareLineFeed),
        ("0\r\nA: b\rX", Violation::BareCarriageReturn),
    ] {
        assert_refused(chunked(body), violation);
    }
}

#[test]
fn chunk_size_takes_sixteen_digits() {
    let outcome = read(chunked("0000000000000001\r\na\r\n0\r\n\r\n"));
    assert_eq!(outcome.body(), b"a");
    assert_refused(
        chunked("00000000000000001\r\n"),
        Violation::ChunkSizeMalformed,
    );
    let outcome = read(chunked("ffffffffffffffff\r\nabc"));
    assert_eq!(
        (outcome.body().as_slice(), outcome.violation),
        (&b"abc"[..], None)
    );
}

#[test]
fn chunks_together_cannot_overflow() {
    // A first chunk can't really end after 2^64-2 bytes; the sum is what is tested.
    let limits = Limits::default();
    let mut receiver = Receiver::new();
    receiver.advance(CHUNKED, &limits).unwrap();
    assert!(matches!(
        receiver.advance(b"1\r\na\r\n", &limits),
        Ok((4, Step::Data(_)))
    ));
    receiver.advance(b"\r\n", &limits).unwrap();
    assert_eq!(
        receiver
            .advance(b"ffffffffffffffff\r", &limits)
            .unwrap_err(),
        Violation::BodyTooLarge
    );
}

#[test]
fn chunk_line_limit_holds_to_the_byte() {
    let limits = Limits {
        chunk_line: 8,
        ..Limits::default()
    };
    let fine = every_way(&chunked("1;345678\r\na\r\n0;345678\r\n\r\n"), &limits, None);
    assert_eq!((fine.violation, fine.body().as_slice()), (None, &b"a"[..]));
    let long = every_way(&chunked("1;3456789\r\na\r\n"), &limits, None);
    assert_eq!(long.violation, Some(Violation::ChunkLineTooLong));
}

#[test]
fn trailer_limits_hold_to_the_byte() {
    let limits = Limits {
        trailer_bytes: 10,
        header_count: 3,
        ..Limits::default()
    };
    for (trailers, violation) in [
        ("A:1\r\nB:2\r\n", None),
        ("A:1\r\nB:23\r\n", Some(Violation::TrailersTooLarge)),
    ] {
        let outcome = every_way(&chunked(format!("0\r\n{trailers}\r\n")), &limits, None);
        assert_eq!(outcome.violation, violation, "{trailers:?}");
    }
    let limits = Limits {
        header_count: 3,
        ..Limits::default()
    };
    assert_eq!(
        every_way(&chunked("0\r\nA:\r\nB:\r\nC:\r\n\r\n"), &limits, None).violation,
        None
    );
    let outcome = every_way(&chunked("0\r\nA:\r\nB:\r\nC:\r\nD"), &limits, None);
    assert_eq!(outcome.violation, Some(Violation::TrailersTooLarge));
}

#[test]
fn declared_body_over_its_limit_is_refused_before_it_comes() {
    let outcome = with_limit(b"POST / HTTP/1.0\r\nContent-Length: 6\r\n\r\n", 5);
    assert_eq!(outcome.violation, Some(Violation::BodyTooLarge));
    assert_eq!(Violation::BodyTooLarge.status(), 413);
    let outcome = with_limit(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nHello", 5);
    assert_eq!(
        (outcome.violation, outcome.body().as_slice()),
        (None, &b"Hello"[..])
    );
}

#[test]
fn chunked_body_over_its_limit_is_refused_with_the_size_line() {
    let fine = with_limit(&chunked("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), 5);
    assert_eq!(
        (fine.violation, fine.body().as_slice()),
        (None, &b"abcde"[..])
    );
    let outcome = with_limit(&chunked("2\r\nab\r\n4\r"), 5);
    assert_eq!(
        (outcome.violation, outcome.body().as_slice()),
        (Some(Violation::BodyTooLarge), &b"ab"[..])
    );
}

#[test]
fn body_limit_ends_with_its_request() {
    let mut receiver = Receiver::new();
    let limits = Limits::default();
    let request = b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc";
    for limit in [Some(3), None] {
        let (head, _) = receiver.advance(request, &limits).unwrap();
        if limit.is_some() {
            receiver.set_body_limit(limit);
        }
        assert!(matches!(
            receiver.advance(&request[head..], &limits),
            Ok((3, Step::Data(_)))
        ));
        assert!(matches!(receiver.advance(b"", &limits), Ok((0, Step::End))));
        receiver.next_request();
    }
    receiver.advance(request, &limits).unwrap();
    receiver.set_body_limit(Some(2));
    assert_eq!(
        receiver.advance(b"", &limits).unwrap_err(),
        Violation::BodyTooLarge
    );
}

#[test]
fn chunked_body_has_no_known_remainder() {
    let mut receiver = Receiver::new();
    receiver.advance(CHUNKED, &Limits::default()).unwrap();
    assert_eq!(receiver.body_remaining(), None);
}

#[test]
fn large_body_passes_in_one_step() {
    let mut input = b"POST / HTTP/1.0\r\nContent-Length: 65536\r\n\r\n".to_vec();
    let head = input.len();
    input.resize(head + 65536, b'x');
    let mut receiver = Receiver::new();
    receiver.advance(&input, &Limits::default()).unwrap();
    let (consumed, step) = receiver
        .advance(&input[head..], &Limits::default())
        .unwrap();
    assert!(matches!(step, Step::Data(range) if range == (0..65536)) && consumed == 65536);
}

#[test]
fn one_byte_chunks_cost_one_step_each() {
    // P19: ten megabytes would be the same; what counts is that no step looks at bytes behind its piece.
    let count = 20_000;
    let body = "1\r\na\r\n".repeat(count) + "0\r\n\r\n";
    let mut receiver = Receiver::new();
    receiver.advance(CHUNKED, &Limits::default()).unwrap();
    let (mut at, mut steps, mut data) = (0, 0, 0);
    loop {
        let (consumed, step) = receiver
            .advance(&body.as_bytes()[at..], &Limits::default())
            .unwrap();
        assert!(
            consumed <= 8,
            "consumed what it passed over, and passed over no more"
        );
        at += consumed;
        steps += 1;
        match step {
            Step::Data(range) => data += range.len(),
            Step::End => break,
            _ => panic!(),
        }
    }
    assert_eq!((data, steps, at), (count, count + 1, body.len()));
}

#[test]
fn random_cuts_of_a_long_conversation_change_nothing() {
    let conversation = [
        &b"\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nHello world"[..],
        &chunked("5;x=y\r\nHello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n"),
        b"GET /2 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
    ]
    .concat()
    .repeat(20);
    let whole = replay([&conversation[..]].into_iter(), &Limits::default(), None);
    assert_eq!((whole.heads(), whole.violation), (60, None));
    // A linear congruential generator, so that the cuts are the same at each run.
    let mut state = 1u64;
    for _ in 0..12 {
        let mut rest = &conversation[..];
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let (piece, after) = rest.split_at(rest.len().min((state >> 33) as usize % 97));
            pieces.push(piece);
            rest = after;
        }
        assert_eq!(replay(pieces.into_iter(), &Limits::default(), None), whole);
    }
}
