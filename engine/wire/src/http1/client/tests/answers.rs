//! What answers are read as, and which are refused.

use super::super::{Delimiter, ResponseReceiver};
use super::replay::{every_way, read, Event, Outcome};
use crate::{Limits, Violation};

fn delimiter(outcome: &Outcome) -> (Delimiter, bool) {
    match outcome.events.first() {
        Some(Event::Head {
            delimiter,
            keep_alive,
            ..
        }) => (*delimiter, *keep_alive),
        other => panic!("no head: {other:?}"),
    }
}

fn body(outcome: &Outcome) -> Vec<u8> {
    let data = outcome.events.iter().filter_map(|event| match event {
        Event::Data(data) => Some(data.as_slice()),
        _ => None,
    });
    data.collect::<Vec<_>>().concat()
}

#[test]
fn body_of_declared_length_ends_the_answer() {
    let outcome = read("HTTP/1.1 402 Payment Required\r\nContent-Length: 5\r\nA: b \r\n\r\nhello");
    assert_eq!(delimiter(&outcome), (Delimiter::Length(5), true));
    assert_eq!(body(&outcome), b"hello");
    assert_eq!(outcome.events.last(), Some(&Event::End));
    assert_eq!(outcome.at_end, Some(Ok(false)));
    match &outcome.events[0] {
        Event::Head {
            code,
            reason,
            fields,
            ..
        } => {
            assert_eq!((*code, reason.as_slice()), (402, &b"Payment Required"[..]));
            assert_eq!(fields[1], (b"A".to_vec(), b"b".to_vec()));
        }
        _ => unreachable!(),
    }
}

#[test]
fn reason_may_be_empty_or_missing() {
    for input in ["HTTP/1.1 204 \r\n\r\n", "HTTP/1.1 204\r\n\r\n"] {
        match &read(input).events[..] {
            [Event::Head {
                code: 204, reason, ..
            }, Event::End] => assert!(reason.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn chunks_and_trailers_are_read() {
    let outcome = read(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nSum: 1 \r\nB:2\r\n\r\n",
    );
    assert_eq!(body(&outcome), b"abcde");
    let trailers = [
        (b"Sum".to_vec(), b"1".to_vec()),
        (b"B".to_vec(), b"2".to_vec()),
    ];
    assert_eq!(outcome.trailers, trailers);
    assert_eq!(outcome.at_end, Some(Ok(false)));
}

#[test]
fn answer_without_length_ends_with_the_connection() {
    let outcome = read("HTTP/1.1 200 OK\r\n\r\nsome");
    assert_eq!(delimiter(&outcome), (Delimiter::Close, false));
    assert_eq!(body(&outcome), b"some");
    assert_eq!(outcome.at_end, Some(Ok(true)));
}

#[test]
fn codes_and_head_say_that_there_is_no_body() {
    for (input, head) in [
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", true),
    ] {
        let outcome = every_way(input.as_bytes(), head, &Limits::default());
        assert_eq!(delimiter(&outcome), (Delimiter::None, true), "{input}");
        assert_eq!(outcome.events.len(), 2);
    }
}

#[test]
fn interim_answers_come_before_the_final_one() {
    let outcome = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(
        outcome.events[..2],
        [Event::Interim(100), Event::Interim(103)]
    );
    assert_eq!(outcome.events.last(), Some(&Event::End));
    let endless = "HTTP/1.1 102 Processing\r\n\r\n".repeat(33);
    assert_eq!(read(endless).violation, Some(Violation::TooManyInterim));
}

#[test]
fn connection_persists_as_the_answer_says() {
    for (fields, version, persists) in [
        ("", "1.1", true),
        ("", "1.0", false),
        ("Connection: keep-alive\r\n", "1.0", true),
        ("Connection: Close\r\n", "1.1", false),
        (
            "Connection: x, close\r\nConnection: keep-alive\r\n",
            "1.1",
            false,
        ),
    ] {
        let input = format!("HTTP/{version} 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        assert_eq!(delimiter(&read(&input)).1, persists, "{input}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for (input, violation) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            Violation::ContentLengthRepeated,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            Violation::ContentLengthRepeated,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
            Violation::ContentLengthMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            Violation::ContentLengthMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            Violation::ContentLengthMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Violation::ContentLengthMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            Violation::LengthAndCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            Violation::CodingRepeated,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            Violation::CodingMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            Violation::CodingUnknown,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Violation::CodingOnHttp10,
        ),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", Violation::BareLineFeed),
        (
            "HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n",
            Violation::BareLineFeed,
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            Violation::FieldFolded,
        ),
        (
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            Violation::FieldNameMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            Violation::FieldValueMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
            Violation::FieldValueMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
            Violation::ChunkUnterminated,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
            Violation::ChunkSizeMalformed,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n",
            Violation::BareLineFeed,
        ),
    ] {
        assert_eq!(read(input).violation, Some(violation), "{input:?}");
    }
}

#[test]
fn what_is_no_status_line_is_refused() {
    for input in [
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "\x15\x03\x01",
        "<html>",
    ] {
        let found = read(input).violation;
        assert_eq!(found, Some(Violation::StatusLineMalformed), "{input:?}");
    }
}

#[test]
fn large_heads_are_refused_at_the_first_byte_too_many() {
    let limits = Limits {
        request_line: 20,
        header_bytes: 12,
        header_count: 2,
        ..Limits::default()
    };
    for (input, violation) in [
        ("HTTP/1.1 200 123456\r\nA: 34\r\nB: 01\r\n\r\n", None),
        ("HTTP/1.1 200 12345678", Some(Violation::StatusLineTooLong)),
        ("HTTP/1.1 200 1\r\nA: 45678901\r\n\r\n", None),
        (
            "HTTP/1.1 200 1\r\nA: 4567890123",
            Some(Violation::HeadersTooLarge),
        ),
        (
            "HTTP/1.1 200 1\r\nA:\r\nB:\r\nC",
            Some(Violation::TooManyHeaders),
        ),
    ] {
        assert_eq!(
            every_way(input.as_bytes(), false, &limits).violation,
            violation,
            "{input:?}"
        );
    }
}

#[test]
fn answer_that_ends_early_is_no_answer() {
    for input in [
        "",
        "HTTP/1.1 200 OK\r\nA",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    ] {
        assert_eq!(
            read(input).at_end,
            Some(Err(Violation::AnswerTruncated)),
            "{input:?}"
        );
    }
}

#[test]
fn bytes_behind_an_answer_were_not_asked_for() {
    let outcome =
        read("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(outcome.violation, Some(Violation::AnswerUnasked));
    let mut resting = ResponseReceiver::new();
    let early = resting.advance(b"H", &Limits::default());
    assert_eq!(early.unwrap_err(), Violation::AnswerUnasked);
}

#[test]
fn receiver_knows_whether_anything_has_come() {
    let mut receiver = ResponseReceiver::new();
    assert!(receiver.is_at_rest() && !receiver.is_untouched());
    receiver.begin(false);
    assert!(receiver.is_untouched());
    receiver.advance(b"H", &Limits::default()).unwrap();
    assert!(!receiver.is_untouched() && !receiver.is_at_rest());
}

#[test]
fn receiver_reads_one_answer_after_another() {
    let mut receiver = ResponseReceiver::new();
    for _ in 0..3 {
        receiver.begin(false);
        let input = b"HTTP/1.1 204 No Content\r\n\r\n";
        let (consumed, _) = receiver.advance(input, &Limits::default()).unwrap();
        assert_eq!(consumed, input.len());
        receiver.advance(b"", &Limits::default()).unwrap();
        assert!(receiver.is_at_rest());
    }
}
