//! Whatever an upstream sends, arriving in any pieces, gives the same steps and the same violation, and never a panic.
//!
//! Input: the first byte says how the request was made and how small the limits are, the second how the answer is cut,
//! the rest is what the upstream sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sennit_wire::http1::client::{Arrival, Delimiter, ResponseHead, ResponseReceiver};
use sennit_wire::{is_field_value, is_token, Limits, Violation};

#[derive(Debug, PartialEq)]
enum Event {
    Head(String),
    Data(Vec<u8>),
    End(String),
}

/// Everything a head says about itself, checked for what its parser promises.
fn describe(head: &ResponseHead) -> String {
    assert!((100..=999).contains(&head.code()));
    assert!(is_field_value(head.reason()));
    let mut framing = 0;
    let hops = head.hops();
    for (name, value) in head.fields() {
        assert!(is_token(name) && is_field_value(value));
        let ends = hops.ends_here(name);
        for own in ["content-length", "transfer-encoding"] {
            framing += u32::from(name.eq_ignore_ascii_case(own.as_bytes()));
        }
        assert!(ends || !name.eq_ignore_ascii_case(b"connection"));
    }
    assert!(framing <= 1, "a length told in two ways");
    assert!(!head.keep_alive() || head.delimiter() != Delimiter::Close);
    format!("{head:?} {} {:?}", head.keep_alive(), head.version())
}

/// What a receiver makes of `pieces`; pieces of data that follow each other are put together.
fn replay<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    head_request: bool,
    limits: &Limits,
) -> (
    Vec<Event>,
    Option<Violation>,
    Option<Result<bool, Violation>>,
) {
    let mut receiver = ResponseReceiver::new();
    receiver.begin(head_request);
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let (consumed, step) = match receiver.advance(&waiting, limits) {
                Ok(progress) => progress,
                Err(violation) => return (events, Some(violation), None),
            };
            assert!(consumed <= waiting.len());
            match step {
                Arrival::NeedMore => {
                    waiting.drain(..consumed);
                    break;
                }
                Arrival::Interim(head) | Arrival::Head(head) => {
                    events.push(Event::Head(describe(&head)));
                }
                Arrival::Data(range) => {
                    assert!(!range.is_empty() && range.end == consumed);
                    match events.last_mut() {
                        Some(Event::Data(data)) => data.extend_from_slice(&waiting[range]),
                        _ => events.push(Event::Data(waiting[range].to_vec())),
                    }
                }
                Arrival::End => {
                    assert!(receiver.is_at_rest());
                    let trailers: Vec<_> = receiver.trailers().collect();
                    for (name, value) in &trailers {
                        assert!(is_token(name) && is_field_value(value));
                    }
                    events.push(Event::End(format!("{trailers:?}")));
                }
            }
            waiting.drain(..consumed);
        }
    }
    (events, None, Some(receiver.end_of_input()))
}

fuzz_target!(|input: &[u8]| {
    let Some((&[flags, cut], input)) = input.split_first_chunk::<2>() else {
        return;
    };
    let head_request = flags & 1 != 0;
    let limits = if flags & 2 == 0 {
        Limits::default()
    } else {
        Limits {
            request_line: 20,
            header_bytes: 60,
            header_count: 3,
            chunk_line: 8,
            trailer_bytes: 24,
        }
    };
    let whole = replay([input].into_iter(), head_request, &limits);
    assert_eq!(
        replay(input.chunks(1), head_request, &limits),
        whole,
        "byte by byte"
    );
    assert_eq!(
        replay(input.chunks(usize::from(cut).max(1)), head_request, &limits),
        whole,
        "in pieces of {cut}"
    );
});
