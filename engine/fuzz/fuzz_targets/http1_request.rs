//! Any bytes, arriving in any pieces, give the same steps and the same violation, and never a panic; so they do where a head
//! like theirs was seen before.
//!
//! Input: the first byte is a number of cuts, so many bytes are the lengths of the pieces (used over and over), the
//! rest is what the peer sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sennit_wire::{Framing, Head, LastHead, Limits, Receiver, Step, Version, Violation};

#[derive(Debug, PartialEq)]
enum Event {
    Head(String),
    Data(Vec<u8>),
    End,
}

/// Everything a head says about itself, checked for what its parser promises.
fn describe(head: &Head) -> String {
    let method = head.method();
    assert!(sennit_wire::is_token(method));
    assert!(
        !head.target().is_empty()
            && head
                .target()
                .iter()
                .all(|byte| (0x21..=0x7e).contains(byte))
    );
    for (name, value) in head.fields() {
        assert!(sennit_wire::is_token(name) && sennit_wire::is_field_value(value));
        assert!(
            value.trim_ascii() == value || value.contains(&0x0c),
            "not trimmed"
        );
        assert!(head.field(&name.to_ascii_lowercase()).is_some());
    }
    let count = |wanted: &[u8]| {
        head.fields()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .count()
    };
    let (hosts, lengths, codings) = (
        count(b"host"),
        count(b"content-length"),
        count(b"transfer-encoding"),
    );
    assert!(hosts == 1 || (hosts == 0 && head.version() == Version::Http10));
    match head.framing() {
        Framing::None => assert_eq!((lengths, codings), (0, 0)),
        Framing::Length(_) => assert_eq!((lengths, codings), (1, 0)),
        Framing::Chunked => assert_eq!((lengths, codings), (0, 1)),
    }
    let flags = (
        head.keep_alive(),
        head.expects_continue(),
        head.upgrade_requested(),
        head.is_head_method(),
    );
    let fields: Vec<_> = head.fields().collect();
    format!(
        "{:?} {:?} {:?} {flags:?} {fields:?}",
        method,
        head.target(),
        (head.version(), head.framing())
    )
}

/// What our parser takes, `httparse` takes and reads alike.
fn compare(input: &[u8], head: &Head, limits: &Limits) {
    let mut slots = vec![httparse::EMPTY_HEADER; limits.header_count];
    let mut request = httparse::Request::new(&mut slots);
    let parsed = request.parse(input);
    assert!(parsed.is_ok_and(|status| status.is_complete()));
    assert_eq!(request.method.map(str::as_bytes), Some(head.method()));
    assert_eq!(request.path.map(str::as_bytes), Some(head.target()));
    assert_eq!(
        request.version == Some(1),
        head.version() == Version::Http11
    );
    assert_eq!(request.headers.len(), head.fields().len());
    for (theirs, (name, value)) in request.headers.iter().zip(head.fields()) {
        assert_eq!((theirs.name.as_bytes(), theirs.value), (name, value));
    }
}

/// What a receiver makes of `pieces`; pieces of data that follow each other are put together.
fn replay<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    last: &mut LastHead,
    limits: &Limits,
    body_limit: u64,
) -> (Vec<Event>, Option<Violation>, Option<Violation>) {
    let mut receiver = Receiver::new();
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let (consumed, step) = match receiver.advance_after(last, &waiting, limits) {
                Ok(result) => result,
                Err(violation) => return (events, Some(violation), receiver.end_of_input().err()),
            };
            assert!(consumed <= waiting.len());
            match step {
                Step::NeedMore => {
                    waiting.drain(..consumed);
                    break;
                }
                Step::Head(head) => {
                    assert!(receiver.in_body());
                    compare(&waiting, &head, limits);
                    receiver.set_body_limit(Some(body_limit));
                    events.push(Event::Head(describe(&head)));
                }
                Step::Data(range) => {
                    assert!(!range.is_empty() && range.end == consumed);
                    match events.last_mut() {
                        Some(Event::Data(data)) => data.extend_from_slice(&waiting[range]),
                        _ => events.push(Event::Data(waiting[range].to_vec())),
                    }
                }
                Step::End => {
                    assert!(receiver.is_complete());
                    receiver.next_request();
                    events.push(Event::End);
                }
            }
            waiting.drain(..consumed);
        }
    }
    (events, None, receiver.end_of_input().err())
}

/// `input` in pieces whose lengths are `lengths`, over and over.
fn cut<'a>(mut input: &'a [u8], lengths: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if input.is_empty() || lengths.iter().all(|&length| length == 0) {
            break;
        }
        let (piece, rest) = input.split_at(input.len().min(usize::from(*length)));
        pieces.push(piece);
        input = rest;
    }
    pieces.push(input);
    pieces
}

fuzz_target!(|input: &[u8]| {
    let Some((&count, input)) = input.split_first() else {
        return;
    };
    let (lengths, input) = input.split_at(input.len().min(usize::from(count % 8)));
    // Small limits are reached by small inputs; half of the inputs get the usual ones.
    let (limits, body_limit) = if count < 128 {
        (Limits::default(), u64::MAX)
    } else {
        (
            Limits {
                request_line: 32,
                header_bytes: 80,
                header_count: 4,
                chunk_line: 8,
                trailer_bytes: 24,
            },
            64,
        )
    };
    let mut last = LastHead::default();
    let whole = replay([input].into_iter(), &mut last, &limits, body_limit);
    let again = replay([input].into_iter(), &mut last, &limits, body_limit);
    assert_eq!(again, whole, "after itself");
    let none = &mut LastHead::default();
    assert_eq!(
        replay(input.chunks(1), none, &limits, body_limit),
        whole,
        "byte by byte"
    );
    assert_eq!(
        replay(
            cut(input, lengths).into_iter(),
            &mut last,
            &limits,
            body_limit
        ),
        whole,
        "cut into {lengths:?}"
    );
});
