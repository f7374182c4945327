//! Which offence is named when there are several must not depend on how the bytes came.

use super::replay::every_way;
use crate::{Limits, Violation};

/// Small limits, so that short inputs reach them.
fn tight() -> Limits {
    Limits {
        request_line: 24,
        header_bytes: 24,
        header_count: 2,
        chunk_line: 6,
        trailer_bytes: 12,
    }
}

#[test]
fn earlier_of_two_offences_is_named() {
    for (input, violation) in [
        ("GET a HTTP/1.1\r\nA\n", Violation::TargetFormUnfit),
        ("GET / HTTP/1.1\r\nA\r\nB\n", Violation::ColonMissing),
        (
            "GET / HTTP/1.1\r\nB\n\r\nA\r\n\r\n",
            Violation::BareLineFeed,
        ),
        ("G\u{e9}T / HTTP/1.1\n", Violation::MethodMalformed),
        ("GET / HTTP/9.9\r\nA: \r\r\n", Violation::VersionUnsupported),
        (
            "GET / HTTP/1.1\r\nHost: a b\r\nA\n",
            Violation::BareLineFeed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a b\r\nHost: b\r\n\r\n",
            Violation::HostMalformed,
        ),
        (
            "GET /12345678901234567890\u{e9}\n",
            Violation::RequestLineTooLong,
        ),
        (
            "GGGGGGGGGGGGGGGGGGGGGGGGGGGG\0",
            Violation::RequestLineTooLong,
        ),
        ("GGGGGGGGGGGGGGGGGGGGGGGG\0", Violation::MethodMalformed),
        ("GGGGGGGGGGGGGGGGGGGGGGGGG\0", Violation::RequestLineTooLong),
        (
            "GET / HTTP/1.1\r\nA:\r\nB:\r\nC\n",
            Violation::TooManyHeaders,
        ),
        ("GET / HTTP/1.1\r\nA:\r\nB:\r\n\n", Violation::BareLineFeed),
        (
            "GET / HTTP/1.1\r\nA:0123456789012345678901\nB",
            Violation::BareLineFeed,
        ),
        (
            "GET / HTTP/1.1\r\nA:01234567890123456789012\nB",
            Violation::HeadersTooLarge,
        ),
        (
            "GET / HTTP/1.1\r\nA:0123456789012345678901\r\nC: d",
            Violation::HeadersTooLarge,
        ),
        (
            "GET / HTTP/1.1\r\nA:\r\nB:012345678901234567\r\nC:",
            Violation::TooManyHeaders,
        ),
    ] {
        let outcome = every_way(input.as_bytes(), &tight(), None);
        assert_eq!(outcome.violation, Some(violation), "{input:?}");
    }
}

/// Every text of up to `length` of these pieces, behind `prefix`, in every way: none panics, all agree.
fn try_all(prefix: &str, pieces: &[&str], length: usize) -> usize {
    let mut tried = 0;
    let mut texts = vec![prefix.to_owned()];
    for _ in 0..length {
        texts = texts
            .iter()
            .flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")))
            .collect();
        for text in &texts {
            every_way(text.as_bytes(), &tight(), Some(3));
        }
        tried += texts.len();
    }
    tried
}

#[test]
fn all_short_request_lines_read_the_same_in_every_way() {
    let pieces = ["GET", " ", "/", "HTTP/1.1", "HTTP/1.0", "\r\n", "\n", "\0"];
    assert_eq!(try_all("", &pieces, 4), 8 + 64 + 512 + 4096);
}

#[test]
fn all_short_field_sections_read_the_same_in_every_way() {
    let pieces = ["A", ":", " ", "\r\n", "\n", "\r", "\0", "Host: a\r\n"];
    try_all("GET / HTTP/1.0\r\n", &pieces, 3);
}

#[test]
fn all_short_chunked_bodies_read_the_same_in_every_way() {
    let pieces = ["0", "2", ";", "\r\n", "\n", "a", ":", " "];
    try_all(
        "PUT / HTTP/1.1\r\nHost:\r\nTransfer-Encoding:chunked\r\n\r\n",
        &pieces,
        3,
    );
}

#[test]
fn every_single_byte_can_stand_anywhere_without_harm() {
    let request = b"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;e\r\na\r\n0\r\nT: u\r\n\r\n";
    let limits = Limits::default();
    for at in 0..request.len() {
        for byte in 0..=255 {
            let mut changed = request.to_vec();
            changed[at] = byte;
            let whole = super::replay::replay([&changed[..]].into_iter(), &limits, None);
            let dripped = super::replay::replay(changed.chunks(1), &limits, None);
            assert_eq!(dripped, whole, "{}", changed.escape_ascii());
        }
    }
}
